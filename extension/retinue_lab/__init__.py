"""The Jupyter server extension: passes the browser through to the platform. A client, never a policy point."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server what to load."""
    from retinue_lab.app import RetinueLab  # noqa: PLC0415 - importing retinue_lab must not import Jupyter Server

    return [{"module": "retinue_lab", "app": RetinueLab}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the built front end is."""
    return [{"src": "labextension", "dest": "retinue"}]
