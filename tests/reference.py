"""Writes the reference pages from the code: `python -m tests.reference`, or `make docs`. `test_docs.py` holds them equal."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from retinue_sdk.errors import RetinueError

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCES = ("services", "widgets/retinue", "extension/retinue_lab", "hub_config")
NOTE = "<!-- Written by `make docs` from the code; edit the code. -->\n"


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; bars and line ends in cells are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def settings_page() -> str:
    """Every setting of every process, with what stands beside it in the source."""
    from hub_config.settings import HubSettings

    from retinue_platform.settings import Settings
    from retinue_sdk.trainer.settings import TrainerSettings

    parts = [
        "# Settings\n",
        NOTE,
        "All are environment variables, read once at start. A mistake in one is one readable line.\n",
    ]
    for title, cls in (
        ("The embedded hub (`make run`, `hub_config/`)", HubSettings),
        ("The platform (`python -m retinue_platform`)", Settings),
        ("A trainer (`retinue-ultralytics`, `retinue-timm`, `retinue-huggingface`)", TrainerSettings),
    ):
        parts.append(
            f"## {title}\n\n{inspect.getdoc(cls)}\n\n{table(['variable', 'type', 'default', 'meaning'], list(_settings(cls)))}\n"
        )
    parts.append(
        "## The notebook server and its kernels\n\n"
        + table(
            ["variable", "meaning"],
            [
                ["RETINUE_URL", "address of the platform, with its prefix; the hub's configuration sets it"],
                ["JUPYTERHUB_API_TOKEN", "the server's own token; the hub sets it"],
                ["RETINUE_PROJECT", "name or id of the project that magics and command mean until `use`"],
            ],
        )
        + "\n"
    )
    return "\n".join(parts)


def _settings(cls: type[BaseSettings]) -> Iterator[list[str]]:
    source = inspect.getsource(cls)
    prefix = cls.model_config.get("env_prefix", "")
    for name, field in cls.model_fields.items():
        alias = getattr(field.validation_alias, "choices", [field.validation_alias])[0]
        remark = re.search(rf"^    {name}: [^\n]*?  # (.+)$", source, re.MULTILINE)
        default = "required" if field.default is PydanticUndefined and not field.default_factory else "by the machine"
        if field.default is not PydanticUndefined:
            default = f"`{field.default}`" if str(field.default) else "empty"
        kind = (
            getattr(field.annotation, "__name__", str(field.annotation)).replace("pathlib.", "").replace("typing.", "")
        )
        yield [
            f"`{alias or prefix + name.upper()}`",
            kind,
            default,
            remark.group(1) if remark else name.replace("_", " "),
        ]


def errors_page() -> str:
    """Every error code in the code, where it is raised and how it is cured."""
    from retinue_sdk.formats.report import CODES

    found: dict[str, list[str]] = {}
    for code, status, hint, module in sorted(_codes()):
        row = found.setdefault(code, [f"`{code}`", status, hint, module])
        row[1], row[2] = row[1] or status, row[2] or hint
        row[3] = row[3] if module in row[3] else f"{row[3]}, {module}"
    findings = [[f"`{code}`", *known] for code, known in sorted(CODES.items())]
    return "\n".join([
        "# Error codes\n",
        NOTE,
        "An error is `application/problem+json` over HTTP and one line in notebooks, command and page: what is wrong, where,",
        "and how to cure it. Codes are stable.\n",
        table(["code", "status", "cure", "from"], list(found.values())),
        "",
        "## Findings in a dataset\n",
        "Reported together, with file and line; those of severity `error` stop the import.\n",
        table(["code", "severity", "what was found", "cure"], findings),
        "",
    ])  # fmt: skip


def _codes() -> Iterator[tuple[str, str, str, str]]:
    classes = {cls.__name__: cls for cls in _error_classes()}
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = path.stem if path.stem != "__init__" else path.parent.name
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    given = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    if isinstance(given.get("code"), str) and (
                        name in classes or "hint" in given or "severity" in given
                    ):
                        own = classes.get(name)
                        status = given.get("status", own.status if own else "")
                        yield given["code"], str(status), str(given.get("hint") or (own.hint if own else "")), module
    for cls in _error_classes():
        yield cls.code, str(cls.status), cls.hint, cls.__module__.rpartition(".")[2]


def _error_classes() -> list[type[RetinueError]]:
    """Every error class of ours, whatever else the calling process has imported or defined."""
    packages = ("services/retinue_platform", "services/retinue_sdk", "extension/retinue_lab", "widgets/retinue")
    for folder in packages:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "Error):" in path.read_text() and path.stem != "__main__":
                dotted = path.relative_to((ROOT / folder).parent).with_suffix("").parts
                importlib.import_module(".".join(dotted).removesuffix(".__init__"))

    def below(cls: type[RetinueError]) -> Iterator[type[RetinueError]]:
        yield cls
        for child in cls.__subclasses__():
            yield from below(child)

    ours = {Path(folder).name for folder in packages}
    return [cls for cls in below(RetinueError) if cls.__module__.partition(".")[0] in ours]


def api_page() -> str:
    """Every route of the platform and of a trainer, from their OpenAPI documents."""
    from retinue_platform.app import create_app
    from retinue_platform.settings import Settings
    from retinue_sdk.trainer.app import make_app
    from retinue_sdk.trainer.settings import TrainerSettings
    from tests.trainers.points.service import FRAMEWORK

    platform = create_app(Settings(data=Path("data"), hub_api_url="http://hub"))
    with tempfile.NamedTemporaryFile("w", suffix="-token") as token:
        token.write("t" * 32)
        token.flush()
        trainer = make_app(FRAMEWORK, TrainerSettings(token_file=Path(token.name)))

    parts = ["# The HTTP interfaces\n", NOTE]
    for title, openapi, remark in (
        (
            "The platform",
            platform.openapi(),
            "With `Authorization: Bearer <hub token>`. Errors: [errors.md](errors.md).",
        ),
        ("A trainer", trainer.openapi(), "With `Authorization: Bearer <service token>`."),
    ):
        rows = [
            [f"`{method.upper()} {path}`", operation.get("description") or operation.get("summary", "")]
            for path, item in openapi["paths"].items()
            for method, operation in item.items()
            if method in ("get", "post", "put", "patch", "delete")
        ]
        parts.append(f"## {title}\n\n{remark}\n\n{table(['route', 'meaning'], rows)}\n")
    return "\n".join(parts)


def parameters_page() -> str:
    """The parameters of each trainer, from the schemas they serve."""
    from retinue_sdk.schema import Task

    parts = [
        "# Parameters of the trainers\n",
        NOTE,
        "Served by `GET /models/{name}/schema`; the form, the notebook and the check are drawn from the same.\n",
    ]
    for name in ("ultralytics", "timm", "huggingface"):
        framework = importlib.import_module(f"retinue_{name}.service").FRAMEWORK
        for task in framework.tasks:
            properties = framework.parameters(Task(task), "")["properties"]
            parts.append(
                f"## {name}, {task}\n\n{table(['parameter', 'default', 'range', 'meaning'], [_parameter(n, p) for n, p in properties.items()])}\n"
            )
    return "\n".join(parts)


def _parameter(name: str, schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        span = ", ".join(f"`{value}`" for value in schema["enum"])
    else:
        low, high = (
            schema.get("minimum", schema.get("exclusiveMinimum")),
            schema.get("maximum", schema.get("exclusiveMaximum")),
        )
        span = "" if low is None and high is None else f"{low} to {high}"
    unit = f" {schema['unit']}" if schema.get("unit") else ""
    default = schema.get("default")
    return [
        f"`{name}`",
        "" if default is None else f"`{default}`",
        span + unit,
        schema.get("description") or schema.get("title", ""),
    ]


def formats_page() -> str:
    """Every dataset format of this tree: what it holds and what is read and written."""
    from tests.sdk.conversions import readers

    rows = []
    for name, form in readers().items():
        kinds = ", ".join(form.HOLDS.kinds) if hasattr(form, "HOLDS") else ""
        ways = "import, export" if hasattr(form, "write") else "import"
        rows.append([f"`{name}`", form.TITLE, ways, kinds, inspect.getdoc(form).partition("\n")[0]])
    return "\n".join([
        "# Dataset formats\n",
        NOTE,
        "Recognised by their files; `--format NAME`, or the choice in the panel, overrules that. What one loses in another is",
        "in [conversions.md](conversions.md); how to add one is in [adding.md](adding.md).\n",
        table(["name", "format", "ways", "kinds of annotations written", "what it is"], rows),
        "",
    ])  # fmt: skip


def conversions_page() -> str:
    """What every format loses in every other, tried."""
    from tests.sdk.conversions import page

    return page()


def notebook_page() -> str:
    """The verbs, with a written introduction before them."""
    from retinue.verbs import make_parser

    written = (
        (DOCS / "notebook.md").read_text().partition("<!-- verbs -->")[0] if (DOCS / "notebook.md").exists() else ""
    )
    verbs = next(a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    rows = []
    for name, sub in sorted(verbs.choices.items()):
        arguments = " ".join(_argument(a) for a in sub._actions if a.dest != "help")
        rows.append([f"`{name} {arguments}`".replace(" `", "`"), sub.description])
    return f"{written}<!-- verbs -->\n{NOTE}\n{table(['verb', 'does'], rows)}\n"


def _argument(action: argparse.Action) -> str:
    if not action.option_strings:
        return action.dest.upper()
    option = action.option_strings[-1]
    return f"[{option}]" if action.nargs == 0 else f"[{option} {action.metavar or action.dest.upper()}]"


PAGES: dict[str, Callable[[], str]] = {
    "api.md": api_page,
    "conversions.md": conversions_page,
    "errors.md": errors_page,
    "formats.md": formats_page,
    "notebook.md": notebook_page,
    "parameters.md": parameters_page,
    "settings.md": settings_page,
}


def main() -> None:
    for name, make in PAGES.items():
        (DOCS / name).write_text(make())
        print(f"docs/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
