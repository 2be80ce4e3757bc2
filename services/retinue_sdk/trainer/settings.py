"""Settings of a trainer service, read once from RETINUE_TRAINER_* and the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MINIMUM_TOKEN = 32


def _gpus() -> int:
    """GPUs of this machine, without asking any framework."""
    return len([p for p in Path("/dev").glob("nvidia*") if p.name.removeprefix("nvidia").isdecimal()])


class TrainerSettings(BaseSettings):
    """Where to listen, where to keep runs, what may be read, and who may call."""

    model_config = SettingsConfigDict(env_prefix="RETINUE_TRAINER_", extra="ignore")

    host: str = "127.0.0.1"  # address it listens on
    port: int = Field(8004, ge=0, le=65535)  # port it listens on
    runs: Path = Path("runs")  # folder of run directories
    token_file: Path | None = None  # file with the service token, of 32 characters or more; required
    roots: str = ""  # folders that datasets may be read from, separated by colons
    slots: int = Field(default_factory=lambda: _gpus() or 1, ge=1)  # capacity that it reports
    stop_jobs_on_exit: bool = False  # end trainings when told to stop; a killed service never does
    cache: Path = Field(Path("~/.cache/retinue"), validation_alias="RETINUE_CACHE")  # catalogues, by version

    def token(self) -> str:
        """The service token. There is no default for it: without a good one the service does not start."""
        if self.token_file is None:
            raise SystemExit("There is no service token: name its file in RETINUE_TRAINER_TOKEN_FILE or --token-file.")
        try:
            token = self.token_file.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise SystemExit(f"The service token in {self.token_file} cannot be read: {error}") from None
        if len(token) < MINIMUM_TOKEN:
            raise SystemExit(f"The service token in {self.token_file} is shorter than {MINIMUM_TOKEN} characters.")
        return token

    def allowed_roots(self) -> list[Path]:
        """The folders of `roots`, with links followed."""
        return [Path(root).expanduser().resolve() for root in self.roots.split(":") if root]
