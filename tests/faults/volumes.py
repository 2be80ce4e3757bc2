"""Small volumes to be filled: tmpfs mounts that only this process and its children see, gone with them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

UNSHARE = ["unshare", "--map-root-user", "--mount", "--propagation", "private"]


def allowed() -> bool:
    """Whether this machine lets us mount something for ourselves."""
    command = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        shutil.which("unshare") is not None and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def alone(module: str, *arguments: str) -> str:
    """Run a module of the tests where it may mount; what it has printed."""
    if not allowed():
        raise SystemExit("No mount is allowed here: run this as root, or where user namespaces are allowed.")
    command = [*UNSHARE, sys.executable, "-W", "ignore", "-m", module, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


class Volume:
    """A mount of so many bytes."""

    def __init__(self, place: Path, size: int) -> None:
        self.place, self._filler = place, place / ".filler"
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.place).free

    def fill(self, left: int = 0) -> None:
        """Take all but so many bytes, in whole pages."""
        handle = os.open(self._filler, os.O_CREAT | os.O_WRONLY)
        try:
            while (more := self.free - left) >= 4096:
                with contextlib.suppress(OSError):  # somebody else was faster
                    os.posix_fallocate(handle, os.fstat(handle).st_size, min(more, 1 << 20))  # fails as a whole
        finally:
            os.close(handle)

    def make_room(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "-l", str(self.place)], check=True)
