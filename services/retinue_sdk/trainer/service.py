"""Serving a trainer: `serve(FRAMEWORK)` is the whole of a trainer package's command."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from pydantic import ValidationError

from retinue_sdk.trainer.app import make_app
from retinue_sdk.trainer.framework import Framework
from retinue_sdk.trainer.settings import TrainerSettings


class Server(uvicorn.Server):
    """uvicorn, cutting followed streams short when it is told to stop: they would keep it for as long as a training."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop."""
        application: Any = self.config.app
        application.state.trainer.stopping.set()
        super().handle_exit(sig, frame)


def serve(framework: Framework, arguments: list[str] | None = None) -> None:
    """Run the service until it is told to stop."""
    settings = _settings(framework, sys.argv[1:] if arguments is None else arguments)
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = make_app(framework, settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=30,
    )
    logging.getLogger("retinue").info("trainer %s on %s:%d", framework.name, settings.host, settings.port)
    Server(config).run()


def _settings(framework: Framework, arguments: list[str]) -> TrainerSettings:
    """Settings from the environment, with the command line's on top. A mistake in them is one readable line."""
    parser = argparse.ArgumentParser(
        prog=f"retinue-{framework.name}",
        description=f"Trains {framework.name} models ({framework.licence}) on request, over HTTP.",
        epilog="Every option has an environment variable: RETINUE_TRAINER_PORT, RETINUE_TRAINER_RUNS and so on.",
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", help="port to listen on (8004)")
    parser.add_argument("--runs", type=Path, help="folder of run directories (./runs)")
    parser.add_argument("--token-file", type=Path, help="file with the token that callers send, at least 32 characters")
    parser.add_argument("--roots", help="folders that datasets may be read from, separated by colons")
    given = {key: value for key, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        settings = TrainerSettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        raise SystemExit(f"Setting {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    settings.token()
    return settings
