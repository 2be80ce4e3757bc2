"""What the operator may set, from `RETINUE_*` in the environment; read once, by `start.py` and by `jupyterhub_config.py`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

HERE = Path(__file__).resolve().parent

# trainer -> the module that must be installed for it to be of use
FRAMEWORKS = {"ultralytics": "ultralytics", "timm": "timm", "huggingface": "transformers"}


def _gpus() -> int:
    """GPUs of this machine, without asking any framework."""
    return len([path for path in Path("/dev").glob("nvidia*") if path.name.removeprefix("nvidia").isdecimal()])


class HubSettings(BaseSettings):
    """The embedded hub: where its data is, where it listens, who may sign up, where servers run."""

    model_config = SettingsConfigDict(env_prefix="RETINUE_", extra="ignore", frozen=True)

    data: Path = Path(".retinue")  # everything that is kept lies under it
    cache: Path = Path("~/.cache/retinue")  # the trainers' catalogues, kept between data directories
    host: str = "127.0.0.1"  # address the proxy listens on; all else stays on loopback
    port: int = Field(
        8000, ge=1024, le=65528
    )  # the proxy; the seven after it are taken too, and one for each extra trainer
    open_signup: bool = False  # let people in without the administrator
    spawner: Literal["local", "kubernetes"] = "local"  # where notebook servers run
    slots: int = Field(default_factory=lambda: _gpus() or 1, ge=1)  # trainings at once
    extra_trainers: dict[str, str] = {}  # trainers of your own: name -> module run by `python -m` (docs/adding.md)
    instance: str = ""  # marks every process of this hub; start.py sets it

    @field_validator("data", "cache")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def url(self) -> str:
        """Where a person opens the hub."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port}/"

    @property
    def platform_url(self) -> str:
        """Where the kernel and the extension find the platform."""
        return f"http://127.0.0.1:{self.port + 3}/services/retinue"

    @property
    def mlflow_url(self) -> str:
        """Loopback only: people reach MLflow through the platform."""
        return f"http://127.0.0.1:{self.port + 7}"

    @property
    def trainers(self) -> dict[str, str]:
        """The trainers whose framework is installed, with their addresses; looked up without importing any."""
        return {
            **{
                name: f"http://127.0.0.1:{self.port + 4 + offset}"
                for offset, (name, module) in enumerate(FRAMEWORKS.items())
                if importlib.util.find_spec(module) is not None
            },
            **{name: f"http://127.0.0.1:{self.port + 8 + offset}" for offset, name in enumerate(self.extra_trainers)},
        }

    @property
    def pid_file(self) -> Path:
        """Where the hub notes the proxy's pid."""
        return self.data / "hub" / "proxy.pid"

    @property
    def ready_file(self) -> Path:
        """Exists while everything is up: the pid of `start.py`."""
        return self.data / "hub" / "ready"

    @property
    def log_file(self) -> Path:
        """The hub's log, and that of its services."""
        return self.data / "hub" / "hub.log"

    @property
    def trainer_token_file(self) -> Path:
        """What the platform shows to trainers."""
        return self.data / "secrets" / "trainer-token"

    @property
    def admin_password_file(self) -> Path:
        """Written at the first start."""
        return self.data / "secrets" / "admin-password"
