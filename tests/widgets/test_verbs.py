"""Reading a line of `%retinue`, of the command and of `%%train`: bad input is one readable line."""

import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython

from retinue.magics import RetinueMagics
from retinue.session import Session
from retinue.verbs import parse_parameters
from retinue_sdk.errors import BadRequestError


def test_parameters_are_toml_and_pairs_win():
    parameters = parse_parameters(["epochs=5", "optimizer=adamw", "nesterov=true"], 'epochs = 3\nlr = 1e-3\nname = "x"')
    assert parameters == {"epochs": 5, "lr": 1e-3, "name": "x", "optimizer": "adamw", "nesterov": True}


@pytest.mark.parametrize(("pairs", "text"), [(["epochs"], ""), ([], "epochs 5")])
def test_unreadable_parameters_say_how_to_write_them(pairs, text):
    with pytest.raises(BadRequestError) as caught:
        parse_parameters(pairs, text)
    assert caught.value.problem.code == "parameters_unreadable"


@pytest.fixture
def no_session(monkeypatch):
    monkeypatch.setattr(Session, "_current", None)
    monkeypatch.delenv("RETINUE_URL", raising=False)


def test_the_command_answers_errors_with_one_line_and_status_1(monkeypatch):
    monkeypatch.delenv("RETINUE_URL", raising=False)
    for words in (["nonsense"], ["jobs"], ["train"]):
        done = subprocess.run(
            [sys.executable, "-m", "retinue.cli", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("retinue: ")
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr


def test_magics_answer_errors_with_one_line(no_session):
    magics = RetinueMagics(shell=None)
    assert "platform_not_configured" in repr(magics.retinue("jobs"))
    assert "usage" in repr(magics.retinue("nonsense"))
    assert "No closing quotation" in repr(magics.retinue("upload 'x"))
    assert "platform_not_configured" in repr(magics.train("timm/resnet10t digits", "epochs = 1"))


@pytest.fixture(scope="module")
def shell():
    start_ipython()
    return InteractiveShell.instance()


def test_the_extension_registers_both_magics(shell):
    shell.run_line_magic("load_ext", "retinue")
    assert "retinue" in shell.magics_manager.magics["line"]
    assert "train" in shell.magics_manager.magics["cell"]


def test_an_error_in_a_plain_cell_is_one_line_too(shell, monkeypatch, capsys):
    monkeypatch.setattr(Session, "_current", None)
    monkeypatch.delenv("RETINUE_URL", raising=False)
    shell.run_cell("import retinue; retinue.connect('cells')")
    said = capsys.readouterr()
    assert "platform_not_configured" in said.out + said.err
    assert "Traceback" not in said.out + said.err
