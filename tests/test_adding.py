"""docs/adding.md, tried: a format from a package outside the tree, and a trainer of one's own."""

import sys

import pytest
from PIL import Image

from retinue_sdk import formats
from retinue_sdk.errors import DataError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed distribution that names a format in our entry point group."""
    info = tmp_path / "site" / "stranger-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[retinue.formats]\nlabels_csv = tests.formats.labels_csv\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    lines = ["image,class"]
    for number in range(6):
        Image.new("RGB", (20, 12), (40 * number, 0, 0)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{'dark' if number < 3 else 'red'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_strangers_format_is_detected_read_and_written(package, dataset, tmp_path):
    name, table, findings = formats.read(dataset)
    assert (name, list(table.classes), len(table.images), findings) == ("labels_csv", ["dark", "red"], 6, [])
    out = tmp_path / "out"
    out.mkdir()
    assert formats.get("labels_csv").write(table, out) == []
    again = formats.read(out)[1]
    assert again.labels().tolist() == table.labels().tolist()


def test_without_the_package_the_format_is_unknown_and_the_known_ones_are_named(dataset):
    with pytest.raises(DataError) as caught:
        formats.get("labels_csv")
    assert "pascal_voc" in str(caught.value)
