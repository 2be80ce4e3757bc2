"""Secrets: made at the first start, 0600 in a 0700 folder, read from there ever after. There is no default for any."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def private_folder(path: Path) -> Path:
    """The folder, made with mode 0700 if it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def key_file(path: Path, *, length: int = 32) -> Path:
    """The file with a key of `length` random bytes in hexadecimal; made if it is not there, never half-written."""
    private_folder(path.parent)
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(length))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
            os.link(temporary, path)
        temporary.unlink()
    path.chmod(0o600)
    return path


def key(path: Path, *, length: int = 32) -> str:
    """The key itself."""
    return key_file(path, length=length).read_text().strip()
