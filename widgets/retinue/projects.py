"""A project as an object: where everything a person does in a notebook starts."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from retinue import html
from retinue.datasets import Dataset, TrashedDataset
from retinue.jobs import Job
from retinue.listing import Listing
from retinue.models import Model, models
from retinue.progress import Progress, shown
from retinue.session import Session
from retinue.upload import name_of, way_in
from retinue_sdk import api
from retinue_sdk.errors import NotFoundError

D = TypeVar("D", bound=Dataset)


class Project:
    """A project: its datasets, its jobs, its members."""

    HEAD: ClassVar = ("project", "your role", "description", "made by")

    def __init__(self, session: Session, answer: dict[str, Any]) -> None:
        self.session = session
        self.data = data = api.Project.model_validate(answer)
        self.id = str(data.id)
        self.name = data.name
        self.row = (data.name, data.role, data.description, data.created_by)

    def datasets(self) -> Listing[Dataset]:
        """The project's datasets, newest first."""
        found = [Dataset(self.session, d) for d in self.session.get(f"/projects/{self.id}/datasets")]
        return Listing(found, Dataset.HEAD, "No datasets yet: upload one with `%retinue upload FILE.zip`.")

    def dataset(self, name: str) -> Dataset:
        """The dataset of this name or id.

        Raises
        ------
        NotFoundError
            With the names there are.
        """
        return _named(self.datasets(), name, f"dataset {name!r} in {self.name}")

    def trash(self) -> Listing[TrashedDataset]:
        """The project's deleted datasets that can still be restored."""
        found = [TrashedDataset(self.session, d) for d in self.session.get(f"/projects/{self.id}/trash")]
        return Listing(found, TrashedDataset.HEAD, "The trash is empty.")

    def trashed(self, name: str) -> TrashedDataset:
        """The dataset of this name or id in the trash; the one deleted last, when there are several.

        Raises
        ------
        NotFoundError
            With the names there are.
        """
        return _named(self.trash(), name, f"dataset {name!r} in the trash of {self.name}")

    def upload(
        self,
        path: Any,
        name: str | None = None,
        progress: Progress | None = None,
        form: str | None = None,
        **options: Any,
    ) -> Dataset:
        """Make a dataset of an archive, a folder, a video, a URL, a place or a `datasets.Dataset`; returns when it is ready.

        `path` is a file or a folder here, or what the platform reads itself: `https://...`, `s3://...`; see `sources`. A
        folder is packed on the way. An object of the `datasets` library, or a dictionary of them by split, needs a `name`.
        `form` is the format when it is not recognised. Options are `every` (so many frames of
        a video), `seconds` (between two of them, 1 by default), `seed`, and `in_place`: the images of a folder at a place
        stay there until a training or an export needs them. `progress(step, part)` is told how far it is, from 0 to 1; by
        default that is shown in the notebook's cell or the terminal.

        Raises
        ------
        RetinueError
            What is wrong with the data, with file and line.
        """
        progress = progress or shown()
        body = {"name": name or name_of(path), "format": form, **options}
        with way_in(self.session, self.id, path, progress) as way:
            answer = self.session.client.post(f"/projects/{self.id}/datasets", way | body)
        return Dataset(self.session, answer).wait(progress=progress)

    def train(self, model: str, dataset: str | Dataset, **options: Any) -> Job:
        """Start a training of `"framework/model"`; options are `parameters`, `task`, `name`, `seed`, `version`, `priority`.

        The task is the one that model and dataset share, when there is one.
        """
        chosen = dataset if isinstance(dataset, Dataset) else self.dataset(dataset)
        framework, _, name = model.partition("/")
        body = {
            "framework": framework,
            "model": name,
            "task": options.pop("task", None) or self._task(framework, name, chosen),
            "dataset_id": chosen.id,
            "dataset_version": options.pop("version", None),
            **options,
        }
        answer = self.session.client.post(f"/projects/{self.id}/jobs", body)
        return Job(self.session, answer)

    def _task(self, framework: str, name: str, dataset: Dataset) -> str:
        fitting = [m for m in models(self.session) if m.framework == framework and m.name == name]
        known = list(dataset.data.versions[0].tasks) if dataset.data.versions else []
        if not fitting:
            raise NotFoundError(
                f"No trainer offers the model {framework}/{name}.",
                code="unknown_model",
                hint="See `%retinue models` for what there is; a model is named FRAMEWORK/NAME.",
            )
        shared = [task for task in known if task in fitting[0].info.tasks]
        return (shared or known or fitting[0].info.tasks)[0]

    def models(self, task: str | None = None, find: str = "") -> Listing[Model]:
        """The models of all trainers, for a task, with `find` in their name."""
        return models(self.session, task, find)

    def jobs(self) -> Listing[Job]:
        """The project's jobs, newest first."""
        found = [Job(self.session, j) for j in self.session.get(f"/projects/{self.id}/jobs")]
        return Listing(found, Job.HEAD, "No jobs yet: start one with `%%train FRAMEWORK/MODEL DATASET`.")

    def __repr__(self) -> str:
        return f"Project({self.name!r}, {self.data.role})"

    def _repr_html_(self) -> str:
        return html.table(Dataset.HEAD, [d.row for d in self.datasets()], self.name, "No datasets yet.") + html.table(
            Job.HEAD, [j.row for j in self.jobs()], empty="No jobs yet."
        )


def _named(datasets: Listing[D], name: str, what: str) -> D:
    for dataset in datasets:
        if name.casefold() in (dataset.id, dataset.name.casefold()):
            return dataset
    names = ", ".join(d.name for d in datasets) or "none yet"
    raise NotFoundError(f"There is no {what}.", code="dataset_unknown", hint=f"There are: {names}.")


def projects(session: Session) -> Listing[Project]:
    """The projects you are a member of."""
    found = [Project(session, p) for p in session.get("/projects")]
    return Listing(found, Project.HEAD, "No projects yet: make one with `%retinue create NAME`.")


def create_project(session: Session, name: str, description: str = "") -> Project:
    """Make a project; you are its owner."""
    answer = session.client.post("/projects", {"name": name, "description": description})
    return Project(session, answer)
