"""The quickstart notebook, run by a real kernel against the real hub; and what a saved notebook holds afterwards."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "01_quickstart.ipynb"

pytestmark = [pytest.mark.hub, pytest.mark.heavy, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def executed(hub, people, tmp_path_factory):
    """The notebook after all its cells ran, in a folder of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copy(NOTEBOOK, folder)
    notebook = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RETINUE_URL", hub.settings.platform_url)
        patch.setenv("JUPYTERHUB_API_TOKEN", people().token())
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def outputs(notebook, containing):
    cell = next(c for c in notebook.cells if containing in c.source)
    return cell.outputs


def test_the_model_reads_digits(executed):
    said = outputs(executed, "of the first 200 digits")[0]["data"]["text/plain"]
    assert int(re.search(r"(\d+)%", said)[1]) >= 90


def test_objects_draw_themselves_as_tables(executed):
    assert "1797" in outputs(executed, "project.upload")[-1]["data"]["text/html"]
    assert "learning_rate" in outputs(executed, "%retinue parameters")[0]["data"]["text/html"]
    assert "sha256" in outputs(executed, "job.artifacts()\n"[:-1])[0]["data"]["text/html"]


def chart_of(cell_outputs):
    return next(o["data"] for o in cell_outputs if "image/svg+xml" in o.get("data", {}))


def test_the_saved_notebook_shows_the_finished_chart_without_a_kernel(executed):
    """In the file: the picture; in HTML made of it: the same; for JupyterLab: the job's id and its points."""
    for containing in ("%%train", "LiveChart(job.id)"):
        data = chart_of(outputs(executed, containing))
        assert data["image/svg+xml"].count("<polyline") >= 4
        assert "succeeded" in data["image/svg+xml"]
        saved = data["application/vnd.retinue.job+json"]
        assert len(saved["snapshot"]["val/top1"]["value"]) == 5
        assert "application/vnd.jupyter.widget-view+json" in data
    html, _ = HTMLExporter().from_notebook_node(executed)
    assert html.count("data:image/svg+xml;base64,") >= 2


def test_no_output_is_an_error_and_the_committed_file_has_none():
    committed = json.loads(NOTEBOOK.read_text())
    assert all(not c.get("outputs") for c in committed["cells"])
