"""What the tests of formats ask of tables and findings."""

from __future__ import annotations

import contextlib
import json

from hypothesis import HealthCheck, settings

from retinue_sdk.errors import DataError
from retinue_sdk.formats.report import CODES

few = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


def codes(findings):
    """How often each code was found."""
    return {f.code: f.count for f in findings}


def errors(findings):
    """The codes that block, each with its examples."""
    return [(f.code, f.examples) for f in findings if f.severity == "error"]


def attributes(table):
    """What is said of each annotation."""
    return [json.loads(text) if text else {} for text in table.annotations["attributes"]]


def read_safely(form, root):
    """Look at files of any content: there is a table, or an error of the data, and every finding is a known one."""
    form.sniff(root)
    with contextlib.suppress(DataError):
        _, findings = form.read(root)
        assert {f.code for f in findings} <= CODES.keys()
        assert all(len(f.examples) <= 10 for f in findings)
