"""A package outside the tree that adds a format, built and installed like any other: the example of docs/adding.md."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
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


def environment(folder: Path) -> Path:
    """An environment in an empty folder with the package in it, and with all that is in ours; its packages' folder.

    Other tests, which may run beside, do not meet the package.
    """
    source, made = folder / "source", folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    site = next((made / "lib").glob("python*")) / "site-packages"
    (site / "lent.pth").write_text("\n".join(path for path in sys.path if path and Path(path).is_dir()))
    for name in ("etc", "share", "lib/node_modules"):  # what Jupyter and the hub look for below `sys.prefix`
        (made / name).symlink_to(Path(sys.prefix) / name)
    source.mkdir()
    (source / "pyproject.toml").write_text(PROJECT)
    shutil.copy(EXAMPLE, source / "stranger_labels.py")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", site, source]
    subprocess.run(pip, check=True, capture_output=True)
    return site


def python(site: Path) -> Path:
    """The interpreter of the environment whose packages are there."""
    return site.parents[2] / "bin" / "python"


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
