"""Every setting of the platform, read once from the environment (`RETINUE_*`, and what the hub gives its services)."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from retinue_sdk.archive_member import Limits
from retinue_sdk.errors import RetinueError
from retinue_sdk.fetch_policy import Policy
from retinue_sdk.places import Source


class SettingsError(RetinueError):
    """The environment does not make a working platform."""

    code, hint = "bad_settings", "Correct the environment variable named and start again."


class Settings(BaseSettings):
    """What the operator decides. `RETINUE_DATA` and `JUPYTERHUB_API_URL` have no default.

    Credentials for `RETINUE_SOURCES` stand in its options, in files below HOME, or in the AWS_*, AZURE_*, GOOGLE_* and HF_*
    variables of the platform's own process. Only the workers that read there get them, and no answer or log shows them.
    """

    model_config = SettingsConfigDict(env_prefix="RETINUE_", extra="ignore", frozen=True, populate_by_name=True)

    data: Path  # everything the platform keeps lies under it
    platform_host: str = "127.0.0.1"  # address it listens on
    platform_port: int = Field(8003, ge=0, le=65535)  # port it listens on
    prefix: str = "/services/retinue"  # every route lives under it
    database_url: str = ""  # sqlite:///$RETINUE_DATA/platform/retinue.sqlite when empty
    trainers: dict[str, str] = {}  # JSON: framework to base URL
    trainer_token_file: Path | None = None  # file with the service token that trainers ask for
    mlflow_url: str = ""  # no MLflow when empty
    slots: int = Field(1, ge=1)  # jobs of this machine that run at once
    upload_limit_gb: float = Field(
        50, gt=0
    )  # of one file, and of one source; an archive may hold as much, and 50 GiB in any case
    fetch_hosts: tuple[str, ...] = ()  # JSON, fetched from by URL: HOST, *.DOMAIN, HOST:PORT, http://HOST:PORT
    fetch_networks: tuple[str, ...] = ()  # JSON, not public and fetched from all the same: 10.1.0.0/16
    sources: tuple[Source, ...] = ()  # JSON, copied from: [{"url": "s3://BUCKET/FOLDER", "options": {}}], as fsspec's
    import_workers: int = Field(1, ge=1)  # imports that are read at once; four more may be fetching
    import_memory_gb: float = Field(8, gt=0)  # address space of one import
    import_seconds: int = Field(3600, gt=0)  # time of one import, and to write one export
    trash_days: float = Field(30, ge=0, le=36500)  # days after which a deleted dataset is gone for good
    hub_api_url: str = Field(validation_alias=AliasChoices("JUPYTERHUB_API_URL", "hub_api_url"))
    hub_api_token: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("JUPYTERHUB_API_TOKEN", "hub_api_token")
    )
    service_name: str = Field("retinue", validation_alias=AliasChoices("JUPYTERHUB_SERVICE_NAME", "service_name"))

    @field_validator("prefix", "hub_api_url", "mlflow_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("fetch_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return Policy(hosts=value).hosts

    @field_validator("fetch_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return Policy(networks=value).networks

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def upload_limit_bytes(self) -> int:
        """The most bytes of one file, and of one source."""
        return int(self.upload_limit_gb * 10**9)

    @property
    def unpacked_limit_bytes(self) -> int:
        """The most bytes that an archive may hold."""
        return max(Limits.total_bytes, self.upload_limit_bytes)

    @property
    def fetch_policy(self) -> Policy:
        """What may be fetched by URL."""
        return Policy(self.fetch_hosts, self.fetch_networks, self.upload_limit_bytes, self.import_seconds)

    @property
    def folder(self) -> Path:
        """Where the platform's own files are."""
        return self.data / "platform"

    @property
    def store(self) -> Path:
        """The dataset store."""
        return self.data / "store"

    @property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.folder / 'retinue.sqlite'}"


def read_settings() -> Settings:
    """The settings of this process. Raises `SettingsError` naming the first variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name, *place = map(str, first["loc"])
        variable = name if name.isupper() else f"RETINUE_{name.upper()}"
        message = ": ".join([*place, first["msg"].removeprefix("Value error, ")])
        raise SettingsError(f"{variable}: {message}.", where=variable) from error
    except ValueError as error:  # pydantic-settings: a variable that should hold JSON does not
        name = str(error).partition('"')[2].partition('"')[0]
        variable = f"RETINUE_{name.upper()}"
        raise SettingsError(f"{variable}: this is not JSON of the kind that is wanted.", where=variable) from error
