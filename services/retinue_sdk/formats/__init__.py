"""Dataset formats: one file of pure functions each, found through the entry point group `retinue.formats`.

A format is a module with NAME, TITLE, `read(path) -> (table, problems)`, `write(table, path) -> losses` (unless it is
import only) and `sniff(path) -> confidence between 0 and 1`. A package outside this tree adds one by naming it in that group.
"""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from inspect import getdoc
from pathlib import Path
from typing import Protocol, cast

from retinue_sdk import crossings
from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError, RetinueError
from retinue_sdk.formats import files
from retinue_sdk.formats.files import Place
from retinue_sdk.names import printable
from retinue_sdk.table import AnnotationTable

GROUP = "retinue.formats"
LOWEST_CONFIDENCE = 0.3
log = logging.getLogger(__name__)


class Format(Protocol):
    """What a format module offers; `READS_IMAGES = True` besides, where `write` needs the bytes of images."""

    NAME: str
    TITLE: str

    def read(self, path: Path) -> tuple[AnnotationTable, list[Finding]]:
        """Read the dataset in this folder, with all there is to say about it."""
        ...

    def write(self, table: AnnotationTable, path: Path, place: Place = ...) -> list[Finding]:
        """Write the dataset into this folder, images by `place`; the answer is what the format cannot hold."""
        ...

    def sniff(self, path: Path) -> float:
        """How likely the folder is of this format: 0 to 1. A format's own docstring says what it is recognised by."""
        ...


def all_formats() -> dict[str, Format]:
    """Every installed format by its name. One that cannot be imported is left out and logged."""
    found: dict[str, Format] = {}
    for point in entry_points(group=GROUP):
        try:
            module = cast("Format", point.load())
            _ = module.TITLE, module.read, module.sniff
            found[module.NAME] = module
        except Exception:  # a stranger's package must not take the others down
            log.exception("format %s cannot be loaded", point.name)
    return dict(sorted(found.items()))


def get(name: str) -> Format:
    """The format of this name."""
    formats = all_formats()
    if name not in formats:
        raise DataError(
            f"There is no format {name!r}.", code="format_unknown", hint=f"Known formats: {', '.join(formats)}."
        )
    return formats[name]


def writer(name: str) -> Format:
    """The format of this name, which can be exported to."""
    form = get(name)
    if not hasattr(form, "write"):
        names = ", ".join(n for n, f in all_formats().items() if hasattr(f, "write"))
        raise DataError(f"{form.TITLE} can be imported only.", code="format_import_only", hint=f"Export to {names}.")
    return form


def detect(path: Path) -> tuple[str, dict[str, float]]:
    """The most likely format of a folder, and how confident each format is."""
    formats = all_formats()
    with files.listed_once():
        confidence = {name: _sniff(form, path) for name, form in formats.items()}
    best = max(confidence, key=lambda name: confidence[name], default="")
    if not best or confidence[best] < LOWEST_CONFIDENCE:
        titles = ", ".join(form.TITLE for form in formats.values())
        found = files.list_files(path)
        others = [name for name in found if not files.is_image(name)]
        raise DataError(
            "The format of the dataset is not recognised.",
            code="format_unknown",
            hint=f"Known formats: {titles}.",
            where=printable((others or found or [path.name])[0]),
        )
    return best, confidence


def _sniff(form: Format, path: Path) -> float:
    try:
        return form.sniff(path)
    except (RetinueError, MemoryError):
        raise
    except Exception:  # nor may a stranger's format keep a dataset of another one out
        log.exception("format %s fails to recognise %s", form.NAME, path)
        return 0.0


def why(name: str, confidence: dict[str, float]) -> str:
    """Why a folder is taken for this format, and what else it might be, in words: for whoever may overrule it."""
    formats = all_formats()
    signs = " ".join((getdoc(formats[name].sniff) or "").split())
    others = sorted((c, n) for n, c in confidence.items() if n != name and c >= LOWEST_CONFIDENCE)
    rest = "".join(f" It may also be {formats[n].TITLE} ({c:.0%})." for c, n in reversed(others))
    return f"{formats[name].TITLE} ({confidence[name]:.0%}), which is recognised by: {signs}{rest}"


def read(path: Path, name: str | None = None) -> tuple[str, AnnotationTable, list[Finding]]:
    """Read a folder in the format named, or in the one detected: (format, table, findings).

    Findings are the format's, and what is to be said about shapes of any format.
    """
    name = name or detect(path)[0]
    table, findings = get(name).read(path)
    return name, table, [*findings, *crossings.findings(table)]
