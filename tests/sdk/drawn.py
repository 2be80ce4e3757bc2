"""Small datasets drawn in code, for the tests of tables, formats, archives and the store."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from retinue_sdk.table import AnnotationTable, make_table


def draw(path: Path, size: tuple[int, int] = (64, 48), shade: int = 0) -> Path:
    """An image whose bytes differ with the shade."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (shade % 256, 40, 90))
    ImageDraw.Draw(image).rectangle((2, 2, 8 + shade % 20, 9), fill=(250, 250, shade % 256))
    image.save(path)
    return path


def yolo(
    root: Path, labels: dict[str, str], yaml: str = "train: images/train\nval: images/val\nnames: [cat, dog]\n"
) -> Path:
    """A YOLO dataset: label text by image key."""
    for folder in ("images/train", "images/val"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, (key, text) in enumerate(labels.items()):
        draw(root / key, shade=number)
        label = root / key.replace("images/", "labels/", 1)
        label.parent.mkdir(parents=True, exist_ok=True)
        label.with_suffix(".txt").write_text(text, encoding="utf-8")
    (root / "data.yaml").write_text(yaml, encoding="utf-8")
    return root


def voc(root: Path, objects: dict[str, str], sets: dict[str, list[str]] | None = None) -> Path:
    """A Pascal VOC dataset: the XML of the objects by stem."""
    (root / "Annotations").mkdir(parents=True)
    for number, (stem, body) in enumerate(objects.items()):
        draw(root / "JPEGImages" / f"{stem}.jpg", shade=number)
        text = f"<annotation>\n<filename>{stem}.jpg</filename>\n<size><width>64</width><height>48</height></size>\n{body}\n</annotation>"
        (root / "Annotations" / f"{stem}.xml").write_text(text, encoding="utf-8")
    for name, stems in (sets or {}).items():
        (root / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / "Main" / f"{name}.txt").write_text("\n".join(stems), encoding="utf-8")
    return root


def voc_object(name: str, *corners: object, extra: str = "") -> str:
    """One <object> on one line."""
    tags = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{tag}>{corner}</{tag}>" for tag, corner in zip(tags, corners, strict=False))
    return f"<object><name>{name}</name>{extra}<bndbox>{box}</bndbox></object>"


def class_folders(root: Path, counts: dict[str, int]) -> Path:
    """Images in folders: how many for each folder."""
    for place, (folder, count) in enumerate(counts.items()):
        for number in range(count):
            draw(root / folder / f"{number}.png", shade=place * 50 + number)
    return root


def box_table(root: Path) -> AnnotationTable:
    """Three images with four boxes, two classes and a split."""
    keys = ["train/a.png", "train/b.png", "val/a.png"]
    paths = [str(draw(root / key, shade=number)) for number, key in enumerate(keys)]
    return make_table(
        {"key": keys, "path": paths, "width": 64, "height": 48, "split": ["train", "train", "val"]},
        {
            "image": [0, 0, 1, 2], "class_id": [0, 1, 1, 0], "kind": "box",
            "x1": [1, 2.5, 3, 10], "y1": [1, 2, 3, 10], "x2": [11, 12, 13.25, 20], "y2": [9, 8, 7, 40],
            "attributes": ['{"difficult":"1"}', "", "", ""],
        },
        ["cat", "dog"],
    )  # fmt: skip
