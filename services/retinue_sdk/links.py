"""Symbolic links to the images of a job's view, made by a process beside the caller where there are many.

``python -m retinue_sdk.links FOLDER`` is that process: it takes names and targets from standard input, each ended by a NUL.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from retinue_sdk.files import entered

if TYPE_CHECKING:
    from retinue_sdk.table import AnnotationTable

MANY = 10_000  # fewer are made sooner than a process starts


def link(table: AnnotationTable, rows: Sequence[int], folder: Path) -> list[str]:
    """Make one symbolic link per image in a flat folder and return their names in the order of `rows`.

    Names keep their suffix and no two of a table's images share a name or a stem. Files are linked, never folders: a
    framework that repairs an image then replaces the link, not the file. No hard links: through one, the file can be
    written and its mode changed even where the store is mounted read-only.
    """
    names, pairs = _pairs(table, rows)
    _make(pairs, folder)
    return names


@contextmanager
def linking(table: AnnotationTable, rows: Sequence[int], folder: Path) -> Iterator[list[str]]:
    """`link`, beside what the caller does meanwhile: all links are there when this ends. OSError says why one is not."""
    if len(rows) < MANY:
        yield link(table, rows, folder)
        return
    names, pairs = _pairs(table, rows)
    with tempfile.TemporaryFile() as source:
        source.write(b"".join(part + b"\0" for part in pairs))
        source.seek(0)
        # -P: the folder this runs in must not bring modules along
        command = [sys.executable, "-P", "-m", "retinue_sdk.links", str(folder)]
        child = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE)
    with child:
        try:
            yield names
        except BaseException:
            child.kill()
            raise
        answer, _ = child.communicate()
    if answer:
        number = int(answer)
        raise OSError(number, os.strerror(number), str(folder))
    if child.returncode:
        raise ChildProcessError(f"The process that makes links in {folder} ended with {child.returncode}.")


def _pairs(table: AnnotationTable, rows: Sequence[int]) -> tuple[list[str], list[bytes]]:
    names = [table.file_names[row] for row in rows]
    here = Path.cwd()  # of a path that is not absolute
    files = (os.path.join(here, file) for file in table.images["path"].iloc[list(rows)])  # noqa: PTH118 - once per image
    return names, [os.fsencode(part) for pair in zip(names, files, strict=True) for part in pair]


def _make(pairs: Sequence[bytes], folder: Path) -> None:
    with entered(folder) as place:
        for name, file in zip(pairs[::2], pairs[1::2], strict=True):
            os.symlink(file, name, dir_fd=place)


def main() -> None:
    """Make the links; on standard output goes the number of an error of the system, and nothing otherwise."""
    *pairs, _ = sys.stdin.buffer.read().split(b"\0")
    try:
        _make(pairs, Path(sys.argv[1]))
    except OSError as error:
        sys.stdout.write(str(error.errno))


if __name__ == "__main__":
    main()
