"""A dataset version out again: which formats there are, what one would lose, and the zip itself."""

import io
import json
import zipfile

import yaml
from tests.platform.running import problem, wait_for
from tests.platform.test_datasets import archive, folders, imported, picture


def boxes(images=3):
    files = {f"images/train/{i}.png": picture(i) for i in range(images)}
    labels = {f"labels/train/{i}.txt": f"{i % 2} 0.5 0.5 0.25 0.5\n".encode() for i in range(images)}
    return archive(files | labels | {"data.yaml": b"names: [cat, dog]\ntrain: images/train\n"})


def exported(client, dataset, form):
    answer = client.get(f"/datasets/{dataset['id']}/versions/1/archive", params={"format": form})
    assert answer.status_code == 200, answer.text
    return answer, zipfile.ZipFile(io.BytesIO(answer.content))


def test_installed_formats_are_listed(alice):
    listed = {f["name"]: f for f in alice.get("/formats").json()}
    assert listed["yolo_detect"] == {"name": "yolo_detect", "title": "YOLO detection", "writes": True}


def test_a_version_comes_out_in_another_format_and_goes_in_again(shared, alice, project):
    dataset = imported(alice, project, boxes(), name="Cats & dogs")
    assert dataset["status"] == "ready", dataset
    answer, packed = exported(alice, dataset, "pascal_voc")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="Cats---dogs-v1-pascal_voc.zip"'
    assert packed.testzip() is None
    assert {"JPEGImages/0.png", "Annotations/0.xml", "ImageSets/Main/train.txt"} <= set(packed.namelist())
    assert packed.read("JPEGImages/1.png") == picture(1)
    again = imported(alice, project, answer.content)
    assert again["versions"][0]["format"] == "pascal_voc"
    assert again["versions"][0]["annotations"] == 3
    assert wait_for(lambda: list((shared.data / "platform" / "work").iterdir()), lambda left: not left) == []


def test_class_ids_from_one_with_gaps_stay_through_version_and_export(alice, project):
    """Frameworks read labels from 0 without gaps only: an export has those, and the ids beside them."""
    config = b"format: yolo\nskip_if_label_file_missing: true\ntrain: images/train\nval: images/val\n"
    files = {f"images/{split}/{i}.png": picture(i) for i, split in enumerate(["train", "train", "val"])}
    texts = [b"13 0.125 0.25 0.5 0.25 0.5 0.75\n1 0.5 0.5 0.75 0.5 0.75 0.75 0.5 0.7\n", b"", b"90 0 0 1 0 0.5 1\n"]
    labels = {
        name.replace("images", "labels").replace("png", "txt"): text for name, text in zip(files, texts, strict=True)
    }
    names = b"names:\n  1: person\n  13: stop sign\n  90: toothbrush\n"
    dataset = imported(alice, project, archive(files | labels | {"config.yaml": config + names}))
    (version,) = dataset["versions"]
    assert (version["format"], version["classes"]) == ("yolo_segment", ["person", "stop sign", "toothbrush"])
    (finding,) = version["findings"]
    assert (finding["code"], finding["count"]) == ("yaml_unknown_key", 2)
    assert finding["examples"] == ["config.yaml: format", "config.yaml: skip_if_label_file_missing"]
    answer, packed = exported(alice, dataset, "yolo_segment")
    written = yaml.safe_load(packed.read("data.yaml"))
    assert written["names"] == {0: "person", 1: "stop sign", 2: "toothbrush"}
    assert written["class_ids"] == [1, 13, 90]
    lines = b"".join(packed.read(n) for n in sorted(packed.namelist()) if n.endswith(".txt")).splitlines()
    assert [(line[:1], len(line.split())) for line in lines] == [(b"1", 7), (b"0", 9), (b"2", 7)]
    assert lines[0] == b"1 0.12500000 0.25000000 0.50000000 0.25000000 0.50000000 0.75000000"
    again = imported(alice, project, answer.content)
    assert again["versions"][0]["findings"] == []
    for each in (dataset, again):
        header = json.loads(exported(alice, each, "ndjson")[1].read("dataset.ndjson").splitlines()[0])
        assert [(c["id"], c["name"]) for c in header["classes"]] == [
            (1, "person"),
            (13, "stop sign"),
            (90, "toothbrush"),
        ]


def test_losses_are_told_before(alice, project):
    dataset = imported(alice, project, boxes())
    where = f"/datasets/{dataset['id']}/versions/1/losses"
    losses = alice.get(where, params={"format": "image_folder"}).json()
    assert ("loss_kind", 3) in [(loss["code"], loss["count"]) for loss in losses]
    assert alice.get(where, params={"format": "yolo_detect"}).json() == []


def test_the_same_version_gives_the_same_images(alice, project):
    dataset = imported(alice, project, folders(images=3))
    _, packed = exported(alice, dataset, "image_folder")
    names = packed.namelist()
    assert len(names) == 6
    assert {name.split("/")[1] for name in names} == {"cat", "dog"}


def test_what_cannot_be_exported(alice, bob, project):
    dataset = imported(alice, project, folders(images=2))
    version = f"/datasets/{dataset['id']}/versions"
    problem(alice.get(f"{version}/1/archive", params={"format": "none"}), 422, "format_unknown")
    problem(alice.get(f"{version}/1/losses", params={"format": "none"}), 422, "format_unknown")
    problem(alice.get(f"{version}/7/archive", params={"format": "image_folder"}), 404, "not_found")
    problem(alice.get(f"{version}/1/archive"), 422, "invalid_request")
    problem(bob.get(f"{version}/1/archive", params={"format": "image_folder"}), 404, "not_found")
