"""The `retinue` command: the verbs of `%retinue` in a terminal. Try `retinue --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from retinue.progress import Line, silent
from retinue.verbs import HelpShown, run
from retinue_sdk.errors import RetinueError


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb. Errors are one line on stderr and exit status 1."""
    progress = Line() if sys.stderr.isatty() else None
    try:
        answer = run(argv, progress or silent)
    except HelpShown:
        return
    except RetinueError as error:
        if progress is not None:
            progress.end()
        sys.exit(f"retinue: {error}")
    if answer is not None:
        print(answer)  # noqa: T201


if __name__ == "__main__":
    main()
