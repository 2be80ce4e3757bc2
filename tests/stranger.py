"""A package outside the tree that adds a format, built and installed like any other: the example of docs/adding.md."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

EXAMPLE = Path(__file__).parent / "formats" / "labels_csv.py"
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "stranger"
version = "1.0"
[project.entry-points."retinue.formats"]
labels_csv = "stranger_labels"
[tool.setuptools]
py-modules = ["stranger_labels"]
"""


def install(source: Path, *options: object) -> None:
    """Write the package into an empty folder and install it, here or where the options say."""
    (source / "pyproject.toml").write_text(PROJECT)
    shutil.copy(EXAMPLE, source / "stranger_labels.py")
    _pip("install", "--no-deps", "--no-build-isolation", *options, source)


@contextlib.contextmanager
def installed(source: Path) -> Iterator[None]:
    """The package in this environment, as an administrator installs it, until the block is left."""
    install(source)
    try:
        yield
    finally:
        _pip("uninstall", "--yes", "stranger")


def _pip(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "pip", *map(str, words)], check=True, capture_output=True)


def dataset() -> dict[str, bytes]:
    """Six images of two classes in that format, by the names of the files."""
    found, lines = {}, ["image,class"]
    for number in range(6):
        image = io.BytesIO()
        Image.new("RGB", (20, 12), (40 * number, 0, 0)).save(image, "PNG")
        found[f"{number}.png"] = image.getvalue()
        lines.append(f"{number}.png,{'dark' if number < 3 else 'red'}")
    return found | {"labels.csv": ("\n".join(lines) + "\n").encode()}


def packed(files: dict[str, bytes]) -> bytes:
    """As a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
