"""What the matrix is run on: a project with an upload, a dataset and a job, and a token for everyone."""

import hashlib
import io
import uuid
import zipfile

from hub_config.person import wait_until
from hub_config.processes import belonging
from PIL import Image

from tests.conftest import marks_of
from tests.hub.matrix import CHUNK
from tests.trainers.harness import plain_client

ACCESS, READ, WRITE = "access:services!service=retinue", "custom:retinue:read", "custom:retinue:write"
MEMBERS = {"viewer": "viewer", "editor": "editor", "disabled": "owner", "deleted": "owner"}
SPEC = "services/retinue/api/v1/openapi.json"


def tiny_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(8):
            png = io.BytesIO()
            Image.new("RGB", (8, 8), (number * 30, 0, 0)).save(png, "PNG")
            archive.writestr(f"{number % 2}/{number}.png", png.getvalue())
    return buffer.getvalue()


class World:
    """Ids of the objects, and `call`, which sends a request as an actor."""

    def __init__(self, hub, people):
        self.hub, self.people = hub, people
        self.client = plain_client(timeout=60)
        self.paths = {
            operation["operationId"]: (method.upper(), path)
            for path, operations in self.client.get(f"{hub.url}{SPEC}").json()["paths"].items()
            for method, operation in operations.items()
        }
        self.tokens = {"nobody": None, "garbage": "0" * 64, "trainer_token": self._trainer_token()}
        self.tokens["trainer_service"] = self._service_token()
        self._make_people()
        self.ids = self._make_objects()

    def close(self):
        self.client.close()

    def _trainer_token(self):
        return (self.hub.settings.data / "secrets" / "trainer-token").read_text().strip()

    def _service_token(self):
        """Of a trainer as a service of the hub, from its environment."""
        for process in belonging(marks_of(self.hub.settings), descendants=False):
            environment = process.environ()
            if environment.get("JUPYTERHUB_SERVICE_NAME") == "retinue-timm":
                return environment["JUPYTERHUB_API_TOKEN"]
        raise AssertionError

    def _make_people(self):
        owner = self.people("alice")
        for name in ("viewer", "editor", "other", "disabled", "deleted"):
            self.tokens[name] = self.people(f"m-{name}").token(ACCESS, READ, WRITE)
        self.tokens["owner"] = owner.token(ACCESS, READ, WRITE)
        self.tokens["owner_reading"] = owner.token(ACCESS, READ)
        self.tokens["without_access"] = owner.token(READ, WRITE)
        self.tokens["admin"] = self.hub.admin.token(ACCESS, READ, WRITE, "custom:retinue:admin")
        self.tokens["admin_unasked"] = self.hub.admin.token(ACCESS, READ, WRITE)

    def _make_objects(self):
        ids = self.make_project()
        self.api("other", "POST", "projects", json={"name": "Another"})
        data = tiny_zip()
        upload = self.upload(ids["project_id"], data, len(data))
        dataset = self.api(
            "owner", "POST", f"projects/{ids['project_id']}/datasets", json={"name": "d", "upload_id": upload}
        )
        for _ in wait_until(60):
            if (dataset := self.api("owner", "GET", f"datasets/{dataset['id']}"))["status"] != "importing":
                break
        assert dataset["status"] == "ready", dataset
        body = {"framework": "points", "model": "counter", "task": "classify", "dataset_id": dataset["id"]}
        job = self.api("owner", "POST", f"projects/{ids['project_id']}/jobs", json=body)
        for _ in wait_until(60):
            if (job := self.api("owner", "GET", f"jobs/{job['id']}"))["status"] in ("succeeded", "failed"):
                break
        assert job["status"] == "succeeded", job
        ids |= {"dataset_id": dataset["id"], "job_id": job["id"]}
        self.leave()
        return ids

    def make_project(self):
        """A project with everybody in it, and an upload that has begun."""
        project = self.api("owner", "POST", "projects", json={"name": f"Matrix {uuid.uuid4().hex[:8]}"})["id"]
        for name, role in MEMBERS.items():
            self.api("owner", "PUT", f"projects/{project}/members/m-{name}", json={"role": role})
        return {"project_id": project, "upload_id": self.upload(project, CHUNK, 10)}

    def upload(self, project, data, size):
        upload = self.api("owner", "POST", f"projects/{project}/uploads", json={"filename": "a.zip", "size": size})[
            "id"
        ]
        headers = {"X-Content-SHA256": hashlib.sha256(data).hexdigest()}
        self.api("owner", "PUT", f"uploads/{upload}?offset=0", content=data, headers=headers)
        return upload

    def leave(self):
        """One is no longer authorised, one is gone; wait until the hub has noticed."""
        self.hub.admin.authorize("m-disabled")
        self.hub.admin.hub("DELETE", "users/m-deleted").raise_for_status()
        for name in ("disabled", "deleted"):
            for _ in wait_until(75, 1):
                if self.call(name, "GET", "me").status_code == 401:
                    break
            else:
                raise AssertionError(name)

    def call(self, actor, method, path, **kwargs):
        """A request of the platform's API: the guest's goes through the server they are on, as a browser's does."""
        if actor == "guest":
            return self.people("guest").call(method, path, owner="alice", **kwargs)
        token = self.tokens[actor]
        headers = ({"Authorization": f"token {token}"} if token else {}) | kwargs.pop("headers", {})
        return self.client.request(method, f"{self.hub.url}services/retinue/api/v1/{path}", headers=headers, **kwargs)

    def api(self, actor, method, path, **kwargs):
        answer = self.call(actor, method, path, **kwargs)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None
