"""The main job in a browser: sign up, drop a zip, launch, watch, lose the server, find everything again, cancel."""

import io
import zipfile

import nbformat
import pytest
from playwright.sync_api import expect

from tests import stranger
from tests.browser.conftest import answered, images_zip, make_dataset, recorded
from tests.sdk.test_video import video

pytestmark = [pytest.mark.browser, pytest.mark.hub, pytest.mark.timeout(900)]


def test_from_a_zip_to_a_whole_chart_across_a_restart_of_the_server(lab, hub):
    page = lab.page
    make_dataset(lab).click()
    expect(page.locator(".retinue-Item[data-dataset]")).to_contain_text("20 images · 2 classes")
    lab.choose("points counter")
    job = lab.start(points=6000, rate=150)

    page.wait_for_function("document.querySelector('[data-retinue-chart]').chart.store.size > 300")
    first = lab.chart(job)
    page.wait_for_function("document.querySelector('[data-retinue-chart]').chart.store.size > 900")
    assert lab.chart(job)["train/loss"][: len(first["train/loss"])] == first["train/loss"]
    expect(page.locator(".retinue-Chart canvas").first).to_be_visible()

    lab.person.stop_server()
    expect(page.locator(".retinue-Connection")).to_contain_text("Your Jupyter server is not running")
    lab.person.start_server()
    lab.open()
    expect(page.locator(".retinue-Job-head .retinue-Status")).to_have_text("Succeeded")
    page.wait_for_function("document.querySelector('[data-retinue-chart]').chart.store.size >= 12000")
    written = recorded(hub, job)
    assert len(written["train/loss"]) == 6000
    assert lab.chart(job) == written
    assert answered(lab, job) == written
    expect(page.locator(".retinue-Files a")).to_have_text(["last.bin"])
    with page.expect_download() as download:
        page.locator(".retinue-Files a").click()
    assert download.value.path().read_bytes() == b"points" * 100


def test_what_is_wrong_is_shown_at_its_field_and_what_is_deleted_elsewhere_goes(lab):
    make_dataset(lab).click()
    lab.choose("points counter")
    lab.parameter("points").locator("input").fill("0")
    expect(lab.parameter("points").get_by_role("alert")).not_to_be_empty()
    expect(lab.page.get_by_role("button", name="Start training")).to_be_disabled()
    lab.parameter("points").locator("input").fill("5")
    expect(lab.parameter("points").get_by_role("alert")).to_be_empty()
    expect(lab.page.get_by_role("button", name="Start training")).to_be_enabled()
    item = lab.page.locator(".retinue-Item[data-dataset]")
    lab.person.api("DELETE", f"datasets/{item.get_attribute('data-dataset')}")
    expect(item).to_have_count(0)
    expect(lab.page.locator(".retinue-Launch")).to_contain_text("no dataset to train on")


def test_what_is_not_a_dataset_is_refused_with_reason_and_cure(lab):
    lab.create_project("Broken")
    lab.drop("notes.zip", b"these are not the images you are looking for")
    problem = lab.page.locator(".retinue-Panel .retinue-Problem")
    expect(problem).to_contain_text("zip")
    lab.drop("alone.png", b"never sent")
    expect(problem.filter(has_text="A single image is no dataset")).to_contain_text("Add images…")
    expect(lab.page.locator(".retinue-Item[data-dataset]")).to_have_count(1)


def test_a_strangers_format_is_offered_and_recognised(lab):
    lab.create_project("Stranger")
    offered = lab.page.locator(".retinue-Drop").get_by_label("Format").locator("option")
    expect(offered.filter(has_text="labels.csv beside the images")).to_have_count(1)
    lab.drop("theirs.zip", stranger.packed(stranger.dataset()))
    item = lab.page.locator(".retinue-Item[data-dataset]")
    expect(item).to_contain_text("6 images · 2 classes")
    expect(item).to_contain_text("labels_csv v1")


def notebook(job, name, snapshot):
    data = {
        "application/vnd.retinue.job+json": {"job_id": job, "name": name, "status": "running", "snapshot": snapshot},
        "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "text/plain": name,
    }
    cell = nbformat.v4.new_code_cell("chart", outputs=[nbformat.v4.new_output("display_data", data=data)])
    return nbformat.v4.new_notebook(cells=[cell])


def test_a_saved_notebook_shows_the_chart_without_a_kernel(lab, hub):
    make_dataset(lab).click()
    lab.choose("points counter")
    job = lab.start(points=500, rate=1000)
    expect(lab.page.locator(".retinue-Job-head .retinue-Status")).to_have_text("Succeeded")

    snapshot = {"train/loss": {"step": [1, 2], "value": [0.5, "NaN"]}}
    nbformat.write(notebook(job, "alive", snapshot), lab.home() / "alive.ipynb")
    nbformat.write(notebook("00000000-0000-0000-0000-000000000000", "gone", snapshot), lab.home() / "gone.ipynb")
    lab.open("lab/tree/alive.ipynb")
    whole = "document.querySelector('.jp-Notebook .retinue-Chart')?.chart?.store.size"
    lab.page.wait_for_function(f"{whole} === 1000")
    lab.open("lab/tree/gone.ipynb")
    expect(lab.page.locator(".retinue-Output-head").last).to_contain_text("saved picture")
    charts = "[...document.querySelectorAll('.jp-Notebook .retinue-Chart')].map(n => n.chart.store.size)"
    assert 2 in lab.page.evaluate(charts)


