"""What a person would lose in the panel, and does not: a form's content, an upload, a connection, a long training."""

import io
import os
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import images_zip, make_dataset
from tests.conftest import marks_of
from tests.faults.kills import command_of, service, stopped

pytestmark = [pytest.mark.browser, pytest.mark.hub, pytest.mark.timeout(900)]

SIDE = 2600  # an image of noise with 20 MB, which are three chunks


def large_zip():
    """The usual images, and one that takes more than a chunk."""
    buffer = io.BytesIO(images_zip())
    noise = io.BytesIO()
    Image.frombytes("RGB", (SIDE, SIDE), os.urandom(3 * SIDE * SIDE)).save(noise, "PNG", compress_level=0)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("round/large.png", noise.getvalue())
    return buffer.getvalue()


def answer(page, choice=None, name=None):
    """Answer the question about a name that is taken."""
    dialog = page.locator(".jp-Dialog")
    if choice:
        dialog.get_by_label(choice).check()
    if name:
        dialog.get_by_role("textbox").fill(name)
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_have_count(0)


def chunks(page):
    """Addresses of the chunks sent from now on."""
    sent = []
    page.on(
        "request",
        lambda request: sent.append(request.url) if "/uploads/" in request.url and request.method == "PUT" else None,
    )
    return sent


def test_the_launch_form_keeps_dataset_and_parameters_when_models_and_lists_change(lab):
    page = lab.page
    make_dataset(lab).click()
    lab.choose("points counter")
    points = lab.parameter("points").locator("input")
    dataset = page.locator(".retinue-Launch-line option:checked")
    points.fill("7")

    lab.drop("newer.zip", images_zip(side=17))
    expect(page.get_by_role("button", name="Train on newer")).to_be_visible()
    page.locator(".retinue-Panel").get_by_role("button", name="Refresh", exact=True).click()
    expect(page.locator(".retinue-Launch-line option")).to_have_count(2)
    expect(dataset).to_contain_text("shapes")
    expect(points).to_have_value("7")

    lab.choose("points any")
    expect(page.locator(".retinue-Picker-list option:checked")).to_contain_text("any/thing")
    expect(points).to_have_value("7")
    lab.choose("huggingface")
    expect(page.locator(".retinue-Launch")).to_contain_text("not taken by this one: points")
    expect(points).to_have_count(0)
    lab.create_project("Other")  # the form stays with the project it was opened in
    lab.choose("points counter")
    expect(points).to_have_value("7")
    expect(dataset).to_contain_text("shapes")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


def test_a_name_that_is_taken_is_asked_about_and_nothing_is_sent_twice(lab):
    page = lab.page
    make_dataset(lab)
    item = page.locator(".retinue-Item[data-dataset]")
    name = page.locator(".jp-Dialog").get_by_role("textbox")

    lab.drop("Shapes.zip", images_zip(side=17, count=3))
    expect(name).to_have_value("Shapes-2")
    answer(page)
    expect(item.filter(has_text="Shapes-2")).to_contain_text("6 images")
    lab.drop("shapes.zip", images_zip(classes=("third",), count=4))
    answer(page, choice="Add to it")
    expect(item.filter(has_text=re.compile(r"^shapes"))).to_contain_text("24 images · 3 classes")

    # these two are one name, but only the platform knows: it says so when everything has been sent
    lab.drop("strasse.zip", images_zip(side=18))
    expect(item.filter(has_text="strasse")).to_contain_text("20 images")
    lab.drop("straße.zip", images_zip(side=19))
    page.get_by_role("button", name="Choose what to do…").click()
    expect(name).to_have_value("straße-2")
    sent = chunks(page)
    answer(page, name="road")
    expect(item.filter(has_text="road")).to_contain_text("20 images")
    assert not sent


def test_a_project_whose_name_is_taken_is_opened_or_made_under_another(lab):
    page = lab.page
    shown = page.locator(".retinue-Panel-project option:checked")

    def ask_for(name):
        page.get_by_role("button", name="New project").click()
        page.locator(".jp-Dialog input").fill(name)
        page.locator(".jp-Dialog .jp-mod-accept").click()
        expect(page.locator(".jp-Dialog")).to_contain_text("You have a project")

    lab.create_project("Twice")
    name = shown.inner_text()
    lab.create_project("Between")
    ask_for(name.upper())
    answer(page, choice="Open it")
    expect(shown).to_have_text(name)
    ask_for(name)
    expect(page.locator(".jp-Dialog").get_by_role("textbox")).to_have_value(f"{name}-2")
    answer(page)
    expect(shown).to_have_text(f"{name}-2")


