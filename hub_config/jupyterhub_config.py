"""JupyterHub's configuration file. Started by `python hub_config/start.py`; the parts are in `hub.py`, beside it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hub_config.hub import configure
from hub_config.settings import HubSettings

configure(get_config(), HubSettings())  # type: ignore[name-defined] # JupyterHub puts it here
