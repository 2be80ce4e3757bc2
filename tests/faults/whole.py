"""Looks at a platform's database and store from beside it: everything that is referred to is there, whole and unchanged."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from retinue_platform.context import Context
from retinue_platform.projects import OVER
from retinue_platform.tables import DatasetRow, JobRow, UploadRow, VersionRow
from retinue_sdk import store
from retinue_sdk.dataset import manifest
from retinue_sdk.errors import RetinueError

GOOD = {"import_killed", "archive_not_zip", "nothing_to_add"}  # the problems that an import may end with here


class Whole:
    """What was acknowledged so far, and a look whether it still holds.

    A file that was read in full once is known by its place, inode, size and times of change, and not read again.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.store = context, context.settings.store
        self.uploads: dict[str, int] = {}  # size of each that was acknowledged in full
        self._versions: dict[UUID, dict[int, str]] = {}  # seen, of each dataset that is not gone
        self._blobs: dict[str, set[str]] = {}  # of each version that was read whole
        self._read: dict[str, tuple[int, ...]] = {}
        self._trashed: dict[UUID, bool] = {}  # as acknowledged; absent where an answer is missing
        self._may_go: set[UUID] = set()
        self._gone: set[UUID] = set()

    # --- what is there ----------------------------------------------------------------------------------------------------

    def datasets(self, *, trashed: bool = False) -> list[DatasetRow]:
        """Those of the trash, or all, the oldest first."""
        rows = self._rows(select(DatasetRow).order_by(DatasetRow.created_at))
        return [row for row in rows if row.trashed_at is not None or not trashed]

    def versions_of(self, dataset: UUID) -> dict[int, str]:
        """The digest of each number."""
        return {row.number: row.digest for row in self._rows(select(VersionRow).filter_by(dataset_id=dataset))}

    def importing(self) -> list[DatasetRow]:
        """Where a worker is wanted."""
        return self._rows(select(DatasetRow).filter_by(status="importing"))

    def living_jobs(self) -> list[JobRow]:
        """Not over."""
        return self._rows(select(JobRow).where(JobRow.status.not_in(OVER)))

    def jobs_of(self, dataset: UUID) -> list[str]:
        """Names."""
        return [row.name for row in self._rows(select(JobRow).filter_by(dataset_id=dataset))]

    # --- what was acknowledged --------------------------------------------------------------------------------------------

    def may_change(self, dataset: UUID, *, gone: bool = False) -> None:
        """A request is on its way that may put it in or out of the trash, or remove it."""
        self._trashed.pop(dataset, None)
        if gone:
            self._may_go.add(dataset)

    def expect(self, dataset: UUID, *, trashed: bool | None = None, gone: bool = False) -> None:
        """The answer was a yes."""
        if gone:
            self._gone.add(dataset)
        elif trashed is not None:
            self._trashed[dataset] = trashed

    # --- the look ---------------------------------------------------------------------------------------------------------

    def look(self, *, settled: bool = False) -> list[str]:
        """What does not hold. `settled`: nothing runs and a collection is over, so nothing else may be there either."""
        with self.context.db.read() as session:
            datasets = {row.id: row for row in session.scalars(select(DatasetRow))}
            versions = list(session.scalars(select(VersionRow).order_by(VersionRow.number)))
            trained_on = set(session.scalars(select(JobRow.dataset_digest)))
            uploads = {str(row.id): row for row in session.scalars(select(UploadRow))}
        problems = self._rows_hold(datasets, versions)
        problems += self._uploads_hold(uploads, datasets)
        needed = {row.digest for row in versions} | trained_on
        for digest in sorted(needed):
            problem = self._version_problem(digest)
            if problem and digest in self._needed():  # not purged between the two looks
                problems.append(problem)
        if settled:
            problems += self._nothing_else(needed, set(uploads))
        return problems

    def _rows_hold(self, datasets: dict[UUID, DatasetRow], versions: list[VersionRow]) -> list[str]:
        problems = []
        now: dict[UUID, dict[int, str]] = {ident: {} for ident in datasets}
        for row in versions:
            now[row.dataset_id][row.number] = row.digest
        for ident, numbers in now.items():
            problems += self._row_holds(datasets[ident], list(numbers))
        for ident, numbers in self._versions.items():
            if ident not in datasets:
                if ident not in self._may_go:
                    problems.append(f"{ident} is gone")
            elif numbers.items() - now[ident].items():
                problems.append(f"{ident} had {numbers}, has {now[ident]}")
        problems += [f"{ident} was purged and is there" for ident in self._gone & now.keys()]
        # one without a version may give way to another of its name
        self._versions = {ident: numbers for ident, numbers in now.items() if numbers}
        return problems

    def _row_holds(self, row: DatasetRow, numbers: list[int]) -> list[str]:
        trashed = row.trashed_at is not None
        doubts = {
            f"has the versions {numbers}": numbers != list(range(1, len(numbers) + 1)),
            "is ready without a version": row.status == "ready" and not numbers,
            f"has the problem {row.problem}": row.problem is not None and row.problem["code"] not in GOOD,
            f"is {'' if trashed else 'not '}in the trash": self._trashed.get(row.id, trashed) != trashed,
        }
        return [f"{row.id} {doubt}" for doubt, is_so in doubts.items() if is_so]

    def _uploads_hold(self, uploads: dict[str, UploadRow], datasets: dict[UUID, DatasetRow]) -> list[str]:
        wanted = {row.request["upload_id"] for row in datasets.values() if row.status == "importing"}
        problems = [f"the upload {ident} of an import is gone" for ident in wanted - uploads.keys()]
        for ident, size in list(self.uploads.items()):
            if ident not in uploads:  # a version has been made of it
                del self.uploads[ident]
            elif uploads[ident].offset != size or not self._is_of_size(ident, size):
                problems.append(f"the upload {ident} is not whole any more")
        return problems

    def _is_of_size(self, upload: str, size: int) -> bool:
        try:
            return (self.context.uploads / upload).stat().st_size == size
        except FileNotFoundError:
            return not self._rows(select(UploadRow).filter_by(id=UUID(upload)))  # used up between the two looks

    def _needed(self) -> set[str]:
        return {*self._rows(select(VersionRow.digest)), *self._rows(select(JobRow.dataset_digest))}

    def _version_problem(self, digest: str) -> str:
        folder = self.store / "versions" / digest
        try:
            changed = [
                self._is_new(folder / f"{name}") for name in ("images.parquet", "annotations.parquet", "classes.json")
            ]
            if any(changed) or digest not in self._blobs:
                self._blobs[digest] = set(store.load_version(manifest(self.store, digest)).images["blob"])
            for blob in self._blobs[digest]:
                path = self.store / "blobs" / blob[:2] / blob
                if self._is_new(path) and hashlib.sha256(path.read_bytes()).hexdigest() != blob:
                    return f"the blob {blob} of the version {digest} is something else"
        except (RetinueError, OSError) as error:
            return f"the version {digest}: {error}"
        return ""

    def _is_new(self, path: Path) -> bool:
        found = path.stat()
        mark = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        old, self._read[str(path)] = self._read.get(str(path)), mark
        return old != mark

    def _nothing_else(self, needed: set[str], uploads: set[str]) -> list[str]:
        blobs = {blob for digest in needed for blob in self._blobs[digest]}
        here = {
            "versions": ({path.name for path in (self.store / "versions").iterdir()}, needed),
            "blobs": ({path.name for path in (self.store / "blobs").glob("??/*")}, blobs),
            "staging": ({path.name for path in (self.store / "staging").iterdir()}, set()),
            "work": ({path.name for path in self.context.work.iterdir()}, set()),
        }
        return [f"{name}: {found ^ wanted}" for name, (found, wanted) in here.items() if found != wanted]

    def _rows(self, query) -> list:
        with self.context.db.read() as session:
            return list(session.scalars(query))
