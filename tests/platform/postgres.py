"""A PostgreSQL server of the tests' own, in a temporary folder, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.platform.running import free_port

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def installed():
    return PROGRAMS is not None or shutil.which("initdb") is not None


class PostgreSQL:
    """Refuses to run as root, so it runs as the user `postgres` then."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="retinue-postgres-"))
        self.port = free_port()
        programs = PROGRAMS or Path(shutil.which("initdb")).parent
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.folder, "postgres")
        self._do(programs / "initdb", "-D", self.folder / "data", "-U", "retinue", "-A", "trust", "--no-sync")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.control = [programs / "pg_ctl", "-D", self.folder / "data"]
        self._do(*self.control, "-l", self.folder / "log", "-o", options, "-w", "start")

    def database(self, name):
        """A new, empty database's URL."""
        import psycopg

        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=retinue dbname=postgres", autocommit=True) as c:
            c.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        return f"postgresql+psycopg://retinue@127.0.0.1:{self.port}/{name}"

    def close(self):
        self._do(*self.control, "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _do(self, *command):
        done = subprocess.run(
            [*self.user, *map(str, command)], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
