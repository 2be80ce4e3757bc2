"""A wheel of the tree, installed in a fresh environment, gives the same extension, widget, formats and services."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A fresh environment with the wheel; the libraries it needs are lent by ours."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin/python",
        "install",
        "-q",
        "--no-deps",
        "--ignore-installed",
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True)
    return folder


def said(environment, *command):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER", "RETINUE"))}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=environment, env=clean)
    return done.stdout + done.stderr


def test_every_package_and_bundle_is_in_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    data = f"retinue-{PROJECT['version']}.data/data"
    for expected in (
        "retinue/static/chart.js",
        "retinue_platform/migrations/versions/0001_first_tables.py",
        f"{data}/share/jupyter/labextensions/retinue/package.json",
        f"{data}/etc/jupyter/jupyter_server_config.d/retinue_lab.json",
    ):
        assert expected in names
    assert not [name for name in names if "node_modules" in name or name.endswith(".pyc") or name.startswith("tests/")]


def test_python_comes_from_the_wheel(environment):
    code = "import retinue, retinue_sdk, retinue_lab, retinue_platform, retinue_timm; print(retinue.__file__)"
    assert said(environment, environment / "bin/python", "-c", code).startswith(str(environment))


def test_jupyter_finds_both_extensions(environment):
    python = environment / "bin/python"
    server = "import sys; from jupyter_server.extension.serverextension import main; sys.argv = ['x', 'list']; main()"
    assert "retinue_lab" in said(environment, python, "-c", server)
    lab = "from jupyterlab.labextensions import main; main(['list'])"
    listed = said(environment, python, "-c", lab)
    assert f"retinue v{PROJECT['version']}" in listed
    assert str(environment) in listed
    installed = environment / "share/jupyter/labextensions/retinue/package.json"
    assert json.loads(installed.read_text())["version"] == PROJECT["version"]


def test_formats_and_commands_are_the_same(environment):
    code = "from retinue_sdk.formats import all_formats; print(sorted(all_formats()))"
    assert said(environment, environment / "bin/python", "-c", code).strip() == str(
        sorted(PROJECT["entry-points"]["retinue.formats"])
    )
    for command in ("retinue", "retinue-timm", "retinue-huggingface", "retinue-ultralytics"):
        assert "usage" in said(environment, environment / "bin" / command, "--help")
    assert set(PROJECT["scripts"]) <= {path.name for path in (environment / "bin").iterdir()}
