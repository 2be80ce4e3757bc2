"""The way of data to the platform: what is here is sent, what is elsewhere is named."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from retinue.progress import Progress
from retinue.session import Session
from retinue_sdk import upload
from retinue_sdk.errors import BadRequestError
from retinue_sdk.parcel import parcel


@contextmanager
def way_in(session: Session, project_id: str, what: Any, progress: Progress) -> Iterator[dict[str, Any]]:
    """Where data is, as the request made inside says it: a URL or a place as it stands, or the upload that the rest became."""
    if is_source(what):
        yield {"source": str(what)}
        return

    def sent(done: int, size: int) -> None:
        progress(f"uploading {size / 1e6:.1f} MB", done / size)

    with _on_disk(what) as path, sending(session, project_id, path, sent) as upload_id:
        yield {"upload_id": upload_id}


@contextmanager
def _on_disk(what: Any) -> Iterator[Path]:
    """A path as it is; an object of the `datasets` library, or a dictionary of them by split, as a folder that is gone later."""
    if isinstance(what, str | Path):
        yield Path(what).expanduser()
        return
    if not isinstance(what, Mapping) and not hasattr(what, "features"):
        raise BadRequestError(
            f"A dataset cannot be made of an object of the type {type(what).__name__}.",
            hint="Give a path, a URL, or a `datasets.Dataset`.",
        )
    from retinue_sdk.formats.hf_sources import from_dataset  # noqa: PLC0415 - needs pyarrow, which such an object brings

    with TemporaryDirectory(prefix="retinue-") as folder:
        yield from_dataset(what, Path(folder))


@contextmanager
def sending(session: Session, project_id: str, path: Path, progress: upload.Progress) -> Iterator[str]:
    """Upload a file, or a folder packed on the way; the upload's id, for the request made inside.

    One that was broken off less than 48 hours ago goes on, in another process too, and one that is complete is there still
    when the request was refused; what changed since is sent anew.
    """
    sent = parcel(path)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    key = repr((session.url, project_id, str(path.resolve()), sent.size, sent.state))
    note = cache / "retinue" / "uploads" / hashlib.sha256(key.encode()).hexdigest()
    yield upload.send(session.client, project_id, sent, progress, note)
    upload.forget(note)


def is_source(what: Any) -> bool:
    """Whether it is a URL or a place, which the platform reads itself."""
    return isinstance(what, str) and "://" in what


def name_of(what: Any) -> str:
    """What a dataset made of it is called when nobody says: the last part, without what the kind of file adds."""
    if not isinstance(what, str | Path):
        raise BadRequestError("A dataset that is no file needs a name.", where="name", hint="Give `name=`.")
    local = Path(what).expanduser().resolve()
    if local.is_dir():
        return local.name
    path = PurePosixPath(unquote(urlsplit(str(what)).path)) if is_source(what) else local
    kind = path.suffix if path.suffix[1:2].isalpha() else ""  # not the end of a "v1.2"
    return path.name.removesuffix(kind).removesuffix(".tar") or str(what)[:100]
