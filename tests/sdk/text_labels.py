"""Datasets of DOTA, KITTI and Open Images, made in code."""

from __future__ import annotations

from tests.sdk.drawn import draw

CAR = "Car 0.00 1 -1.58 10 12.5 30 40 1.5 1.6 3.7 -0.65 1.71 46.7 -1.59"
BARE = "Car -1 -1 -10 10 12.5 30 40 -1 -1 -1 -1000 -1000 -1000 -10"
SHIP = "10 10 30 12 29 22 9 20 ship 1"
HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)
BOX = "a,xclick,/m/01,1,0.25,0.5,0.5,0.75,0,1,-1,0,0\n"


def labelled(root, images, labels, texts):
    """Images and label files by their place, in folders that `images` and `labels` name."""
    for number, (place, text) in enumerate(texts.items()):
        draw(root / images.format(place) if "{}" in images else root / images / f"{place}.png", shade=number)
        path = root / labels.format(place) if "{}" in labels else root / labels / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def ships(root, text=SHIP):
    """Two images of DOTA."""
    return labelled(root, "train/images", "train/labelTxt", {"a": text, "b": SHIP})


def cars(root, text=CAR):
    """Two images of KITTI."""
    return labelled(root, "training/image_2", "training/label_2", {"a": text, "b": CAR})


def pictures(root, boxes=BOX, labels=None, names="/m/01,Cat\n/m/02,Dog\n"):
    """Two images of Open Images in train/, and its CSV files."""
    for number, name in enumerate("ab"):
        draw(root / f"train/{name}.jpg", shade=number)
    if boxes is not None:
        (root / "train-annotations-bbox.csv").write_bytes((HEADER + boxes).encode("utf-8", "surrogatepass"))
    if labels is not None:
        (root / "train-annotations-human-imagelabels.csv").write_text("ImageID,Source,LabelName,Confidence\n" + labels)
    if names is not None:
        (root / "class-descriptions-boxable.csv").write_text(names)
    return root
