"""`python -m retinue_platform`, or `retinue-platform`: serve the platform API on loopback until told to stop."""

from __future__ import annotations

import logging
import sys

import uvicorn

from retinue_platform.app import create_app
from retinue_platform.context import Context
from retinue_platform.settings import read_settings
from retinue_sdk.errors import RetinueError


def main() -> None:
    """Read the settings, open the data directory, serve. What is wrong with either is one line, and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request at INFO
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        settings = read_settings()
        context = Context(settings)
        context.open()
    except RetinueError as error:
        sys.stderr.write(f"retinue-platform: {error}\n")
        sys.exit(2)
    uvicorn.run(
        create_app(settings, context),
        host=settings.platform_host,
        port=settings.platform_port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        ws_max_size=1024 * 1024,
    )


if __name__ == "__main__":
    main()
