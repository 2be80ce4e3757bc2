"""Copies a dataset from a place that the operator opens: an object store, through fsspec, or a folder of this machine.

What is copied is checked as an archive is: everything before a byte is written. Credentials are the operator's (its
environment, or the options of a `Source`), never a request's; without any, a store is asked as an anonymous.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from retinue_sdk.api import Finding
from retinue_sdk.archive import unpack
from retinue_sdk.archive_member import Kind, Limits, Member, Progress, Read, special, too_large
from retinue_sdk.archive_names import safe_parts
from retinue_sdk.archive_plan import make_plan, write
from retinue_sdk.disk import FULL, appearing, check_room
from retinue_sdk.elsewhere import changed
from retinue_sdk.errors import ForbiddenError, NotFoundError, RetinueError, UnavailableError
from retinue_sdk.formats.hf_sources import from_hub
from retinue_sdk.formats.report import Report
from retinue_sdk.names import printable
from retinue_sdk.places import ANONYMOUS, HUB, Source, find_source

THREADS = 16  # small files wait for answers, not for the line
BATCH = 512
REFUSED = (401, 403)


def copy_from(
    url: str, folder: Path, sources: Sequence[Source], limits: Limits | None = None, progress: Progress | None = None
) -> tuple[Path, list[Finding]]:
    """Copy what is below `url` into `folder`, which appears when all is in it; a single file is unpacked as an archive."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as spool:
        brought = bring(url, Path(spool) / "files", sources, limits, progress)
        if brought.path.is_dir():
            brought.path.rename(folder)
            return folder, brought.findings
        return unpack(brought.path, folder, limits)


@dataclass(frozen=True)
class Brought:
    """What was copied: a folder, or a file when the URL is that of one."""

    path: Path
    findings: list[Finding]
    urls: dict[str, str]  # of each file of a folder that can be asked for again, by its path here


def bring(
    url: str, folder: Path, sources: Sequence[Source], limits: Limits | None = None, progress: Progress | None = None
) -> Brought:
    """The same with a single file left as it is, under its own name in `folder`."""
    url = url.rstrip("/")
    source = find_source(url, sources)
    limits, tell = limits or Limits(), progress or (lambda _: None)
    if url.startswith(HUB):
        return Brought(_from_hub(url, source, folder, limits), [], {})
    with _failures(url):
        found = _local(url, source) if url.startswith("file://") else _stored(url, source)
        members = list(islice(found, limits.members + 1))
        if [member.name for member in members] == [""]:
            return Brought(_single(members[0], url, folder, limits, tell), [], {})
        findings, places = _copied(members, folder, limits, tell)
        urls = {str(folder / path): f"{url}/{name}" for path, name in places}
        return Brought(folder, findings, {path: url for path, url in urls.items() if url.isprintable()})


def _from_hub(url: str, source: Source, folder: Path, limits: Limits) -> Path:
    repo, _, revision = url.removeprefix(HUB).partition("@")
    with appearing(folder) as place:
        from_hub(repo, place, revision or None, limits=limits, **{**ANONYMOUS["hf"], **source.options})
    return folder


class Opener:
    """Reads objects by their URL, each as it was when its size was `size`."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._stores: dict[str, Any] = {}

    @contextmanager
    def reading(self, url: str, size: int) -> Iterator[Read]:
        """The bytes of an object, in pieces. Raises ConflictError `source_changed` when it is gone."""
        source = find_source(url, self._sources)
        try:
            with _failures(url), self._opened(url, size, source) as read:
                yield read
        except NotFoundError as error:
            raise changed(url) from error

    def _opened(self, url: str, size: int, source: Source) -> AbstractContextManager[Read]:
        scheme, _, path = url.partition("://")
        if scheme == "file":
            root = Path(source.url.removeprefix("file://")).resolve()
            return _opened(Path(path), root)
        if source.url not in self._stores:
            self._stores[source.url] = _file_system(source)
        return _reading(self._stores[source.url].cat_file, path, size)


def _copied(
    members: list[Member], folder: Path, limits: Limits, tell: Progress
) -> tuple[list[Finding], list[tuple[str, str]]]:
    """What was left out, and each file's path below the folder with its name at the place."""
    report = Report()
    plan = make_plan(members, None, limits, report)
    check_room(folder.parent, plan.room)
    wanted = iter(plan.places.items())
    with appearing(folder, plan.room) as place, ThreadPoolExecutor(THREADS) as pool:
        done = 0
        while batch := list(islice(wanted, BATCH)):
            list(pool.map(lambda entry: write(members[entry[0]], place / entry[1]), batch))
            done += sum(members[position].size for position, _ in batch)
            tell(done / plan.total if plan.total else 1.0)
    return report.findings(), [(path, members[position].name) for position, path in plan.places.items()]


