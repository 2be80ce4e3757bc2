"""The demo's end when something is wrong; that it works is what `make demo` shows."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hub_config.processes import belonging
from hub_config.session import free_ports
from hub_config.settings import HERE

from tests.conftest import marks_of


@pytest.mark.hub
@pytest.mark.timeout(600)
def test_a_file_that_is_no_dataset_ends_the_demo_with_the_reason(tmp_path):
    bad, data = tmp_path / "bad.zip", tmp_path / "data"
    bad.write_bytes(b"this is no archive")
    environment = os.environ | {"RETINUE_DATA": str(data), "RETINUE_PORT": str(free_ports(31_800))}
    command = [sys.executable, str(HERE / "demo.py"), "--data", str(bad)]
    demo = subprocess.run(
        command, check=False, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert demo.returncode == 1
    assert "The demo failed" in demo.stderr
    assert "archive" in demo.stderr
    assert "Traceback" not in demo.stderr + demo.stdout
    assert belonging(marks_of(SimpleNamespace(data=data)), descendants=False) == []
