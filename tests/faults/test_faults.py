"""A small fault run: `make faults` is the whole one. Nothing lost, nothing doubled, no job disturbed; deaths are shown."""

import pytest

from tests.conftest import marks_of
from tests.faults import campaign, ends
from tests.faults.load import Load

pytestmark = [pytest.mark.hub, pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def load(hub, tmp_path_factory):
    load = Load(hub.settings, hub.admin.token(), tmp_path_factory.mktemp("load"))
    yield load
    load.client.close()


@pytest.mark.parametrize(("victim", "kills"), [("platform", 3), ("trainer points", 3), ("mlflow", 1)])
def test_a_killed_service_loses_no_point_and_disturbs_no_job(hub, load, victim, kills):
    outcome = campaign.run(hub.settings, marks_of(hub.settings), load, victim, kills=kills, points=4000)
    assert outcome.clean, str(outcome)
    assert outcome.points >= 4000


@pytest.mark.parametrize(
    ("which", "status", "reason"), [("training", "failed", "killed"), ("supervise", "lost", "lost")]
)
def test_a_death_of_the_training_is_shown_with_its_cause(hub, load, which, status, reason):
    over, _ = ends.after_kill(hub.settings, load, "points", which, points=100_000, rate=100)
    assert (over["status"], over["reason"]) == (status, reason)
    assert over["message"]
