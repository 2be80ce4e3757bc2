"""Files of labels beside images, and tables of labels and values, made in code."""

from __future__ import annotations

import pyarrow as pa

from retinue_sdk.table import make_table
from tests.sdk.drawn import draw

GOOD = "image,label\na.png,cat\n"


def folder(root, name, content, images="abcd"):
    """Images a.png, b.png ... and a file of labels."""
    for number, image in enumerate(images):
        draw(root / f"{image}.png", shade=number)
    (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def said(table):
    """What a table says of each image by its key: classes, and values by name."""
    values, offsets = table.coordinates()
    found = {key: [] for key in table.images["key"]}
    keys = list(table.images["key"])
    for i, (image, label, kind) in enumerate(table.annotations[["image", "class_id", "kind"]].itertuples(index=False)):
        name = table.classes[label]
        found[keys[image]].append(name if kind == "class" else (name, values[offsets[i]]))
    return found


def labelled(root, names, values=()):
    """One image per list of names, with these values of the classes beyond."""
    keys = [f"{i}.png" for i in range(len(names))]
    paths = [str(draw(root / key, shade=i)) for i, key in enumerate(keys)]
    classes = sorted({n for some in names for n in some})
    measures = sorted({n for some in values for n in some})
    rows = [(i, classes.index(n), "class", []) for i, some in enumerate(names) for n in some]
    rows += [
        (i, len(classes) + measures.index(n), "value", [v]) for i, some in enumerate(values) for n, v in some.items()
    ]
    rows.sort(key=lambda row: row[0])
    image, label, kind, numbers = zip(*rows, strict=True)
    return make_table(
        {"key": keys, "path": paths, "width": 64, "height": 48, "group": [f"g;{i}" for i in range(len(keys))]},
        {"image": image, "class_id": label, "kind": kind},
        [*classes, *measures],
        geometry=pa.array(list(numbers), pa.large_list(pa.float64())),
    )
