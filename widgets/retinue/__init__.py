"""Retinue for notebooks: `connect()` gives a project; its datasets, models and jobs are objects that draw themselves.

The magics come with `%load_ext retinue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retinue.datasets import Dataset
from retinue.jobs import Artifact, Job
from retinue.models import Model, models
from retinue.projects import Project, create_project, projects
from retinue.session import Session
from retinue_sdk.errors import RetinueError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from retinue.chart import LiveChart

__all__ = [
    "Artifact",
    "Dataset",
    "Job",
    "LiveChart",
    "Model",
    "Project",
    "RetinueError",
    "connect",
    "models",
    "projects",
]


def connect(
    project: str | None = None, *, url: str | None = None, token: str | None = None, create: bool = False
) -> Project:
    """Connect to the platform and choose a project by name or id.

    Parameters
    ----------
    project
        Its name; may be left out when you have only one.
    url, token
        Address of the platform and a hub token; by default the notebook server's own.
    create
        Make the project if there is none of this name.

    Raises
    ------
    RetinueError
        With what is missing and how to get it.
    """
    session = Session.open(url, token)
    if create and project and project.casefold() not in {p.name.casefold() for p in projects(session)}:
        create_project(session, project)
    data = session.use(project) if project else session.project()
    return Project(session, data)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext retinue`."""
    from retinue import magics  # noqa: PLC0415 - a script needs no IPython

    shell.register_magics(magics.RetinueMagics)
    shell.set_hook(  # type: ignore[no-untyped-call]  # IPython's is untyped
        "complete_command", magics.complete, str_key="%retinue"
    )


def __getattr__(name: str) -> Any:
    if name == "LiveChart":
        from retinue.chart import LiveChart  # noqa: PLC0415 - a script needs no widgets

        return LiveChart
    raise AttributeError(f"module 'retinue' has no attribute {name!r}")