def _single(member: Member, url: str, folder: Path, limits: Limits, tell: Progress) -> Path:
    if member.size > limits.total_bytes:
        raise too_large(f"{member.size} bytes; the limit is {limits.total_bytes}")
    (name,) = safe_parts(url.rpartition("/")[2], 1)
    check_room(folder.parent, member.size)
    with appearing(folder) as place:
        write(member, place / name, lambda done: tell(done / member.size))
    return folder / name


def _stored(url: str, source: Source) -> Iterator[Member]:
    """The files below a URL of an object store; one without a name if it is itself a file."""
    path = url.partition("://")[2]
    store = _file_system(source)
    found = store.find(path, detail=True)
    if isinstance(found, list):  # from Azure's driver, when there is a file
        found = {path: store.info(path) for path in found}
    if not found:
        raise FileNotFoundError(url)
    for key, entry in found.items():
        name = key.removeprefix("/").removeprefix(path).removeprefix("/")
        size, folder = int(entry["size"] or 0), key.endswith("/")
        yield Member(name, size, "folder" if folder else "file", partial(_reading, store.cat_file, key, size))


def _file_system(source: Source) -> Any:
    import fsspec  # noqa: PLC0415 - an extra of its own, and so are its drivers

    scheme = source.url.partition("://")[0]
    options = {**ANONYMOUS[scheme], **source.options, "skip_instance_cache": True, "use_listings_cache": False}
    return fsspec.filesystem(scheme, **options)


@contextmanager
def _reading(get: Callable[..., bytes], key: str, size: int) -> Iterator[Read]:
    """Read by ranges, which is one request for a small file; a store answers one that begins at the end with an error."""
    place = 0

    def read(count: int) -> bytes:
        nonlocal place
        if place >= size:
            return b""
        part = get(key, start=place, end=place + count)
        place = place + len(part) if len(part) == count else size
        return part

    yield read


def _local(url: str, source: Source) -> Iterator[Member]:
    """The files below a folder of this machine. A link may lead to a file, if that is in the operator's folder too."""
    root = Path(source.url.removeprefix("file://")).resolve()
    top = Path(url.removeprefix("file://"))
    if not top.resolve().is_relative_to(root):
        raise special(url)
    if top.is_file():
        yield _local_member(top, "", root)
    elif not top.is_dir():
        raise FileNotFoundError(url)
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names) + [f for f in folders if (Path(folder) / f).is_symlink()]:
            path = Path(folder) / name
            yield _local_member(path, path.relative_to(top).as_posix(), root)


def _local_member(path: Path, name: str, root: Path) -> Member:
    try:
        found = path.stat()
    except OSError:  # a link to nowhere, or to itself
        raise special(name) from None
    kind: Kind = "file" if stat.S_ISREG(found.st_mode) and path.resolve().is_relative_to(root) else "special"
    return Member(name, found.st_size, kind, partial(_opened, path, root))


@contextmanager
def _opened(path: Path, root: Path) -> Iterator[Read]:
    """Others may write there: what was opened has to be the file that the path leads to, below the root."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        real, opened = path.resolve(), os.fstat(handle)
        below = real.is_relative_to(root) and os.path.samestat(opened, real.lstat())
        if not below or not stat.S_ISREG(opened.st_mode):
            raise special(path.name)
        yield stream.read


@contextmanager
def _failures(url: str) -> Iterator[None]:
    where = printable(url, 200)
    try:
        yield
    except RetinueError:
        raise
    except FileNotFoundError as error:
        raise NotFoundError(
            "There is nothing at this place.",
            code="source_not_found",
            hint="Check the spelling of the URL, upper and lower case too.",
            where=where,
        ) from error
    except ImportError as error:
        raise UnavailableError(
            "The driver of this kind of place is not installed.",
            code="source_driver_missing",
            hint="Ask your administrator to install retinue[remote], retinue[gcs] or retinue[azure] for the platform.",
            where=where,
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        if isinstance(error, PermissionError) or _status(error) in REFUSED:
            raise ForbiddenError(
                "The place does not let us read it.",
                code="source_forbidden",
                hint="Make it public, or ask your administrator to give the platform credentials for it.",
                where=where,
            ) from error
        raise UnavailableError(
            f"The place cannot be read ({type(error).__name__}).",
            code="source_failed",
            hint="Check the URL; if it is right, ask your administrator whether the platform can reach it.",
            where=where,
        ) from error


def _status(error: Exception) -> int | None:
    """The HTTP status behind an error of gcsfs (`code`) or of Azure's library (`status_code`)."""
    status: int | None = getattr(error, "status_code", getattr(error, "code", None))
    return status
