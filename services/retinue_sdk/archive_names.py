"""Names in archives: which are safe, which files a dataset is made of, which are left out, which are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from retinue_sdk.errors import DataError
from retinue_sdk.file_types import ARCHIVES, REFUSED, SUFFIXES, TABLES, TEXTS
from retinue_sdk.names import is_hidden, printable


@dataclass(frozen=True)
class Ignored:
    """A file that is left out, and why."""

    reason: str


def safe_parts(name: str, depth: int, *, folder: bool = False) -> tuple[str, ...]:
    """The folders and the file of a member, if it leads nowhere but below. Only a folder may be the root itself."""
    unified = name.replace("\\", "/")
    where = printable(name)
    if unified.startswith("/") or re.match(r"[A-Za-z]:", unified) or ".." in unified.split("/"):
        raise DataError(
            "A name in the archive leads outside.",
            code="archive_path_escapes",
            hint="Pack the folder with relative names.",
            where=where,
        )
    parts = PurePosixPath(unified).parts
    bad = (
        not (parts or folder)
        or len(parts) > depth
        or any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts)
        or any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in unified)
    )
    if bad:
        raise DataError(
            "A name in the archive cannot be used.",
            code="archive_bad_name",
            hint=f"Names have at most 255 bytes, {depth} folders and no control characters.",
            where=where,
        )
    return parts


def file_kind(name: str, parts: tuple[str, ...] = ()) -> str | Ignored:
    """`image`, `table` or `text`, or why the file is left out; what must not be in a dataset is refused."""
    suffix = PurePosixPath(name).suffix.lower()
    if any(map(is_hidden, parts)):
        return Ignored("hidden")
    if suffix in REFUSED:
        raise DataError(
            f"Files of the type {suffix} are not allowed in a dataset.",
            code="file_type_not_allowed",
            hint="Remove it: such files can run code when they are loaded.",
            where=printable(name),
        )
    if suffix in ARCHIVES:
        raise DataError(
            "The archive holds another archive; the limit is one level.",
            code="archive_too_large",
            hint="Unpack the inner one, or upload it as a dataset of its own.",
            where=printable(name),
        )
    if suffix in SUFFIXES:
        return "image"
    if suffix in TABLES:
        return "table"
    return "text" if suffix in TEXTS else Ignored("of no use in a dataset")
