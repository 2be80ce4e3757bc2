"""What all formats share about files: finding the dataset's root, listing it, measuring images, naming and placing copies."""

from __future__ import annotations

import os
import shutil
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from retinue_sdk.errors import DataError
from retinue_sdk.file_types import SUFFIXES
from retinue_sdk.formats.report import Report
from retinue_sdk.names import is_hidden, printable, same_form

# Only raster decoders of long standing: a file never reaches another one, whatever its name is.
RASTERS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_PIXELS = 100_000_000
SMALLEST_SIDE = 10
ORIENTATION = 0x0112
SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
STRUCTURE = {
    "images", "labels", "annotations", "jpegimages", "imagesets", "masks", "leftimg8bit", "gtfine", "labeltxt",
    "image_2", "label_2",
}  # fmt: skip
# what the decoders raise for files that are damaged on purpose
UNREADABLE = (
    OSError, ValueError, SyntaxError, UnidentifiedImageError, OverflowError, TypeError, IndexError, KeyError, EOFError,
    struct.error, zlib.error, MemoryError,  # for a chunk that claims to be gigabytes long
)  # fmt: skip

_LISTED: ContextVar[dict[Path, list[str]] | None] = ContextVar("listed", default=None)

StrPath = str | os.PathLike[str]
Place = Callable[[StrPath, StrPath], None]


def is_image(name: str) -> bool:
    """Whether the suffix is that of an image we read."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - called once per file; Path costs ten times as much


@contextmanager
def listed_once() -> Iterator[None]:
    """Within it each folder is listed once: all formats look at the same files, one after the other."""
    token = _LISTED.set({})
    try:
        yield
    finally:
        _LISTED.reset(token)


def list_files(root: Path) -> list[str]:
    """All visible files below root as sorted relative paths; linked folders are not entered."""
    known = _LISTED.get()
    if known is None:
        return _walk(root)
    if root not in known:
        known[root] = _walk(root)
    return list(known[root])


def _walk(root: Path) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        _check_names([folder, *folders, *names])
        folders[:] = sorted(f for f in folders if not is_hidden(f))
        base = Path(folder).relative_to(root).as_posix()
        prefix = "" if base == "." else f"{base}/"
        found += [prefix + name for name in names if not is_hidden(name)]
    return sorted(found)


def _check_names(names: list[str]) -> None:
    """Refuse a name that is no text: neither a table nor a report could hold it."""
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        name = next(name for name in names if any("\ud800" <= c < "\ue000" for c in name))
        raise DataError(
            "The name of a file or a folder is not UTF-8.",
            code="file_name_invalid",
            hint="Rename it.",
            where=printable(os.fsencode(name).decode(errors="backslashreplace")),
        ) from None


def dataset_root(path: Path) -> Path:
    """The folder the dataset begins in: archives often wrap it in one folder, which means nothing."""
    while True:
        entries = [e for e in path.iterdir() if not is_hidden(e.name)]
        if len(entries) != 1 or not entries[0].is_dir() or entries[0].is_symlink():
            return path
        only = entries[0]
        if only.name.lower() in SPLITS.keys() | STRUCTURE or not any(
            e.is_dir() or e.suffix in {".yaml", ".yml"} for e in only.iterdir()
        ):
            return path
        path = only


@dataclass
class Measured:
    """Images that can be read: the columns of a table's `images`."""

    key: list[str]
    path: list[str]
    width: list[int]
    height: list[int]

    def columns(self) -> dict[str, list[str] | list[int]]:
        """The columns, for `make_table`."""
        return {"key": self.key, "path": self.path, "width": self.width, "height": self.height}


def measure(root: Path, keys: Iterable[str], report: Report) -> Measured:
    """Read every image's size from its header; what cannot be read is reported and left out."""
    return measure_files(((key, root / key) for key in keys), root.name, report)


def measure_files(images: Iterable[tuple[str, Path]], where: str, report: Report) -> Measured:
    """The same for images (key, file) that lie anywhere; `where` names the dataset."""
    measured = Measured([], [], [], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
        for key, path in images:
            size = _size(path, key, report)
            if size is not None:
                measured.key.append(key)
                measured.path.append(str(path))
                measured.width.append(size[0])
                measured.height.append(size[1])
    if not measured.key:
        report.add("dataset_empty", where)
    return measured


def _size(path: Path, key: str, report: Report) -> tuple[int, int] | None:
    try:
        with Image.open(path, formats=RASTERS) as image:
            width, height = image.size
            rotated = (
                image.format in {"JPEG", "MPO"}
                and "exif" in image.info
                and image.getexif().get(ORIENTATION) in {5, 6, 7, 8}
            )
            kind = image.format
    except Image.DecompressionBombError:
        report.add("image_too_large", key)
        return None
    except UNREADABLE as error:
        report.add("image_unreadable", key, "" if isinstance(error, UnidentifiedImageError) else error)
        return None
    if width * height > MAX_PIXELS:
        report.add("image_too_large", key, f"{width} x {height}")
        return None
    if kind not in SUFFIXES[path.suffix.lower()]:
        report.add("image_format_mismatch", key, kind)
    if min(width, height) < SMALLEST_SIDE:
        report.add("image_too_small", key, f"{width} x {height}")
    if rotated:
        report.add("image_rotated", key)
        return height, width
    return width, height


def check_class_names(names: Sequence[str], where: str, report: Report) -> list[str]:
    """Report names that cannot stand; the answer has usable, distinct names so that reading can go on."""
    seen: dict[str, str] = {}
    taken: set[str] = set()
    usable: list[str] = []
    for position, name in enumerate(names):
        if not name.strip() or len(name) > 200 or not name.isprintable():
            report.add("class_name_invalid", where, name or f"class {position}")
        known = seen.setdefault(same_form(name), name)
        if name in taken:
            report.add("class_name_duplicate", where, name)
        elif known != name:
            report.add("class_name_similar", where, f"{known}, {name}")
        unique = name
        while unique in taken:  # also where the data has a class called so
            unique = f"{unique} #{position}"
        taken.add(unique)
        usable.append(unique)
    return usable


def copy(source: StrPath, target: StrPath) -> None:
    """Place a copy of an image: what an export does."""
    shutil.copyfile(source, target)


def symlink(source: StrPath, target: StrPath) -> None:
    """Place a link to an image: what the folder of an export has before it is packed."""
    Path(target).symlink_to(Path(source).resolve())


def by_split(keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each key with the split that one of its folders names, or an empty one."""
    for key in keys:
        folders = PurePosixPath(key).parts[:-1]
        yield key, next((SPLITS[f.lower()] for f in folders if f.lower() in SPLITS), "")
