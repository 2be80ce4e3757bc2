"""What CVAT, LabelMe and Label Studio export, made in code; and documents with anything in them."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from retinue_sdk import geometry
from retinue_sdk.table import make_table
from tests.sdk.drawn import draw

SIZE = (64, 48)


def rows(table):
    """Class, kind and box of each annotation."""
    names = [table.classes[i] for i in table.annotations["class_id"]]
    return list(zip(names, table.annotations["kind"], map(tuple, table.boxes.round(3).tolist()), strict=True))


def shapes(table):
    """The geometry of each annotation."""
    return [np.round(shape, 3).tolist() for shape in table.geometry.to_pylist()]


def one(folder, kind, shape, box=(1, 2, 11, 12), said=None, **known):
    """A table of one annotation."""
    draw(folder / "a.png", SIZE)
    return make_table(
        {"key": ["a.png"], "path": [str(folder / "a.png")], "width": 64, "height": 48},
        {
            "image": [0], "class_id": 0, "kind": kind, "x1": box[0], "y1": box[1], "x2": box[2], "y2": box[3],
            "attributes": json.dumps(said) if said else "",
        },
        ["cat"],
        geometry=geometry.column([shape]),
        class_attributes=[known],
    )  # fmt: skip


META = """<meta><task><labels>
<label><name>car</name><color>#ff0000</color><type>any</type><attributes>
<attribute><name>parked</name><input_type>checkbox</input_type></attribute>
<attribute><name>doors</name><input_type>number</input_type></attribute>
<attribute><name>plate</name><input_type>text</input_type></attribute></attributes></label>
<label><name>person</name><type>skeleton</type><attributes></attributes>
<svg>&lt;line data-node-from="1" data-node-to="2"&gt;&lt;/line&gt;&lt;circle data-node-id="1" data-label-name="head"&gt;&lt;/circle&gt;
&lt;circle data-node-id="2" data-label-name="foot"&gt;&lt;/circle&gt;</svg></label>
<label><name>head</name><type>points</type><parent>person</parent></label>
<label><name>foot</name><type>points</type><parent>person</parent></label>
</labels></task></meta>"""


def cvat_dataset(root, body, meta=META, head='<image id="0" name="a.jpg" width="64" height="48">'):
    """One image with shapes, each on a line of its own from line 20 on."""
    draw(root / "images/a.jpg", SIZE)
    start = f"<annotations><version>1.1</version>{meta}"
    padding = "\n" * (18 - start.count("\n"))
    (root / "annotations.xml").write_text(f"{start}{padding}{head}\n{body}\n</image></annotations>", encoding="utf-8")
    return root


def labelme_shape(kind, points, label="car", **more):
    return {
        "label": label, "points": points, "group_id": None, "description": "", "shape_type": kind, "flags": {}, **more,
    }  # fmt: skip


def labelme_dataset(root, *found, **more):
    draw(root / "a.jpg", SIZE)
    document = {
        "version": "5.5.0", "flags": {}, "shapes": list(found), "imagePath": "a.jpg", "imageData": "bm90IGFuIGltYWdl",
        "imageHeight": 48, "imageWidth": 64, **more,
    }  # fmt: skip
    (root / "a.json").write_text(json.dumps(document))
    return root


def png(mask):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(mask, dtype=np.uint8)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def result(value, tool="label", key="r", **more):
    return {
        "id": key, "type": tool, "from_name": tool, "to_name": "image", "original_width": 64, "original_height": 48,
        "image_rotation": 0, "value": value, **more,
    }  # fmt: skip


def brush(mask):
    """The bytes Label Studio has for a mask: blocks of repeated and of single values."""
    values = np.repeat(np.asarray(mask, dtype=np.uint8).reshape(-1) * 255, 4)
    bits = f"{len(values):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    ends = [*np.flatnonzero(np.diff(values)) + 1, len(values)]
    start = 0
    for end in ends:
        while start < end:
            length = min(end - start, 2**16)
            size = next(i for i, n in enumerate((3, 4, 8, 16)) if length <= 2**n)
            repeated = (start + end) % 3 > 0  # single ones now and then
            length = length if repeated else min(length, 8)
            size = size if repeated else 0
            bits += f"{int(repeated)}{size:02b}{length - 1:0{(3, 4, 8, 16)[size]}b}"
            bits += f"{values[start]:08b}" * (1 if repeated else length)
            start += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def rectangle(x=25, y=25, width=25, height=50, rotation=0, label="car", **more):
    place = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}
    return result({**place, "rectanglelabels": [label]}, **more)


def task(*results, **more):
    return {
        "id": 5, "annotations": [{"id": 1, "completed_by": 1, "was_cancelled": False, "result": list(results)}],
        "file_upload": "x.jpg", "data": {"image": "/data/upload/1/x.jpg"}, "predictions": [], **more,
    }  # fmt: skip


def studio(root, *tasks):
    draw(root / "images/x.jpg", SIZE)
    (root / "project.json").write_text(json.dumps(tasks))
    return root


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def changed(data, value):
    """A value with one thing in it replaced by anything."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: changed(data, value[key])}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], changed(data, value[place]), *value[place + 1 :]]
    return data.draw(anything)
