"""The verbs of `%retinue` and of the `retinue` command: one parser, one function each, one answer drawn by either."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, NoReturn

from retinue.datasets import Dataset
from retinue.exports import Format, formats
from retinue.jobs import Job
from retinue.models import Model, models
from retinue.progress import Progress
from retinue.projects import Project, create_project, projects
from retinue.session import Session
from retinue.sources import sources
from retinue_sdk.errors import BadRequestError, NotFoundError, RetinueError

_PATIENCE = 10.0  # seconds that asking for help waits for the platform


class Parser(argparse.ArgumentParser):
    """Says what is wrong as an error of ours, instead of ending the process."""

    takes_format = False

    def format_help(self) -> str:
        """The help, with the formats there are where one can be named."""
        if self.takes_format:
            self.epilog = _formats_there_are()
        return super().format_help()

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


@dataclass(frozen=True)
class Context:
    """What a verb works with."""

    session: Session
    progress: Progress

    @property
    def project(self) -> Project:
        """The project in use."""
        return Project(self.session, self.session.project())


@dataclass(frozen=True)
class Verb:
    """One verb: what it takes, and what it answers."""

    name: str
    about: str
    run: Callable[[Context, argparse.Namespace], Any]
    arguments: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = field(default_factory=dict)


def _use(c: Context, a: argparse.Namespace) -> Project:
    return Project(c.session, c.session.use(a.name))


def parse_classes(pairs: Sequence[str]) -> dict[str, str | None]:
    """The mapping of `incoming=existing` pairs; `incoming=` leaves a class out."""
    for pair in pairs:
        if "=" not in pair:
            raise BadRequestError(
                f"{pair!r} is not incoming=existing.",
                code="classes_unreadable",
                hint="For example: --classes cats=cat, or --classes cats= to leave the class out.",
                where=pair,
            )
    return {name: goal or None for name, _, goal in (pair.rpartition("=") for pair in pairs)}


def _add(c: Context, a: argparse.Namespace) -> Dataset:
    options = {"split": a.split, "note": a.note, **_given(a, "format", "parent", "every", "seconds", "in_place")}
    dataset = c.project.dataset(a.name)
    return dataset.add(a.file, parse_classes(a.classes), a.conflict, c.progress, **options)


def _upload(c: Context, a: argparse.Namespace) -> Dataset:
    return c.project.upload(a.file, a.name, c.progress, a.format, **_given(a, "every", "seconds", "in_place"))


def _given(a: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that somebody gave."""
    return {name: getattr(a, name) for name in names if getattr(a, name) is not None}


def _restore(c: Context, a: argparse.Namespace) -> Dataset:
    if a.version is None:
        return c.project.trashed(a.name).restore(name=a.as_name)
    return c.project.dataset(a.name).restore(a.version, note=a.note)


def _delete(c: Context, a: argparse.Namespace) -> str:
    try:
        dataset = c.project.dataset(a.name)
    except NotFoundError:
        if not a.purge:
            raise
        dataset = c.project.trashed(a.name)
    dataset.delete(purge=a.purge)
    return f"{dataset.name} is gone." if a.purge else f"{dataset.name} is in the trash; `restore` takes it out."


