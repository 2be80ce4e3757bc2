"""The `retinue` command: the verbs of `%retinue` in a terminal. Try `retinue --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from retinue.verbs import HelpShown, run
from retinue_sdk.errors import RetinueError


def show_progress(done: int, size: int) -> None:
    """A progress line on stderr, only where a person can see it."""
    if sys.stderr.isatty():
        print(f"\r{done / size:4.0%} of {size / 1e6:.1f} MB", end="\n" if done == size else "", file=sys.stderr)  # noqa: T201


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb. Errors are one line on stderr and exit status 1."""
    try:
        answer = run(argv, show_progress)
    except HelpShown:
        return
    except RetinueError as error:
        sys.exit(f"retinue: {error}")
    if answer is not None:
        print(answer)  # noqa: T201


if __name__ == "__main__":
    main()
