"""Good datasets of a few files. A case of the corpus is one of them with one file that is bad."""

import io
import json
import zlib

from PIL import Image

PATHS = "train: images/train\nval: images/val\n"
NAMES = PATHS + "names: [cat, dog]\n"
YOLO = {
    "yolo_detect": "0 0.5 0.5 0.25 0.5\n",
    "yolo_segment": "".join(f"{i % 2} 0.1 0.1 0.6 0.1 0.6 0.{i} 0.2 0.8 0.05 0.4\n" for i in range(4, 8)),
    "yolo_pose": "0 0.5 0.5 0.5 0.5 0.3 0.3 2 0.6 0.6 1 0 0 0\n",
    "yolo_obb": "0 0.2 0.1 0.7 0.2 0.6 0.7 0.1 0.6\n",
}
COCO = {
    "images": [{"id": 5, "file_name": "a.png", "width": 64, "height": 48}],
    "annotations": [{"id": 1, "image_id": 5, "category_id": 1, "bbox": [10, 10, 10, 10]}],
    "categories": [{"id": 1, "name": "cat"}],
}
VOC = """<annotation>
<filename>a.jpg</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>
<object><name>cat</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>
</annotation>
"""

BASES: dict[str, dict[str, str]] = {
    **{
        name: {
            "images/train/a.png": "",
            "images/val/b.png": "",
            "labels/train/a.txt": row,
            "labels/val/b.txt": row,
            "data.yaml": NAMES + ("kpt_shape: [3, 3]\n" if name == "yolo_pose" else ""),
        }
        for name, row in YOLO.items()
    },
    "coco": {"images/train/a.png": "", "annotations/instances_train.json": json.dumps(COCO)},
    "voc": {
        "JPEGImages/a.jpg": "",
        "JPEGImages/b.jpg": "",
        "Annotations/a.xml": VOC,
        "Annotations/b.xml": VOC.replace("a.jpg", "b.jpg"),
    },
    "nothing": {},
}


def picture(name, size=(64, 48)):
    """An image of the kind its name says; each name has bytes of its own."""
    out = io.BytesIO()
    number = zlib.crc32(name.encode())
    Image.new("RGB", size, (number & 255, number >> 8 & 255, number >> 16 & 255)).save(
        out, "JPEG" if name.endswith(".jpg") else "PNG"
    )
    return out.getvalue()


def files_of(base):
    """The files of a good dataset."""
    return {name: text.encode() or picture(name) for name, text in BASES[base].items()}