def test_a_dataset_grows_is_compared_restored_exported_and_taken_out_of_the_trash(lab):
    page = lab.page
    make_dataset(lab)
    page.get_by_title("Open shapes").click()
    body = page.locator(".retinue-Dataset-body")
    body.get_by_text("Add images…").click()
    more = {"name": "more.zip", "mimeType": "application/zip", "buffer": images_zip(("circle", "square"), count=40)}
    body.get_by_label("Archive, image or video").set_input_files(more)
    body.get_by_label("Incoming class").first.fill("circle")
    body.get_by_label("Existing class").first.select_option(label="round")
    body.get_by_role("button", name="Add to the dataset").click()
    expect(body).to_contain_text("70 images added, 0 replaced, 0 skipped")
    expect(page.locator(".retinue-Item[data-dataset]")).to_contain_text("90 images · 2 classes")

    body.get_by_role("button", name="Compare version 1 with the newest").click()
    changed = body.locator(".retinue-Compare")
    expect(changed).to_contain_text("50 of 70 changes")
    changed.get_by_role("button", name="Show more").click()
    expect(changed).to_contain_text("square/39.png")
    expect(changed.get_by_role("button", name="Show more")).to_have_count(0)
    changed.get_by_label("To").select_option(label="v1")
    expect(changed).to_contain_text("These versions are the same.")
    changed.get_by_label("From").select_option(label="v2")
    expect(changed).to_contain_text("What changed from version 2 to version 1")
    expect(changed).to_contain_text("removed")
    body.get_by_role("button", name="Restore version 1").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Restore").click()
    expect(body).to_contain_text("Version 1 restored.")

    export = body.get_by_role("region", name="Export")
    export.get_by_label("Format").select_option(label="Pascal VOC")
    expect(export.locator(".retinue-Losses")).to_be_visible()
    with page.expect_download() as download:
        export.get_by_role("link", name="Download zip").click()
    assert download.value.path().read_bytes().startswith(b"PK")

    body.get_by_role("button", name="Move to trash").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Move to trash").click()
    expect(page.locator(".retinue-Dataset")).to_contain_text("in the trash")
    page.locator(".retinue-Trash summary").click()
    page.get_by_role("button", name="Restore shapes").click()
    expect(page.locator(".retinue-Item[data-dataset]")).to_contain_text("20 images")


def test_data_comes_from_files_and_places_and_what_fails_is_tried_again_or_put_away(lab, opened):
    page = lab.page
    lab.create_project("Sources")
    for folder, side in ((lab.home() / "pets", 16), (opened / "birds", 17)):
        with zipfile.ZipFile(io.BytesIO(images_zip(side=side))) as archive:
            archive.extractall(folder)
    item = page.locator(".retinue-Item[data-dataset]")

    (lab.home() / "alone.png").write_bytes(b"no more than an image")
    make = page.get_by_role("menuitem", name="Make a Retinue dataset of this")
    page.locator('.lm-TabBar-tab[data-id="filebrowser"]').click()
    page.locator(".jp-DirListing-item", has_text="alone").click(button="right")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_visible()
    expect(make).to_have_count(0)
    page.keyboard.press("Escape")
    page.locator(".jp-DirListing-item", has_text="pets").click(button="right")
    make.click()
    expect(item.filter(has_text="pets")).to_contain_text("20 images · 2 classes")

    page.get_by_role("button", name="From a URL or bucket…").click()
    form = page.locator(".jp-Dialog")
    expect(form).to_contain_text(opened.as_uri())
    form.get_by_label("Address").fill("https://example.org/birds.zip")
    page.keyboard.press("Enter")
    expect(form.get_by_role("alert")).to_contain_text("Imports from a URL are off")
    form.get_by_label("Address").fill(f"{opened.as_uri()}/birds")
    form.get_by_label("Leave the images").check()
    page.keyboard.press("Enter")
    birds = item.filter(has_text="birds")
    expect(birds).to_contain_text("20 images · 2 classes")

    page.locator(".retinue-Drop").get_by_label("Format").select_option(label="COCO")
    lab.drop("shapes.zip", images_zip())
    shapes = item.filter(has_text="shapes")
    expect(shapes.get_by_role("alert")).to_contain_text("another format")
    shapes.get_by_label("Read it as").select_option(label="Recognise it")
    shapes.get_by_role("button", name="Try the import of shapes again").click()
    expect(shapes).to_contain_text("20 images · 2 classes")

    page.get_by_title("Open birds").click()
    body = page.locator(".retinue-Dataset-body")
    expect(body).to_contain_text(f"Made from {opened.as_uri()}/birds")
    expect(body).to_contain_text("20 of its images stay there")
    body.get_by_text("Add images…").click()
    bad = {"name": "notes.zip", "mimeType": "application/zip", "buffer": b"no images at all"}
    body.get_by_label("Archive, image or video").set_input_files(bad)
    body.get_by_role("button", name="Add to the dataset").click()
    expect(body.get_by_role("alert")).to_contain_text("archive")
    body.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".retinue-Problem")).to_have_count(0)


def test_a_video_that_failed_is_tried_again_with_other_frames(lab, opened):
    page = lab.page
    lab.create_project("Film")
    film = opened / "film.mp4"
    whole = video(film).read_bytes()
    film.write_bytes(whole[:100])
    page.get_by_role("button", name="From a URL or bucket…").click()
    page.locator(".jp-Dialog").get_by_label("Address").fill(f"{opened.as_uri()}/film.mp4")
    page.keyboard.press("Enter")
    item = page.locator(".retinue-Item[data-dataset]")
    expect(item.get_by_role("alert")).to_contain_text("video_unreadable")
    film.write_bytes(whole)
    item.get_by_label("Unit").select_option(label="frames")
    item.get_by_label("One every").fill("5")
    item.get_by_role("button", name="Try the import of film again").click()
    expect(item).to_contain_text("4 images")
