"""The verbs of `%retinue` and of the `retinue` command: one parser, one function each, one answer drawn by either."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from retinue.jobs import Job
from retinue.models import Model, models
from retinue.projects import Project, create_project, projects
from retinue.session import Session
from retinue_sdk.errors import BadRequestError

Progress = Callable[[int, int], None]


class Parser(argparse.ArgumentParser):
    """Says what is wrong as an error of ours, instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise BadRequestError(
            f"{message[:1].upper()}{message[1:]}.", code="usage", hint=" ".join(self.format_usage().split()) + "."
        )

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's signature
        """Asking for help is an answer."""
        raise HelpShown


class HelpShown(Exception):  # noqa: N818 - not an error
    """Help was printed; there is nothing else to do."""


def job_of(session: Session, job_id: str) -> Job:
    """The job with this id."""
    return Job(session, session.get(f"/jobs/{job_id}"))


def parse_parameters(pairs: Sequence[str], text: str = "") -> dict[str, Any]:
    """Parameters from `name=value` pairs and a TOML text: `epochs=5`, `optimizer=adamw`.

    A value that is not TOML (a bare word) is taken as text.
    """
    try:
        parameters = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRequestError(
            f"The parameters are not TOML: {error}.",
            code="parameters_unreadable",
            hint='Write one `name = value` a line; text goes in "quotes".',
            where="cell",
        ) from error
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadRequestError(
                f"{pair!r} is not name=value.",
                code="parameters_unreadable",
                hint="For example: -p epochs=5.",
                where=pair,
            )
        try:
            parameters[name.strip()] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            parameters[name.strip()] = value.strip()
    return parameters


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """What `train` and `%%train` take."""
    parser.add_argument("model", help="FRAMEWORK/MODEL, as listed by `models`")
    parser.add_argument("dataset", help="name or id of a dataset of the project")
    parser.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the model; repeat for more",
    )
    parser.add_argument("--name", help="a name for the job")
    parser.add_argument("--task", help="when model and dataset share more than one")
    parser.add_argument("--seed", type=int, default=0, help="of all randomness")
    parser.add_argument("--version", type=int, help="version of the dataset; the newest by default")
    parser.add_argument("--project", help="name or id of the project, when it is not the one in use")


def train(session: Session, args: argparse.Namespace, text: str = "") -> Job:
    """Start a training; see `add_train_arguments`."""
    project = Project(session, session.project(args.project))
    options = {"name": args.name, "task": args.task, "seed": args.seed, "version": args.version}
    given = {k: v for k, v in options.items() if v is not None}
    return project.train(args.model, args.dataset, parameters=parse_parameters(args.parameter, text), **given)


def make_parser(session: Callable[[], Session], progress: Progress) -> Parser:
    """The parser; each sub-command carries its function as `run(args) -> answer`."""
    parser = Parser(prog="retinue", description="Projects, datasets, models and trainings of your hub.")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    def project() -> Project:
        return Project(session(), session().project())

    def verb(
        verb_name: str,
        about: str,
        run: Callable[[argparse.Namespace], Any],
        *arguments: str,
        **optional: dict[str, Any],
    ) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = verbs.add_parser(verb_name, help=about, description=about)
        for argument in arguments:
            sub.add_argument(argument)
        for option, settings in optional.items():
            sub.add_argument(f"--{option}", **settings)
        sub.set_defaults(run=run)
        return sub

    verb("projects", "list your projects", lambda _: projects(session()))
    verb("create", "make a project", lambda a: create_project(session(), a.name), "name")
    verb("use", "choose the project that the other verbs mean", lambda a: (session().use(a.name), project())[1], "name")
    verb("datasets", "list the project's datasets", lambda _: project().datasets())
    verb("dataset", "show a dataset and what was found in it", lambda a: project().dataset(a.name), "name")
    verb(
        "upload",
        "upload an archive as a dataset",
        lambda a: project().upload(Path(a.file), a.name, progress),
        "file",
        name={"help": "the dataset's name"},
    )
    verb(
        "models",
        "list the models of all trainers",
        lambda a: models(session(), a.task, a.find),
        task={"help": "only those for this task"},
        find={"help": "only those with this in their name", "default": ""},
    )
    verb(
        "parameters",
        "show the parameters of a model",
        lambda a: _model(session(), a.model).parameters(a.task),
        "model",
        task={"help": "for this task"},
    )
    verb("jobs", "list the project's jobs", lambda _: project().jobs())
    verb("job", "show a job", lambda a: job_of(session(), a.id), "id")
    verb(
        "cancel",
        "stop a job",
        lambda a: job_of(session(), a.id).cancel("epoch" if a.epoch else "now"),
        "id",
        epoch={"action": "store_true", "help": "after this epoch, keeping its results"},
    )
    verb("logs", "print what a job has printed", lambda a: "".join(job_of(session(), a.id).logs()), "id")
    verb(
        "metrics",
        "print every metric point of a job as JSON lines",
        lambda a: _metric_lines(job_of(session(), a.id)),
        "id",
    )
    verb("artifacts", "list a job's checkpoints and reports", lambda a: job_of(session(), a.id).artifacts(), "id")
    add_train_arguments(verb("train", "start a training", lambda a: train(session(), a)))
    return parser


def _model(session: Session, name: str) -> Model:
    for model in models(session):
        if name == f"{model.framework}/{model.name}":
            return model
    raise BadRequestError(
        f"No trainer offers {name!r}.", code="unknown_model", hint="See `models`; a model is named FRAMEWORK/NAME."
    )


def _metric_lines(job: Job) -> str:
    series = job.metrics().model_dump(mode="json")["series"]
    rows = [
        {"seq": seq, "step": step, "key": s["key"], "value": value}
        for s in series
        for seq, step, value in zip(s["seq"], s["step"], s["value"], strict=True)
    ]
    return "\n".join(json.dumps(row) for row in sorted(rows, key=lambda r: (r["seq"], r["key"])))
