"""What a trainer sends of a run directory: lines and text while they grow, files with Range, folders as tar.

A followed stream costs a look at the file's size 20 times a second and no thread.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path, PurePosixPath

from fastapi.responses import FileResponse, Response, StreamingResponse

from retinue_sdk.errors import NotFoundError
from retinue_sdk.follow import CHUNK, POLL_SECONDS, Tail
from retinue_sdk.http import StreamEndedError
from retinue_sdk.names import printable

KEEP_ALIVE_SECONDS = 5.0
_NO_SUCH = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES}
_SHARED = ("checkpoints", "artifacts")  # the rest of a run directory holds requests and datasets


async def lines(
    run_dir: Path, name: str, after: int, follow: asyncio.Event | None, keep_alive: float = KEEP_ALIVE_SECONDS
) -> AsyncIterator[bytes]:
    """Lines of a file with seq > `after`. With `follow`, until the attempt is over, or the event cuts it short."""
    tail = Tail(run_dir / name, after)
    quiet_since = time.monotonic()
    while True:
        over = follow is None or (run_dir / "done.json").exists()
        if tail.has_more() and (block := tail.read()):
            yield block
            quiet_since = time.monotonic()
            continue
        if over:
            return
        if time.monotonic() - quiet_since > keep_alive:
            yield b"\n"
            quiet_since = time.monotonic()
        await _pause(follow)


async def text(run_dir: Path, after: int, follow: asyncio.Event | None) -> AsyncIterator[bytes]:
    """The log from a byte offset. With `follow`, until the attempt is over, or the event cuts it short."""
    offset = after
    while True:
        over = follow is None or (run_dir / "done.json").exists()
        block = _read(run_dir / "log.txt", offset)
        if block:
            offset += len(block)
            yield block
        elif over:
            return
        else:
            await _pause(follow)


async def _pause(follow: asyncio.Event | None) -> None:
    if follow is not None and follow.is_set():
        raise StreamEndedError("the service stops")
    await asyncio.sleep(POLL_SECONDS)


def _read(path: Path, offset: int) -> bytes:
    try:
        if path.stat().st_size <= offset:
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK)
    except FileNotFoundError:
        return b""


def artifact(run_dir: Path, path: str) -> Response:
    """A regular file of an attempt, or a folder as tar. Links that leave the run directory are not followed."""
    real = _find(run_dir.resolve(), path)
    if real is None:
        raise NotFoundError(
            "There is no such artifact.",
            hint="Ask for a file or folder that the job lists; pipes and other special files are not given.",
            where=printable(path, 200),
        )
    if real.is_dir():
        headers = {"Content-Disposition": f'attachment; filename="{_plain(real.name)}.tar"'}
        return StreamingResponse(_tar(real), media_type="application/x-tar", headers=headers)
    return FileResponse(real, media_type="application/octet-stream", filename=PurePosixPath(path).name)


def _find(root: Path, path: str) -> Path | None:
    """The regular file or folder that may be given under this name; opening anything else could wait for ever."""
    try:
        real = Path(os.path.realpath(root / path, strict=True))  # Path.resolve has its own error for links in a circle
        mode = real.stat().st_mode
    except ValueError:  # a NUL
        return None
    except OSError as error:
        if error.errno in _NO_SUCH:
            return None
        raise
    parts = real.relative_to(root).parts if real.is_relative_to(root) else ()
    shared = parts[:1] in [(name,) for name in _SHARED] and not any(part.startswith(".") for part in parts)
    readable = (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and os.access(real, os.R_OK)
    return real if shared and readable else None


def _plain(name: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)


def _tar(folder: Path) -> Iterator[bytes]:
    """The folder's files as an uncompressed tar stream that never holds more than a piece of a file."""
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        info = tarfile.TarInfo(str(file.relative_to(folder.parent)))  # unpacks into a folder of its name
        status = file.stat()
        info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), 0o644
        yield info.tobuf(tarfile.PAX_FORMAT)
        left = info.size
        with file.open("rb") as source:
            while left and (block := source.read(min(left, CHUNK))):
                left -= len(block)
                yield block
        yield bytes(left + -info.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
