"""Datasets of index masks, Cityscapes and ADE20K, made in code."""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np
from PIL import Image

from tests.sdk.drawn import draw

SIZE = (64, 48)


def indexes(*rectangles, size=SIZE, kind=np.uint8):
    """An index mask with rectangles of (number, x1, y1, x2, y2)."""
    made = np.zeros((size[1], size[0]), dtype=kind)
    for number, x1, y1, x2, y2 in rectangles:
        made[y1:y2, x1:x2] = number
    return made


def save(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if mode == "P":
        image.putpalette(list(range(256)) * 3)
    image.save(path)
    return path


def dataset(root, masks, layout="masks/{}.png", config=None):
    """Images and masks by their place; `layout` says where a mask lies."""
    for number, (place, array) in enumerate(masks.items()):
        draw(root / "images" / f"{place}.jpg", shade=number)
        if array is not None:
            save(root / layout.format(place), array)
    if config is not None:
        (root / "config.yaml").write_text(config, encoding="utf-8")
    return root


def said(table):
    """(image, class, pixels) of each annotation."""
    rows = table.annotations
    values, offsets = table.coordinates()
    areas = [int(values[offsets[i] : offsets[i + 1]][1::2].sum()) for i in range(len(rows))]
    return list(zip(rows["image"], [table.classes[c] for c in rows["class_id"]], areas, strict=True))


def png(width, height, depth, colour, rows):
    """A PNG of bytes that the library itself does not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


GOOD = indexes((1, 0, 0, 4, 4))
NAMED = "classes:\n  0: nothing\n  1: cat\n  7: dog\n"


def city(root, mask=GOOD, polygons=None):
    """Two images: one with a mask of label ids, one with polygons."""
    for place in ("train/ulm/ulm_000000", "val/bonn/bonn_000001"):
        draw(root / f"leftImg8bit/{place}_leftImg8bit.png", shade=len(place))
    save(root / "gtFine/train/ulm/ulm_000000_gtFine_labelIds.png", mask)
    save(root / "gtFine/train/ulm/ulm_000000_gtFine_instanceIds.png", mask)
    path = root / "gtFine/val/bonn/bonn_000001_gtFine_polygons.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(polygons or {"objects": []}), encoding="utf-8")
    return root


INFO = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t5\t2\t1\twall\n2\t0.1\t5\t2\t0\tbuilding, edifice\n"


def ade(root, info=INFO, scenes="ADE_train_00000001 living room\nADE_val_00000001 bar\n"):
    """Two images of ADE20K, and its lists of classes and scenes."""
    for place in ("training/ADE_train_00000001", "validation/ADE_val_00000001"):
        draw(root / f"images/{place}.jpg", shade=len(place))
        save(root / f"annotations/{place}.png", indexes((2, 0, 0, 4, 4)))
    for name, content in (("objectInfo150.txt", info), ("sceneCategories.txt", scenes)):
        if content is not None:
            (root / name).write_text(content, encoding="utf-8")
    return root
