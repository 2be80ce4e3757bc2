"""What is shipped: one version, wire types as the server has them, files of a readable length."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "extension" / "labextension"


def test_one_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    package = json.loads((LAB / "package.json").read_text())
    assert (package["name"], package["version"]) == ("retinue", version)


def test_wire_types_are_those_of_the_server(tmp_path):
    document = tmp_path / "openapi.json"
    subprocess.run([sys.executable, LAB / "scripts" / "openapi.py", document], check=True)
    source = (LAB / "src" / "schema.ts").read_text()
    for name, schema in json.loads(document.read_text())["components"]["schemas"].items():
        if "properties" in schema:
            block = re.search(rf"^    {name}: \{{\n(.*?)^    \}};", source, re.MULTILINE | re.DOTALL)
            assert block, f"{name} is missing: npm run schema"
            fields = set(re.findall(r"^      (\w+)\??:", block[1], re.MULTILINE))
            assert fields == set(schema["properties"]), f"{name} has changed: npm run schema"
        for value in schema.get("enum", []):
            assert f"'{value}'" in source, f"{name} lacks {value}: npm run schema"


@pytest.mark.parametrize("path", sorted((LAB / "src").glob("*.ts*")), ids=lambda p: p.name)
def test_source_files_are_short(path):
    if path.name != "schema.ts":
        assert len(path.read_text().splitlines()) <= 300


def test_server_extension_is_found():
    import retinue_lab

    points = retinue_lab._jupyter_server_extension_points()
    assert [point["app"].name for point in points] == ["retinue_lab"]
    assert retinue_lab._jupyter_labextension_paths() == [{"src": "labextension", "dest": "retinue"}]