def test_an_upload_outlives_its_page_and_goes_on_where_it_was(lab, tmp_path):
    page = lab.page
    archive, other = tmp_path / "large.zip", tmp_path / "other.zip"
    archive.write_bytes(large_zip())
    other.write_bytes(images_zip())
    upload = page.locator(".retinue-Upload")
    later_chunks = re.compile(r"/uploads/[^/]+offset=[1-9]")

    def go_on_with(path):
        with page.expect_file_chooser() as chooser:
            upload.get_by_role("button", name="Continue the upload of large.zip").click()
        chooser.value.set_files(path)

    lab.create_project("Reload")
    page.route(later_chunks, lambda route: route.abort())  # the network breaks behind the first chunk
    page.locator("input[data-retinue=upload]").set_input_files(archive)
    expect(upload).to_contain_text("8.0 MiB of 19 MiB")
    lab.open()
    page.unroute(later_chunks)
    expect(upload).to_have_attribute("data-state", "interrupted")
    expect(upload).to_contain_text("8.0 MiB of 19 MiB")
    expect(upload).to_contain_text("Interrupted: its page was closed or reloaded.")

    go_on_with(other)
    expect(upload.get_by_role("alert")).to_contain_text("is not the file that was being sent")
    sent = chunks(page)
    go_on_with(archive)
    expect(page.locator(".retinue-Item[data-dataset]")).to_contain_text("21 images · 2 classes")
    expect(upload).to_have_count(0)
    assert [re.findall(r"offset=(\d+)", url) for url in sent] == [["8388608"], ["16777216"]]

    lab.open()
    expect(page.locator(".retinue-Item[data-dataset]")).to_contain_text("21 images")
    expect(upload).to_have_count(0)


def test_an_outage_is_said_and_everything_comes_back_by_itself(lab, hub, opened):
    page = lab.page
    connection = page.locator(".retinue-Connection")
    item = page.locator(".retinue-Item[data-dataset]")

    def platform():
        return service(marks_of(hub.settings), command_of(hub.settings, "platform"))

    make_dataset(lab)
    with stopped(platform()):
        expect(connection).to_contain_text("No connection to the platform; trying again")
        expect(item).to_contain_text("20 images")  # what is known stays
        page.get_by_role("button", name="From a URL or bucket…").click()
        form = page.locator(".jp-Dialog")
        expect(form).to_be_visible()
    expect(form).to_contain_text(opened.as_uri())
    expect(form.get_by_label("Format").locator("option").filter(has_text="COCO")).not_to_have_count(0)
    form.get_by_role("button", name="Cancel").click()
    expect(connection).to_be_empty()

    with stopped(platform()):
        lab.open()
        expect(connection).to_contain_text("No connection to the platform; trying again")
        expect(page.locator(".retinue-Problem")).to_have_count(0)
    expect(item).to_contain_text("20 images")
    expect(connection).to_be_empty()

    page.context.set_offline(True)
    page.locator(".retinue-Panel").get_by_role("button", name="Refresh", exact=True).click()
    expect(connection).to_contain_text("Your Jupyter server cannot be reached")
    page.context.set_offline(False)
    expect(connection).to_be_empty()

    lab.person.stop_server()
    expect(connection).to_contain_text("Your Jupyter server is not running")
    lab.person.start_server()
    expect(page.locator(".retinue-Problem")).to_contain_text("Reload the page")  # the hub has ended the session
    lab.open()
    expect(item).to_contain_text("20 images")
    expect(connection).to_be_empty()


def test_a_training_is_cancelled_at_once_and_a_long_one_only_after_asking(lab):
    page = lab.page
    make_dataset(lab).click()
    lab.choose("points counter")
    lab.start(points=100_000, rate=50)
    status = page.locator(".retinue-Job-head .retinue-Status")
    dialog = page.locator(".jp-Dialog")
    expect(status).to_have_text("Running")

    page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=11))
    page.get_by_role("button", name="Cancel now").click()
    expect(dialog).to_contain_text(re.compile(r"It has run for 1[01]:\d\d\..*last checkpoint is lost"))
    dialog.get_by_role("button", name="Go on training").click()
    expect(status).to_have_text("Running")
    page.clock.set_fixed_time(datetime.now(UTC))
    page.get_by_role("button", name="Cancel now").click()
    expect(status).to_have_text("Cancelled")


def test_what_is_deleted_is_named_first(lab):
    page = lab.page
    make_dataset(lab)
    page.get_by_title("Open shapes").click()
    dialog = page.locator(".jp-Dialog")
    page.get_by_role("button", name="Move to trash").click()
    expect(dialog).to_contain_text("its one version, with 20 images")
    dialog.get_by_role("button", name="Keep it").click()
    page.locator(".retinue-Drop").get_by_label("Format").select_option(label="COCO")
    lab.drop("wrong.zip", images_zip())
    page.get_by_role("button", name="Delete wrong").click()
    expect(dialog).to_contain_text("have to be sent again")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator(".retinue-Item[data-dataset]")).to_have_count(1)
