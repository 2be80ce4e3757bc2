"""A COCO dataset of one file and one image, made in code."""

from __future__ import annotations

import json
from itertools import pairwise

from retinue_sdk.formats import coco
from tests.sdk.drawn import draw

SIZE = {"width": 64, "height": 48}
TRIANGLE = [10, 10, 20, 10, 20, 20.5]
SQUARE = [1, 1, 5, 1, 5, 5, 1, 5]
RUNS = [100, 10, 64 * 48 - 110]
CATEGORIES = [
    {"id": 1, "name": "cat", "supercategory": "animal"},
    {"id": 7, "name": "dog", "supercategory": "animal", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]},
]


def item(number=1, **more):
    """An annotation of image 5 with a box."""
    return {
        "id": number,
        "image_id": 5,
        "category_id": 1,
        "bbox": [10, 10, 10, 10.5],
        "area": 52.5,
        "iscrowd": 0,
        **more,
    }


def content(*annotations, images=None, **more):
    """A file about one image of 64 x 48."""
    images = [{"id": 5, "file_name": "a.png", **SIZE}] if images is None else images
    return {"images": images, "annotations": list(annotations), "categories": CATEGORIES, **more}


def save(root, document, name="annotations/instances_train.json", image="images/train/a.png"):
    """A dataset of one file and one image."""
    draw(root / image)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (root / name).write_text(text, encoding="utf-8", errors="surrogatepass")
    return root


def read_only(root, document):
    """What is read of a file without its images."""
    path = root / "instances_val2017.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return coco.read_annotations(path)


def shapes(table):
    """The numbers of each annotation."""
    values, offsets = table.coordinates()
    return [values[a:b].tolist() for a, b in pairwise(offsets)]
