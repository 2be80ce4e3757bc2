"""What the tests of the SDK share."""

from __future__ import annotations

import pytest

from tests.sdk.drawn import draw


@pytest.fixture
def pictures(tmp_path):
    """Three encoded images."""
    return [draw(tmp_path / "drawn" / f"{i}.png", shade=i).read_bytes() for i in range(3)]
