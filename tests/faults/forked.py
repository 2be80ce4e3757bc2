"""A platform that is forked instead of started (see `zygote`), and what all of its lives share."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from tests.platform.hub import StandInHub
from tests.platform.running import Running
from tests.platform.stack import Trainer
from tests.platform.zygote import Zygote


class World:
    """What all examples share: the zygote, a hub, a trainer, and what was counted."""

    def __init__(self) -> None:
        shm = Path("/dev/shm")  # kills lose no page of memory, and the machine's disks are not flushed all the time
        self.folder = Path(tempfile.mkdtemp(prefix="retinue-life-", dir=shm if shm.is_dir() else None))
        self.zygote, self.hub = Zygote(self.folder), StandInHub()
        self.hub.server.handle_error = lambda *_: None  # its askers are killed
        self.trainer = Trainer(self.folder / "trainer", self.folder)
        self.trainer.start()
        self.done: Counter[str] = Counter()

    def close(self) -> None:
        self.trainer.__exit__(None, None, None)
        self.zygote.close()
        self.hub.close()
        shutil.rmtree(self.folder)


class Forked(Running):
    """A platform out of the zygote."""

    def __init__(self, world: World, data: Path) -> None:
        self.zygote = world.zygote
        super().__init__(
            world.hub,
            data,
            RETINUE_TRAINERS=json.dumps({"points": world.trainer.url}),
            RETINUE_TRAINER_TOKEN_FILE=str(world.trainer.token_file),
        )

    def start(self) -> None:
        self.log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = self.zygote.platform(self.environment, self.log.fileno(), strikes=True)
        self.wait_until_ready(every=0.005)
