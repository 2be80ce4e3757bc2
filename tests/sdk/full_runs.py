"""A training whose volume has no byte left is cancelled: `python -m tests.sdk.full_runs`, where it may mount."""

import json
import tempfile
import time
from pathlib import Path

from retinue_sdk.schema import Status
from retinue_sdk.trainer.launcher import LocalLauncher
from tests.faults.volumes import Volume
from tests.sdk.test_launcher import ended, fine, request
from tests.trainers.harness import wait_for
from tests.trainers.points.service import FRAMEWORK


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(Path(folder) / "runs", 1024 * 1024)
        launcher = LocalLauncher(volume.place, FRAMEWORK.command(), FRAMEWORK.environment)
        wanted = request(rate=20)
        launcher.start(wanted, fine)
        wait_for(lambda: launcher.state(wanted.job_id).status == Status.RUNNING)
        volume.fill()
        began, free = time.monotonic(), volume.free
        launcher.cancel(wanted.job_id, "now")
        reason = ended(launcher, wanted).reason
        print(json.dumps({"free": free, "reason": reason, "seconds": time.monotonic() - began}))
        volume.close()


if __name__ == "__main__":
    main()
