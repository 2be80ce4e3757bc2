"""The notebook in a browser: `%%train` draws a chart that grows, a restarted kernel finds it again, the file keeps it."""

import contextlib
import json
import os
import random
import re
import secrets
import subprocess
import sys
import time

import httpx
import nbformat
import pytest
from hub_config.session import free_ports
from playwright.sync_api import expect

from tests.browser.conftest import answered, images_zip, recorded, triples

pytestmark = [pytest.mark.browser, pytest.mark.hub, pytest.mark.timeout(900)]

CHART = "[...document.querySelectorAll('.jp-Notebook .retinue-Chart')].at(-1)?.chart"
JOB_MIME = "application/vnd.retinue.job+json"


class Notebook:
    """What a person does in a notebook."""

    def __init__(self, page):
        self.page, self.ran = page, 0
        page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
        self.idle()

    def idle(self):
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("| Idle")

    def start(self, source):
        """Write into the last cell and run it."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(self.ran)
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Shift+Enter")
        self.ran += 1
        return cell

    def run(self, source):
        """The same, until it is done."""
        cell = self.start(source)
        expect(cell.locator(".jp-InputArea-prompt")).to_have_text(re.compile(r"\[\d+\]:"))
        return cell

    def menu(self, title, *words):
        self.page.locator(".lm-MenuBar-itemLabel", has_text=title).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile("^" + words[0])).first.click()

    def restart_kernel(self):
        self.menu("Kernel", "Restart Kernel…")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.idle()

    def points(self, count):
        """The last chart's own arrays, once they hold as many values."""
        chart = self.page.wait_for_function(f"{CHART}?.store.size >= {count} && JSON.stringify({CHART}.data)")
        return triples(json.loads(chart.json_value()))

    def save(self, name):
        self.page.keyboard.press("Control+s")
        self.page.locator(".jp-Dialog input[type=text]").fill(name)  # the first time, Lab asks how to call it
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        expect(self.page.locator(".lm-DockPanel .lm-TabBar-tabLabel", has_text=name)).to_be_visible()
        expect(self.page.locator(".lm-DockPanel .lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)


def train(notebook, name, points, rate):
    """From nothing to a chart in a cell; the job's id."""
    notebook.run(f"%load_ext retinue\nimport retinue\nproject = retinue.connect('{name}', create=True)")
    uploaded = notebook.run("project.upload('shapes.zip')")
    expect(uploaded.locator(".jp-OutputArea-output").last).to_contain_text("train 16")
    cell = notebook.run(f"%%train points/counter shapes\npoints = {points}\nrate = {rate}")
    return re.search(r"Job (\S+) is", cell.locator(".jp-OutputArea-output").first.inner_text())[1]


def saved_chart(path, cell):
    outputs = nbformat.read(path, as_version=4).cells[cell].outputs
    return next(o.data for o in outputs if "image/svg+xml" in o.get("data", {}))


def test_a_chart_in_a_cell_outlives_its_kernel_and_stays_in_the_file(lab, hub):
    page = lab.page
    (lab.home() / "shapes.zip").write_bytes(images_zip())
    notebook = Notebook(page)
    job = train(notebook, "Notebook", points=3000, rate=150)

    first = notebook.points(300)["train/loss"]
    assert notebook.points(2 * len(first) + 300)["train/loss"][: len(first)] == first
    notebook.restart_kernel()
    notebook.run(f'import retinue; retinue.LiveChart("{job}")')
    expect(page.locator(".jp-Notebook .retinue-Chart")).to_have_count(2)
    drawn = notebook.points(6000)
    assert len(drawn["train/loss"]) == 3000
    assert drawn == recorded(hub, job) == answered(lab, job)

    expect(page.locator(".retinue-Output-head").last).to_contain_text("Succeeded")
    notebook.run("assert _.wait(60)")
    notebook.save("kept.ipynb")
    file = lab.home() / "kept.ipynb"
    data = saved_chart(file, 3)
    assert "succeeded" in data["image/svg+xml"]
    assert data["image/svg+xml"].count("<polyline") == 2
    assert data[JOB_MIME]["snapshot"]["val/top1"]["step"][-1] == 3000

    without_kernel(lab, file)
    expect(page.locator(".jp-Notebook .retinue-Chart")).to_have_count(2)
    assert notebook.points(6000) == drawn
    expect(page.locator(".jp-Notebook")).not_to_contain_text("Error displaying widget")


def without_kernel(lab, file):
    """Open a copy made with a kernel that is not here, and choose none."""
    kept = nbformat.read(file, as_version=4)
    kept.metadata = {"kernelspec": {"name": "elsewhere", "display_name": "Elsewhere", "language": "elsewhere"}}
    nbformat.write(kept, file.with_name("read.ipynb"))
    lab.open("lab/tree/read.ipynb?reset")
    dialog = lab.page.locator(".jp-Dialog", has_text="Select Kernel")
    dialog.locator("select").select_option(label="No Kernel")
    dialog.locator(".jp-mod-accept").click()
    expect(lab.page.locator(".jp-Toolbar-kernelName:visible")).to_have_text("No Kernel")


@contextlib.contextmanager
def plain_lab(hub, person, folder):
    """JupyterLab of that person elsewhere, with our kernel package but without our extension; its address."""
    (folder / "labconfig").mkdir()
    (folder / "labconfig" / "page_config.json").write_text('{"disabledExtensions": {"retinue": true}}')
    port, token = free_ports(random.randrange(20_000, 31_000)), secrets.token_hex()
    environment = os.environ | {
        "RETINUE_URL": hub.settings.platform_url, "JUPYTERHUB_API_TOKEN": person.token(), "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    base = f"http://127.0.0.1:{port}"
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=environment, stderr=log) as server,
    ):
        try:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(f"{base}/api", trust_env=False).raise_for_status()
                    break
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
            yield f"{base}/lab?token={token}"
        finally:
            server.terminate()


def test_without_our_extension_the_widget_draws_the_same_chart(newcomer, hub, page, tmp_path):
    person, _ = newcomer
    (tmp_path / "shapes.zip").write_bytes(images_zip())
    with plain_lab(hub, person, tmp_path) as address:
        page.goto(address)
        notebook = Notebook(page)
        expect(page.locator('.lm-TabBar-tab[data-id="retinue-panel"]')).to_have_count(0)
        job = train(notebook, "Widget", points=1500, rate=150)
        first = notebook.points(300)["train/loss"]
        notebook.points(2 * len(first) + 300)
        notebook.run(f'import retinue; retinue.LiveChart("{job}")')
        assert notebook.points(3000) == recorded(hub, job)
        expect(page.locator(".retinue-Chart-head").last).to_contain_text("succeeded")
        expect(page.locator(".retinue-Chart canvas").first).to_be_visible()
