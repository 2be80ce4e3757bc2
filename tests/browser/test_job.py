"""The page of a job: zoomed and live, cut off and back again, with what cannot be loaded, and for those who only look."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import answered, recorded
from tests.conftest import PASSWORD, marks_of
from tests.faults.kills import command_of, service, stopped
from tests.faults.load import Load

pytestmark = [pytest.mark.browser, pytest.mark.hub, pytest.mark.timeout(900)]

ARTIFACTS = re.compile(r"/artifacts(\?|$)")  # the list, not a file of it
CHART = "document.querySelector('[data-retinue-chart]').chart"


@pytest.fixture
def load(hub, newcomer, tmp_path):
    """Jobs of the newcomer's, in a project of its own."""
    person, _ = newcomer
    load = Load(hub.settings, person.token(), tmp_path)
    yield load
    load.client.close()


def without(hub, name):
    """Without this service, for as long as this is entered."""
    return stopped(service(marks_of(hub.settings), command_of(hub.settings, name)))


def show(lab, load, job):
    """The page of a job, opened from the panel."""
    lab.open("lab?reset")  # it has the project's name only once it has loaded them
    lab.page.locator(".retinue-Panel-project select").select_option(label=load.project["name"])
    lab.page.locator(f".retinue-Item[data-job='{job['id']}'] button").click()
    expect(lab.page.locator(".retinue-Job-head")).to_be_visible()


def grown(page, count):
    """Until the chart holds as many values."""
    page.wait_for_function(f"{CHART}.store.size >= {count}")


def whole(lab, hub, job, points):
    """The chart has every point once, as the training process wrote it."""
    grown(lab.page, 2 * points)
    written = recorded(hub, job["id"])
    assert len(written["train/loss"]) == points
    assert lab.chart(job["id"]) == written == answered(lab, job["id"])


def drag(page, start, end):
    """Over the first plot, from one part of its width to another."""
    box = page.locator(".retinue-Chart .u-over").first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y)
    page.mouse.move(box["x"] + end * box["width"], y)
    page.mouse.up()


def picture(page):
    return page.locator(".retinue-Chart canvas").first.evaluate("canvas => canvas.toDataURL()")


def test_a_zoomed_chart_keeps_its_zoom_and_takes_what_comes(lab, hub, load):
    page = lab.page
    job = load.start("points", points=5000, rate=100)
    show(lab, load, job)
    grown(page, 400)
    drag(page, 0.25, 0.5)
    chosen = page.evaluate(f"{CHART}.zoom.range")
    assert 0 < chosen[0] < chosen[1] < 1000
    size = page.evaluate(f"{CHART}.store.size")
    grown(page, size + 600)
    page.wait_for_timeout(500)  # the last of them are drawn
    assert page.evaluate(f"{CHART}.zoom.range") == chosen
    assert all(shown == chosen for shown in page.evaluate(f"{CHART}.shown").values())
    page.mouse.move(2, 2)  # without a cursor over it the legend has the newest values
    newest = page.locator(".retinue-Chart .u-legend .u-value").nth(1)
    before = newest.inner_text()
    expect(newest).not_to_have_text(before)

    reset = page.get_by_role("button", name="Reset zoom")
    reset.click()
    expect(reset).to_be_hidden()
    page.wait_for_function(f"{CHART}.shown.loss[1] > {chosen[1]} + 300")
    last = page.evaluate(f"{CHART}.shown.loss[1]")
    page.wait_for_function(f"{CHART}.shown.loss[1] > {last}")

    page.locator(".retinue-Chart").press("ArrowRight")  # beyond the newest point: what comes is drawn there
    ahead = page.evaluate(f"{CHART}.zoom.range")
    seen = picture(page)
    page.wait_for_timeout(1500)
    assert picture(page) != seen
    assert page.evaluate(f"{CHART}.shown.loss") == ahead
    page.locator(".retinue-Chart .u-over").first.dblclick()
    expect(reset).to_be_hidden()
    assert page.evaluate(f"{CHART}.zoom.range") is None
    whole(lab, hub, job, 5000)
    page.wait_for_function(f"{CHART}.shown.loss[1] === 5000")


def test_an_interruption_is_told_and_made_up_for(lab, hub, load):
    page = lab.page
    job = load.start("points", points=4000, rate=150)
    show(lab, load, job)
    lost = page.locator(".retinue-Job .retinue-Lost")
    expect(lost).to_be_empty()
    for count in (300, 2000):
        grown(page, count)
        with without(hub, "platform"):
            expect(lost).to_contain_text("Connection lost; trying again since")
            expect(lost).to_contain_text("does not answer")
        expect(lost).to_be_empty()
    whole(lab, hub, job, 4000)
    expect(page.locator(".retinue-Job-head .retinue-Status")).to_have_text("Succeeded")
    expect(page.locator(".retinue-Files a")).to_have_text(["last.bin"])
    expect(page.locator(".retinue-Log")).to_have_text("trained 4000 points\n")


def test_files_and_a_log_that_cannot_be_loaded_are_told_and_tried_again(lab, hub, load):
    page = lab.page
    job = load.wait(load.start("points", points=50, rate=1000))
    page.route(ARTIFACTS, lambda route: route.abort())
    with without(hub, "trainer points"):
        show(lab, load, job)
        files, log = page.locator(".retinue-Job-part", has_text="Files"), page.locator(".retinue-Job-part").first
        expect(files.get_by_role("alert")).to_contain_text("connection_lost")
        expect(files).not_to_contain_text("wrote none")
        expect(log.get_by_role("alert")).to_contain_text("The points trainer has not answered since")
        expect(log).not_to_contain_text("Nothing was written")
        log.get_by_role("button", name="Try again").click()
        expect(log.get_by_role("alert")).to_contain_text("trainer_unreachable")
        files.get_by_role("button", name="Try again").click()
        expect(files.get_by_role("alert")).to_contain_text("connection_lost")
        page.unroute(ARTIFACTS)
        files.get_by_role("button", name="Try again").click()
        expect(files.locator("a")).to_have_text(["last.bin"])
        expect(files.get_by_role("alert")).to_have_count(0)
    expect(log).to_contain_text("trained 50 points")
    expect(page.locator(".retinue-Job").get_by_role("alert")).to_have_count(0)


def test_a_viewer_is_offered_nothing_that_would_be_refused(lab, hub, tmp_path):
    page = lab.page
    with hub.running.newcomer(hub.admin, f"o{uuid.uuid4().hex[:8]}", PASSWORD) as owner:
        load = Load(hub.settings, owner.token(), tmp_path)
    job = load.start("points", points=100_000, rate=50)
    ways = page.get_by_role("button", name="Cancel now"), page.get_by_role("button", name="Stop after this epoch")
    for role, count in (("editor", 1), ("viewer", 0)):
        load.client.json("PUT", f"/projects/{load.project['id']}/members/{lab.person.name}", json={"role": role})
        show(lab, load, job)
        grown(page, 10)
        for way in ways:
            expect(way).to_have_count(count)
        expect(page.locator(f".retinue-Item[data-job='{job['id']}'] button")).to_have_count(1)
    load.client.post(f"/jobs/{job['id']}/cancel")
    expect(page.locator(".retinue-Job-head .retinue-Status")).to_have_text("Cancelled")
    load.client.close()
