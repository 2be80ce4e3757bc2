"""The way of data to the platform: what is here is sent, what is elsewhere is named."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from retinue.progress import Progress
from retinue.session import Session
from retinue_sdk import upload
from retinue_sdk.parcel import parcel


def way_in(session: Session, project_id: str, what: str | Path, progress: Progress) -> dict[str, Any]:
    """Where data is, as a request says it: a URL or a place as it stands, or the upload that a file or folder became."""
    if is_source(what):
        return {"source": str(what)}

    def sent(done: int, size: int) -> None:
        progress(f"uploading {size / 1e6:.1f} MB", done / size)

    return {"upload_id": send(session, project_id, Path(what).expanduser(), sent)}


def send(session: Session, project_id: str, path: Path, progress: upload.Progress) -> str:
    """Upload a file, or a folder packed on the way; the upload's id.

    One that was broken off less than 48 hours ago goes on, in another process too; what changed since is sent anew.
    """
    sent = parcel(path)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    key = repr((session.url, project_id, str(path.resolve()), sent.size, sent.state))
    note = cache / "retinue" / "uploads" / hashlib.sha256(key.encode()).hexdigest()
    return upload.send(session.client, project_id, sent, progress, note)


def is_source(what: str | Path) -> bool:
    """Whether it is a URL or a place, which the platform reads itself."""
    return isinstance(what, str) and "://" in what


def name_of(what: str | Path) -> str:
    """What a dataset made of it is called when nobody says: the last part, without what the kind of file adds."""
    local = Path(what).expanduser().resolve()
    if local.is_dir():
        return local.name
    path = PurePosixPath(unquote(urlsplit(str(what)).path)) if is_source(what) else local
    kind = path.suffix if path.suffix[1:2].isalpha() else ""  # not the end of a "v1.2"
    return path.name.removesuffix(kind).removesuffix(".tar") or str(what)[:100]
