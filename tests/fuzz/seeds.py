"""What is changed: for every format, datasets that are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from retinue_sdk import formats, raster
from retinue_sdk.table import AnnotationTable, concat
from tests.sdk import coco_files, mask_folders, text_labels, tool_exports
from tests.sdk.drawn import draw
from tests.sdk.samples import sample
from tests.sdk.yolo_rows import GOOD, config_of, made

Maker = Callable[[Path], Any]
WIDE = {
    "ndjson",
    "index_masks",
    "voc_segmentation",
    "cityscapes",
    "ade20k",
    "coco_panoptic",
}  # a file or a line for each image


def seeds(name: str, folder: Path) -> list[Path]:
    """Datasets of a format, in folders of their own."""
    form = formats.get(name)
    makers: dict[str, Maker] = dict(MORE.get(name, {}))
    for kind in form.HOLDS.kinds if hasattr(form, "write") else ():
        makers[kind] = lambda place, kind=kind: form.write(_table(kind, place.parent / "drawn" / kind, name), place)
    found = []
    for number, maker in enumerate(makers.values()):
        place = folder / "seeds" / str(number) / "data"
        place.mkdir(parents=True)
        maker(place)
        found.append(place)
    return found


def _table(kind: str, folder: Path, name: str) -> AnnotationTable:
    tables = []
    for number in range(4 if name in WIDE else 1):
        table = sample(kind, folder / str(number))
        split = table.images["split"]
        tables.append(table.with_images(key=[f"{s}/{number}-{i}.png" for i, s in enumerate(split)]))
    return concat(tables)


def _coco(root: Path) -> None:
    """All that an annotation may have: polygons, both kinds of run lengths, keypoints."""
    mask = np.zeros((48, 64), dtype=bool)
    mask[5:20, 10:30] = True
    runs = raster.encode(mask)
    items = [
        coco_files.item(1, segmentation=[coco_files.TRIANGLE, coco_files.SQUARE]),
        coco_files.item(2, segmentation={"size": [48, 64], "counts": raster.compress(runs).decode()}),
        coco_files.item(3, segmentation={"size": [48, 64], "counts": runs.tolist()}, iscrowd=1),
        coco_files.item(
            4, category_id=7, keypoints=[12, 12, 2, 15, 15, 1], num_keypoints=2, attributes={"occluded": True}
        ),
        coco_files.item(5),
    ]
    coco_files.save(root, coco_files.content(*items))


def _panoptic(root: Path) -> None:
    """Two images whose segments are colours."""
    images, annotations = [], []
    for number in range(1, 21):
        draw(root / f"val2017/{number}.jpg", shade=number)
        pixels = np.zeros((48, 64, 3), dtype=np.uint8)
        pixels[5:20, 10:30] = (number, 1, 0)
        pixels[20:40, 30:50] = (7, 0, 0)
        mask_folders.save(root / f"annotations/panoptic_val2017/{number}.png", pixels)
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 64, "height": 48})
        segments = [
            {"id": number + 256, "category_id": 1, "iscrowd": 0, "area": 300, "bbox": [10, 5, 20, 15]},
            {"id": 7, "category_id": 7},
        ]
        annotations.append({"image_id": number, "file_name": f"{number}.png", "segments_info": segments})
    document = {"images": images, "annotations": annotations, "categories": coco_files.CATEGORIES}
    (root / "annotations/panoptic_val2017.json").write_text(json.dumps(document))


def _studio(root: Path) -> None:
    painted = np.zeros((48, 64), dtype=bool)
    painted[5:20, 10:30] = True
    results = [
        tool_exports.rectangle(),
        tool_exports.rectangle(rotation=30, key="turned"),
        tool_exports.result({"points": [[1, 1], [50, 1], [50, 60]], "polygonlabels": ["car"]}, key="p"),
        tool_exports.result(
            {"x": 50, "y": 50, "radiusX": 5, "radiusY": 9, "rotation": 3, "ellipselabels": ["car"]}, key="e"
        ),
        tool_exports.result({"x": 50, "y": 50, "width": 1, "keypointlabels": ["nose"]}, key="k", parentID="r"),
        tool_exports.result({"format": "rle", "rle": tool_exports.brush(painted), "brushlabels": ["car"]}, key="b"),
        tool_exports.result({"choices": ["day", "night"]}, tool="time", key="c"),
        tool_exports.result({"number": 3.5}, tool="weight", key="n"),
    ]
    tool_exports.studio(root, tool_exports.task(*results))


def _cvat(root: Path) -> None:
    tool_exports.cvat_dataset(
        root,
        '<box label="car" source="manual" occluded="0" xtl="1" ytl="2" xbr="11" ybr="12" z_order="0"><attribute name="doors">4</attribute></box>\n'
        '<box label="car" xtl="10" ytl="12" xbr="21" ybr="22" rotation="30"/>\n<polygon label="car" points="1,2;10,2;10,12"/>\n'
        '<polyline label="car" points="1,2;10,2"/>\n<points label="car" points="1,2;3,4"/>\n<ellipse label="car" cx="20" cy="20" rx="5" ry="9"/>\n'
        '<cuboid label="car" xtl1="1" ytl1="2"/>\n<mask label="car" rle="2, 3, 4, 5, 6" left="10" top="5" width="5" height="4"/>\n'
        '<skeleton label="person" z_order="0"><points label="head" occluded="0" outside="0" points="5,5"/>'
        '<points label="foot" occluded="1" outside="0" points="5,25"/></skeleton>\n<tag label="car" source="manual"></tag>',
    )  # fmt: skip


def _labelme(root: Path) -> None:
    shape = tool_exports.labelme_shape
    tool_exports.labelme_dataset(
        root,
        shape("rectangle", [[1, 2], [11, 12]], group_id=1), shape("point", [[3, 4]], "nose", group_id=1),
        shape("polygon", [[1, 2], [11, 2], [11, 12]]), shape("circle", [[20, 20], [25, 20]]),
        shape("oriented_rectangle", [[1, 2], [11, 2], [11, 12], [1, 12]]),
        shape("mask", [[5, 5], [9, 8]], mask=tool_exports.png([[0, 1, 1, 1, 0]] * 4)),
        shape("line", [[1, 2], [3, 4]]), flags={"day": True},
    )  # fmt: skip


def _city(root: Path) -> None:
    polygons = {
        "imgHeight": 48, "imgWidth": 64,
        "objects": [{"label": "car", "polygon": [[1, 2], [11, 2], [11, 12]]}, {"label": "cargroup", "polygon": [[1, 2], [11, 2], [11, 12]]}],
    }  # fmt: skip
    mask_folders.city(root, mask_folders.indexes((26, 0, 0, 9, 9), (7, 20, 20, 40, 40)), polygons)
    for number in range(8):
        draw(root / f"leftImg8bit/train/ulm/ulm_{number + 1:06}_leftImg8bit.png", shade=number)
        mask_folders.save(
            root / f"gtFine/train/ulm/ulm_{number + 1:06}_gtFine_labelIds.png", mask_folders.indexes((26, 0, 0, 9, 9))
        )
        instances = mask_folders.indexes((26001, 0, 0, 9, 9), kind=np.uint16)
        mask_folders.save(root / f"gtFine/train/ulm/ulm_{number + 1:06}_gtFine_instanceIds.png", instances)


def _ade(root: Path) -> None:
    mask_folders.ade(root)
    for number in range(8):
        draw(root / f"images/training/ADE_train_{number + 9:08}.jpg", shade=number)
        mask_folders.save(
            root / f"annotations/training/ADE_train_{number + 9:08}.png",
            mask_folders.indexes((1, 0, 0, 9, 9), (2, 20, 20, 40, 40)),
        )


def _arrow(root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    formats.get("huggingface").write(sample("box", root.parent / "drawn"), root.parent / "parquet")
    table = pq.read_table(next((root.parent / "parquet").rglob("*.parquet")))
    with (
        pa.OSFile(str(root / "data-00000-of-00001.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as stream,
    ):
        stream.write_table(table)
    (root / "state.json").write_text('{"_split": "train", "_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (root / "dataset_info.json").write_text(json.dumps({"features": {"image": {"_type": "Image"}}}))


def _yolo(name: str, root: Path) -> None:
    task = formats.get(name)
    made(root, task, "\n".join([GOOD[task]] * 3), config_of(task))


MORE: dict[str, dict[str, Maker]] = {
    **{name: {"rows": partial(_yolo, name)} for name in ("yolo_detect", "yolo_segment", "yolo_pose", "yolo_obb")},
    "ade20k": {"lists": _ade},
    "cityscapes": {"both": _city},
    "coco": {"all": _coco},
    "coco_panoptic": {"segments": _panoptic},
    "cvat": {"shapes": _cvat},
    "dota": {"ships": lambda root: text_labels.ships(root, f"imagesource:x\ngsd:0.3\n{text_labels.SHIP}")},
    "huggingface": {"arrow": _arrow},
    "kitti": {"cars": lambda root: text_labels.cars(root, f"{text_labels.CAR}\n{text_labels.BARE}\n{text_labels.CAR} 0.9")},
    "label_studio": {"tasks": _studio},
    "labelme": {"shapes": _labelme},
    "open_images": {"both": lambda root: text_labels.pictures(root, text_labels.BOX * 3, "a,verification,/m/01,1\nb,verification,/m/02,0\n")},
}  # fmt: skip
