"""`{base_url}retinue/files`: sends a file or folder of this server to the platform, with the requesting user's token."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import httpx
from jupyter_server.auth.decorator import authorized
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupyter_server.utils import ApiPath, ensure_async, to_os_path
from pydantic import ValidationError
from tornado import web
from tornado.iostream import StreamClosedError

from retinue_lab.handlers import ProblemHandler
from retinue_lab.platform import Platform
from retinue_sdk.api import Upload
from retinue_sdk.client import Client
from retinue_sdk.errors import BadRequestError, NotFoundError, RetinueError
from retinue_sdk.parcel import Parcel, parcel
from retinue_sdk.schema import Wire
from retinue_sdk.upload import announce, send_next


class FilesUpload(Wire):
    """What is to be sent, and the upload to go on with."""

    project_id: UUID
    path: str  # as the contents API has it: below the server's root, with /
    upload_id: UUID | None = None
    state: str | None = None  # as it was told when that upload began


class FilesSent(Wire):
    """How far it is. Files in another state are another upload: bytes of before and after a change are never mixed."""

    upload: Upload
    state: str


class FilesHandler(ProblemHandler):
    """Answers a line of JSON for each chunk that is safe: the upload, or the problem that ended it.

    Who stops listening stops the sending; the upload stays, to go on with or to delete.
    """

    auth_resource = "retinue"

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Send it."""
        try:
            try:
                wanted = FilesUpload.model_validate_json(self.request.body)
            except ValidationError as error:
                raise BadRequestError(f"This is no file to send: {error.errors()[0]['msg']}.") from None
            sent = await self._parcel(wanted.path)
            with self._client() as client:
                await self._send(client, wanted, sent)
        except RetinueError as error:
            if not self._headers_written:
                self.problem(error.problem)
                return
            self.write(f'{{"problem": {error.problem.model_dump_json()}}}\n')
        except StreamClosedError:
            self.log.debug("the browser went away")
            return
        self.finish(set_content_type="application/x-ndjson")

    async def _parcel(self, path: str) -> Parcel:
        """What is at a path, by the rules of the file browser: no hidden files, nothing outside of the root."""
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, "read", "contents")):
            raise web.HTTPError(403)
        files = self.contents_manager
        if not isinstance(files, FileManagerMixin):
            raise BadRequestError(
                "The files of this Jupyter server are not on its own disk.",
                code="files_elsewhere",
                hint="Download them and drop them on the panel instead.",
            )
        try:
            hidden = not files.allow_hidden and await ensure_async(files.is_hidden(path))  # type: ignore[no-untyped-call]
        except web.HTTPError:  # it leads outside
            hidden = True
        if hidden:
            raise NotFoundError("There is no such file or folder among your files.", where=path)
        root = Path(files.root_dir)
        return await asyncio.to_thread(parcel, Path(to_os_path(ApiPath(path), str(root))), root)

    def _client(self) -> Client:
        platform: Platform = self.settings["retinue_platform"]
        # as for what is passed through: no proxy of the environment may see the token
        transport = httpx.HTTPTransport(trust_env=False)
        return Client(platform.address("").rstrip("/"), platform.token_of(self), transport=transport)

    async def _send(self, client: Client, wanted: FilesUpload, sent: Parcel) -> None:
        begun = wanted.upload_id if wanted.state == sent.state else None
        upload = await asyncio.to_thread(announce, client, str(wanted.project_id), sent, begun)
        self.set_header("Content-Type", "application/x-ndjson")
        self.set_header("X-Accel-Buffering", "no")  # or a proxy in front keeps the lines to itself
        while True:
            self.write(f"{FilesSent(upload=upload, state=sent.state).model_dump_json()}\n")
            await self.flush()
            self.update_api_activity()  # a server that sends is not idle
            if upload.offset == upload.size:
                return
            upload = await asyncio.to_thread(send_next, client, upload, sent)