_ADD: dict[str, dict[str, Any]] = {
    "classes": {"action": "append", "default": [], "metavar": "INCOMING=EXISTING", "help": "map a class; nothing behind = leaves it out; repeat for more"},
    "conflict": {"choices": ["skip", "keep_both", "replace"], "default": "skip", "help": "about images whose key is taken"},
    "split": {"choices": ["train", "val", "test"], "help": "of images that bring none; drawn 80/20 by default"},
    "note": {"default": "", "help": "kept with the version"},
    "parent": {"type": int, "metavar": "VERSION", "help": "the version to add to; the newest by default"},
}  # fmt: skip
_FRAMES: dict[str, dict[str, Any]] = {
    "every": {"type": int, "metavar": "N", "help": "of a video every n-th frame"},
    "seconds": {"type": float, "metavar": "S", "help": "of a video a frame each so many seconds; 1 by default"},
}
_IN_PLACE: dict[str, dict[str, Any]] = {
    "in-place": {
        "action": "store_true",
        "default": None,
        "help": "the images of a folder at a place stay there until they are needed",
    }
}
_TASK = {"task": {"help": "for this task"}}
_FIND = {"find": {"help": "only those with this in their name", "default": ""}}
_VERSION = {"version": {"type": int, "help": "the version; the newest by default"}}
_RESTORE: dict[str, dict[str, Any]] = {
    "version": {"type": int, "help": "the version"},
    "name": {"dest": "as_name", "metavar": "NAME", "help": "another name for a dataset out of the trash"},
    "note": {"help": "kept with a version; says which one it was by default"},
}
_TO = {"to": {"metavar": "FILE", "help": "the file to write"}}
_FORMAT = {"format": {"help": "its format, one of `formats`; recognised by default"}}
_EPOCH = {"epoch": {"action": "store_true", "help": "after this epoch, keeping its results"}}
VERBS = (
    Verb("projects", "list your projects", lambda c, _: projects(c.session)),
    Verb("create", "make a project", lambda c, a: create_project(c.session, a.name), ("name",)),
    Verb("use", "choose the project that the other verbs mean", _use, ("name",)),
    Verb("datasets", "list the project's datasets", lambda c, _: c.project.datasets()),
    Verb("dataset", "show a dataset and what was found in it", lambda c, a: c.project.dataset(a.name), ("name",)),
    Verb("upload", "make a dataset of an archive, a folder, a video, a URL or a place such as s3://", _upload, ("file",), {"name": {"help": "the dataset's name"}} | _FORMAT | _FRAMES | _IN_PLACE),
    Verb("add", "add an image, or whatever `upload` takes, to a dataset, as a new version", _add, ("name", "file"), _ADD | _FORMAT | _FRAMES | _IN_PLACE),
    Verb("retry", "try the failed import of a dataset again, perhaps as another format", lambda c, a: c.project.dataset(a.name).retry(c.progress, **_given(a, "format", "every", "seconds")), ("name",), _FORMAT | _FRAMES),
    Verb("dismiss", "put the problem of a failed addition to a dataset away", lambda c, a: c.project.dataset(a.name).dismiss(), ("name",)),
    Verb("sources", "list where data may come from", lambda c, _: sources(c.session)),
    Verb("formats", "list the dataset formats", lambda c, _: formats(c.session)),
    Verb("losses", "show what a dataset would lose in a format", lambda c, a: c.project.dataset(a.name).losses(a.format, a.version), ("name", "format"), _VERSION),
    Verb("export", "save a dataset as a zip in a format", lambda c, a: c.project.dataset(a.name).export(a.format, a.to, a.version), ("name", "format"), _VERSION | _TO),
    Verb("versions", "list the versions of a dataset", lambda c, a: c.project.dataset(a.name).versions, ("name",)),
    Verb("diff", "show what is other in version B of a dataset than in version A", lambda c, a: c.project.dataset(a.name).diff(a.a, a.b), ("name", "a", "b")),
    Verb("restore", "take a dataset out of the trash, or make an old version of it the newest", _restore, ("name",), _RESTORE),
    Verb("delete", "move a dataset to the trash", _delete, ("name",), {"purge": {"action": "store_true", "help": "end it at once and for good"}}),
    Verb("trash", "list the project's deleted datasets", lambda c, _: c.project.trash()),
    Verb("models", "list the models of all trainers", lambda c, a: models(c.session, a.task, a.find), (), _TASK | _FIND),
    Verb("parameters", "show the parameters of a model", lambda c, a: _model(c.session, a.model).parameters(a.task), ("model",), _TASK),
    Verb("train", "start a training", lambda c, a: train(c.session, a)),
    Verb("jobs", "list the project's jobs", lambda c, _: c.project.jobs()),
    Verb("job", "show a job", lambda c, a: job_of(c.session, a.id), ("id",)),
    Verb("cancel", "stop a job", lambda c, a: job_of(c.session, a.id).cancel("epoch" if a.epoch else "now"), ("id",), _EPOCH),
    Verb("logs", "print what a job has printed", lambda c, a: "".join(job_of(c.session, a.id).logs()), ("id",)),
    Verb("metrics", "print every metric point of a job as JSON lines", lambda c, a: _metric_lines(job_of(c.session, a.id)), ("id",)),
    Verb("artifacts", "list a job's checkpoints and reports", lambda c, a: job_of(c.session, a.id).artifacts(), ("id",)),
)  # fmt: skip


def _formats_there_are() -> str:
    """In words. The platform knows them; where it cannot be asked, those installed here are a good guess."""
    try:
        answer = Session.current().client.json("GET", "/formats", timeout=_PATIENCE)
    except RetinueError:
        names = ", ".join(sorted(point.name for point in entry_points(group="retinue.formats")))
        return f"Formats installed here: {names}. The platform, which may have others, cannot be asked."
    found = [Format(each).data for each in answer]
    names, only = (", ".join(f.name for f in found if f.writes is way) or "none" for way in (True, False))
    return f"Formats on the platform: {names}. For import only: {only}."


def make_parser() -> Parser:
    """The parser of all verbs; what it returns goes to `run`."""
    parser = Parser(prog="retinue", description="Projects, datasets, models and trainings of your hub.")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for verb in VERBS:
        sub: Parser = verbs.add_parser(verb.name, help=verb.about, description=verb.about)
        sub.takes_format = "format" in (*verb.arguments, *verb.options)
        for argument in verb.arguments:
            sub.add_argument(argument)
        for option, settings in verb.options.items():
            sub.add_argument(f"--{option}", **settings)
        sub.set_defaults(verb=verb)
        if verb.name == "train":
            add_train_arguments(sub)
    return parser


def run(words: Sequence[str] | None, progress: Progress) -> Any:
    """Read a line and do it; `words` are the process's own arguments when None.

    Raises
    ------
    RetinueError
        Whatever went wrong, also in the line itself.
    HelpShown
        When help was asked for and printed.
    """
    args = make_parser().parse_args(words)
    return args.verb.run(Context(Session.current(), progress), args)


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
