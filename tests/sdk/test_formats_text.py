"""What DOTA, KITTI and Open Images share: encodings, pairs, which of them it is, and files of any content."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retinue_sdk import formats
from retinue_sdk.formats import dota, image_folder, index_masks, kitti, open_images, yolo_detect
from retinue_sdk.formats.report import CODES
from tests.sdk.checks import codes, few
from tests.sdk.drawn import draw, yolo
from tests.sdk.text_labels import HEADER, SHIP, cars, pictures, ships


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (SHIP.encode("utf-16"), "label_unreadable"),
        (b"10 10\0 30", "label_unreadable"),
        (b"\xff\xfe\x00", "label_unreadable"),
        (b"\xef\xbb\xbf" + SHIP.encode(), None),
        (b" " * 33_000_000, "label_too_long"),
        (b"\n" * 100_001, "label_too_long"),
        (b"", None),
        (b" \r\n \r", None),
    ],
)
def test_encodings_of_label_files(tmp_path, content, code):
    table, findings = dota.read(ships(tmp_path, content))
    assert codes(findings) == ({code: 1} if code else {})
    assert len(table.annotations) == (2 if b"ship" in content and not code else 1)


@pytest.mark.parametrize(("module", "made"), [(dota, ships), (kitti, cars)])
def test_images_and_labels_without_each_other_are_counted(tmp_path, module, made):
    root = made(tmp_path)
    folder = next(root.glob("*/[il]*e*s")) if module is dota else root / "training/image_2"
    draw(folder / "lonely.png", shade=9)
    draw(folder / "a.jpg", shade=10)
    next(root.glob("*/l*/a.txt")).with_name("ghost.txt").write_text("")
    table, findings = module.read(root)
    assert codes(findings) == {"image_without_label": 1, "label_without_image": 1, "image_same_stem": 1}
    assert len(table) == 4


def test_each_is_detected_and_claims_nothing_else(tmp_path):
    made = {
        "dota": ships(tmp_path / "d"),
        "kitti": cars(tmp_path / "k"),
        "open_images": pictures(tmp_path / "o"),
        "yolo_detect": yolo(tmp_path / "y", {"images/train/a.png": "0 0.5 0.5 0.1 0.1"}),
    }
    modules = (dota, kitti, open_images, image_folder, index_masks, yolo_detect)
    for name, root in made.items():
        confidence = {module.NAME: module.sniff(root) for module in modules}
        assert max(confidence, key=confidence.get) == name
        assert confidence[name] >= 0.9 > 3 * max(v for k, v in confidence.items() if k != name)


@pytest.mark.parametrize("module", [dota, kitti, open_images])
def test_nothing_is_no_dataset(tmp_path, module):
    draw(tmp_path / "images/a.png")
    (tmp_path / "a.csv").write_bytes(b"\xff\0")
    assert module.sniff(tmp_path) < formats.LOWEST_CONFIDENCE


# --- whatever bytes -------------------------------------------------------------------------------------------------------


words = st.one_of(
    st.floats().map(str),
    st.integers(-5, 2000).map(str),
    st.text(max_size=4),
    st.sampled_from(["ship", "Car", "gsd:1", "imagesource:", "-1", "1e400", "\x85", "a", '"', "DontCare"]),
)

lines = st.lists(st.lists(words, max_size=17).map(" ".join), max_size=5).map("\n".join)


def encode(text):
    return text.encode("utf-8", "surrogatepass")


contents = st.one_of(st.binary(max_size=60), lines.map(encode))


def check(module, root):
    module.sniff(root)
    table, findings = module.read(root)
    assert {f.code for f in findings} <= CODES.keys()
    assert all(len(f.examples) <= 10 for f in findings)
    return table


@pytest.fixture
def made(tmp_path):
    return {
        dota: ships(tmp_path / "d") / "train/labelTxt/a.txt",
        kitti: cars(tmp_path / "k") / "training/label_2/a.txt",
        open_images: pictures(tmp_path / "o") / "train-annotations-bbox.csv",
    }


@few
@given(contents)
@example(b"0 0 1 0 1 1 0 1 \xc2\xa0 0")
@example(b"gsd:" + b"9" * 400)
@example(b"10 10 30 12 29 22 9 20 ship 1e30")
def test_damaged_label_files(tmp_path, made, content):
    for module in (dota, kitti):
        made[module].write_bytes(content)
        table = check(module, made[module].parents[2])
        module.write(table, tmp_path / "out" / module.NAME)


@few
@given(st.one_of(contents, st.lists(st.lists(words, max_size=14).map(",".join)).map("\n".join).map(encode)))
@example(b"ImageID,ImageID,LabelName,XMin,XMax,YMin,YMax\na,a,b,0,1,0,1")
@example(b"ImageID,LabelName,Confidence\na,\x00,1\n")
def test_damaged_csv_files(made, content):
    path = made[open_images]
    for name in (path.name, "class-descriptions-boxable.csv", "other.csv"):
        path.with_name(name).write_bytes(content)
    check(open_images, path.parent)
    path.write_bytes(HEADER.encode() + content)
    check(open_images, path.parent)
