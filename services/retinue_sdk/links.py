"""Symbolic links to the images of a job's view."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from retinue_sdk.files import entered

if TYPE_CHECKING:
    from retinue_sdk.table import AnnotationTable

AT_ONCE = 4  # the kernel lets one new entry at a time into a folder, but fills several beside each other


def link(table: AnnotationTable, places: Mapping[Path, Sequence[int]]) -> dict[Path, list[str]]:
    """Make one symbolic link per image: in each flat folder those of its rows. Returns their names in the same order.

    Names keep their suffix and no two of a table's images share a name or a stem. Files are linked, never folders: a
    framework that repairs an image then replaces the link, not the file. No hard links: through one, the file can be
    written and its mode changed even where the store is mounted read-only. OSError says what could not be linked.
    """
    names = {folder: [table.file_names[row] for row in rows] for folder, rows in places.items()}
    paths = table.images["path"].to_numpy(dtype=object)
    files = [paths[list(rows)] for rows in places.values()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(_fill, here=Path.cwd()), names, names.values(), files))
    return names


def _fill(folder: Path, names: Sequence[str], files: Sequence[str], here: Path) -> None:
    with entered(folder) as place:
        for name, file in zip(names, files, strict=True):
            os.symlink(file if file[:1] == "/" else f"{here}/{file}", name, dir_fd=place)
