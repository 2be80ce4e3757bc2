"""Makes the store read-only for one training, whoever owns its files: a mount namespace of its own. Linux, light imports.

The mode of a file stops nobody who owns it, and root not at all. A read-only mount stops writing, truncating, chmod and the
rest, however the file is reached. It takes root, or user namespaces; where there are neither, modes are all there is.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_BIND, _RECURSIVE, _SLAVE = 0x1000, 0x4000, 0x80000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = 442, -100, 0x8000, 1  # the same on every architecture


def folders(spec: dict[str, Any], run_dir: Path) -> list[Path]:
    """The store's folders of versions and of blobs that a request reads. None that the run directory lies in."""
    dataset = spec.get("dataset") or {}
    if dataset.get("kind") != "manifest":
        return []
    version, blobs = (Path(unquote(urlsplit(dataset[name]).path)) for name in ("url", "blobs"))
    found = [version.parent, Path(str(blobs).partition("{")[0])]
    return [path for path in found if path.is_dir() and not run_dir.is_relative_to(path.resolve())]


def enter(paths: Sequence[Path]) -> bool:
    """Make folders read-only for this process, which has one thread, and for its children. False where that is not allowed.

    It is tried in a child first: a process that got a user namespace but no mounts would be nobody.
    """
    if not paths:
        return False
    child = os.fork()
    if child == 0:
        done = False
        with suppress(Exception):
            done = _enter(paths)
        os._exit(0 if done else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and _enter(paths)


def _enter(paths: Sequence[Path]) -> bool:
    libc = ctypes.CDLL(None)
    user, group = os.geteuid(), os.getegid()
    # root keeps its own user namespace: in another one the files of other users would be closed to it
    if libc.unshare(_NEWNS if user == 0 else _NEWNS | _NEWUSER) != 0:
        return False
    if user != 0:
        for name, content in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path("/proc/self", name).write_bytes(content.encode())
    if libc.mount(None, b"/", None, ctypes.c_ulong(_RECURSIVE | _SLAVE), None) != 0:  # nothing of ours gets out
        return False
    return all(_read_only(libc, os.fsencode(path)) for path in paths)


def _read_only(libc: ctypes.CDLL, path: bytes) -> bool:
    # struct mount_attr: what to set, what to clear, propagation, a user namespace
    attributes = (ctypes.c_uint64 * 4)(_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    if libc.mount(path, path, None, ctypes.c_ulong(_BIND | _RECURSIVE), None) != 0:
        return False
    return bool(libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, attributes, size) == 0)
