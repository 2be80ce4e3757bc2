"""A real Chromium before a real hub with everything embedded, and a person who has just signed up."""

import base64
import io
import json
import re
import uuid
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests import stranger
from tests.conftest import PASSWORD, started

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 90_000  # milliseconds; other tests may be using the processors
DROP = """([node, name, data]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type: 'application/zip'}));
  for (const type of ['dragenter', 'dragover', 'drop'])
    node.dispatchEvent(new DragEvent(type, {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


def images_zip(classes=("round", "square"), count=10, side=16):
    """A folder of images per class."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for shade, name in enumerate(classes):
            for number in range(count):
                image = io.BytesIO()
                Image.new("L", (side, side), 40 + 100 * shade + number).save(image, "PNG")
                archive.writestr(f"{name}/{number}.png", image.getvalue())
    return buffer.getvalue()


class Lab:
    """What a person does in JupyterLab."""

    def __init__(self, page, person, hub):
        self.page, self.person, self.hub = page, person, hub

    @property
    def base(self):
        return f"{self.hub.url.rstrip('/')}/user/{self.person.name}"

    def open(self, path="lab"):
        """Go to Lab and show the panel."""
        self.page.goto(f"{self.base}/{path}")
        header = self.page.locator(".retinue-Panel-header")
        tab = self.page.locator('.lm-TabBar-tab[data-id="retinue-panel"]')
        expect(tab).to_be_visible()
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        if "lm-mod-current" not in (tab.get_attribute("class") or ""):
            tab.click()
        expect(header).to_be_visible()

    def create_project(self, name):
        name = f"{name} {uuid.uuid4().hex[:8]}"  # others of this person's have the same
        self.page.get_by_role("button", name=re.compile("Create a project|New project")).first.click()
        self.page.locator(".jp-Dialog input").fill(name)
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        expect(self.page.locator(".retinue-Panel-project option:checked")).to_have_text(name)
        expect(self.page.locator(".retinue-Drop")).to_be_visible()

    def drop(self, name, data):
        zone = self.page.locator(".retinue-Drop").element_handle()
        self.page.evaluate(DROP, [zone, name, base64.b64encode(data).decode()])

    def choose(self, words):
        """Search a model in the launch form and take the first."""
        self.page.get_by_label("Search models").fill(words)
        self.page.locator(".retinue-Picker-list option").first.wait_for(state="attached")
        self.page.locator(".retinue-Picker-list").select_option(index=0)
        expect(self.page.locator(".retinue-Form")).to_be_visible()

    def parameter(self, name):
        return self.page.locator(f"[data-parameter={name}]")

    def start(self, **parameters):
        """Fill in parameters, start, and give the job's id."""
        for name, value in parameters.items():
            self.parameter(name).locator("input").fill(str(value))
        button = self.page.get_by_role("button", name="Start training")
        expect(button).to_be_enabled()
        button.click()
        expect(self.page.locator(".retinue-Job-head")).to_be_visible()
        return self.page.locator("[data-retinue-chart]").get_attribute("data-retinue-chart")

    def chart(self, job):
        """The chart's own arrays: {key: [(seq, step, value)]}."""
        data = self.page.evaluate(
            "job => JSON.stringify(document.querySelector(`[data-retinue-chart='${job}']`).chart.data)", job
        )
        return triples(json.loads(data))

    def api(self, path):
        answer = self.person.client.get(f"/user/{self.person.name}/retinue/api/{path}")
        answer.raise_for_status()
        return answer.json()

    def home(self):
        return Path(self.hub.settings.data) / "home" / self.person.name


def make_dataset(lab):
    """A project with the dataset "shapes"; the button that trains on it."""
    lab.create_project("Shapes")
    lab.drop("shapes.zip", images_zip())
    train = lab.page.get_by_role("button", name="Train on shapes")
    expect(train).to_be_visible()
    return train


def triples(series):
    return {key: list(zip(s["seq"], s["step"], s["value"], strict=True)) for key, s in series.items()}


def recorded(hub, job):
    """What the training process itself wrote: {key: [(seq, step, value)]}."""
    folders = list(hub.settings.data.glob(f"trainers/*/runs/{job}/1/events.jsonl"))
    assert len(folders) == 1
    series = {}
    for line in folders[0].read_text().splitlines():
        event = json.loads(line)
        for key, value in event.get("values", {}).items():
            series.setdefault(key, []).append((event["seq"], event["step"], value))
    return series


def answered(lab, job):
    """The API's answer at full resolution."""
    series = lab.api(f"jobs/{job}/metrics?max_points=0")["series"]
    return {s["key"]: list(zip(s["seq"], s["step"], s["value"], strict=True)) for s in series}


@pytest.fixture(scope="package")
def opened(tmp_path_factory):
    """A folder that the operator has opened to imports."""
    return tmp_path_factory.mktemp("opened")


@pytest.fixture(scope="package")
def hub(tmp_path_factory, opened):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETINUE_SOURCES", json.dumps([{"url": opened.as_uri()}]))
        site = stranger.environment(tmp_path_factory.mktemp("stranger"))
        patch.setattr("sys.executable", str(stranger.python(site)))
        with started(tmp_path_factory.mktemp("browser-hub")) as hub:
            yield hub


@pytest.fixture(scope="package")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def fill(page, url, **fields):
    """Go to a page of the hub, fill in its form and send it."""
    page.goto(url)
    for name, value in fields.items():
        page.locator(f"input[name={name}]").fill(value)
    page.locator("form [type=submit]").first.click()
    page.wait_for_load_state()


@pytest.fixture(scope="package")
def newcomer(hub, chromium):
    """Someone who has signed up, was let in, logged in and got a server, all by hand; their browser's cookies too."""
    name = f"p{uuid.uuid4().hex[:8]}"
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    fill(page, f"{hub.url}hub/signup", username=name, signup_password=PASSWORD, signup_password_confirmation=PASSWORD)
    hub.admin.authorize(name)
    fill(page, f"{hub.url}hub/login", username=name, password=PASSWORD)
    page.goto(f"{hub.url}hub/spawn")
    page.wait_for_url(f"**/user/{name}/lab**")
    cookies = context.cookies()
    context.close()
    with hub.running.person(name, PASSWORD) as person:
        person.log_in()
        person.open_server(name)
        yield person, cookies


@pytest.fixture
def page(chromium):
    expect.set_options(timeout=PATIENCE)
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    broken = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    context.close()
    assert not broken, broken


@pytest.fixture
def lab(hub, page, newcomer):
    """The newcomer's Lab in a new window, as it is after logging in."""
    person, cookies = newcomer
    page.context.add_cookies(cookies)
    lab = Lab(page, person, hub)
    lab.open("lab?reset")
    return lab
