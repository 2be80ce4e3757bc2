"""`%retinue VERB ...` and `%%train FRAMEWORK/MODEL DATASET` with the parameters as TOML in the cell."""

from __future__ import annotations

import shlex
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from retinue.progress import Cell
from retinue.session import Session
from retinue.verbs import VERBS, HelpShown, Parser, add_train_arguments, run, train
from retinue_sdk.errors import RetinueError


@magics_class
class RetinueMagics(Magics):
    """The two magics. An error is one readable line, never a traceback."""

    @line_magic
    def retinue(self, line: str) -> Any:
        """Run a verb, for example `%retinue jobs`; `%retinue --help` lists them. `%retinue chart ID` draws a job again."""
        try:
            words = shlex.split(line)
            if words[:1] == ["chart"] and len(words) == 2:
                from retinue.chart import LiveChart  # noqa: PLC0415 - the other verbs need no widget

                return LiveChart(words[1])
            return _printed(run(words or ["--help"], Cell()))
        except HelpShown:
            return None
        except (RetinueError, ValueError) as error:
            return Refusal(error)

    @cell_magic
    def train(self, line: str, cell: str) -> Any:
        """Start a training, draw its chart below the cell and leave the job in the variable `job`.

        For example, in the first line `%%train timm/resnet10t digits`, and below it `epochs = 5`.
        """
        parser = Parser(prog="%%train")
        add_train_arguments(parser)
        try:
            job = train(Session.current(), parser.parse_args(shlex.split(line)), cell)
        except HelpShown:
            return None
        except (RetinueError, ValueError) as error:
            return Refusal(error)
        chart = job.chart()
        if self.shell is not None:
            self.shell.user_ns["job"] = job
        print(  # noqa: T201 - said once, above the chart
            f"Job {job.id} is {job.status}; it goes on without this notebook. To see it again, in any notebook:\n"
            f"import retinue; retinue.LiveChart('{job.id}')"
        )
        return chart


class Refusal:
    """What a magic answers when it could not do it: one line."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __repr__(self) -> str:
        return str(self.error)


def _printed(answer: Any) -> Any:
    if isinstance(answer, str):
        print(answer)  # noqa: T201 - text is shown as text, not as a quoted string
        return None
    return answer


def complete(_shell: InteractiveShell, event: Any) -> list[str]:
    """Completion of the verb after `%retinue`."""
    words = event.line.split()
    names = ["chart", *(verb.name for verb in VERBS)]
    return names if len(words) <= 1 or (len(words) == 2 and not event.line.endswith(" ")) else []
