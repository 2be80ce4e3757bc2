"""Pascal VOC: Annotations/*.xml, JPEGImages/ and the official splits of ImageSets/Main. Numbers are kept as written."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from xml.sax.saxutils import escape

import numpy as np

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.fit import Holds, fit
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import to_json
from retinue_sdk.formats.text_files import attributes_of
from retinue_sdk.formats.voc_sets import images_of, read_sets, write_sets
from retinue_sdk.formats.voc_xml import CORNERS, VocFile, parse
from retinue_sdk.table import AnnotationTable, make_table

NAME = "pascal_voc"
TITLE = "Pascal VOC"
HOLDS = Holds(("box",), attributes=True, class_order=False, class_unused=False, unclassed=False, unplaced=False)
TAGS = {"name", "bndbox"}  # of an object, which no attribute may be called


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a Pascal VOC dataset; boxes without area are kept and reported."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    images = images_of(listing)
    splits = read_sets(root, listing, images, "main", report)
    documents = _documents(listing, images, report)
    measured = files.measure(root, sorted(splits), report)
    rows = _Rows()
    for index, key in enumerate(measured.key):
        name = documents.get(key)
        if name:
            size = (measured.width[index], measured.height[index])
            rows.add(index, parse(root / name, name, report), size, report)
        else:
            report.add("image_without_label", key)
    classes = sorted(set(rows.name))
    position = {name: i for i, name in enumerate(classes)}
    table = make_table(
        {**measured.columns(), "split": [splits[key] for key in measured.key]},
        {**rows.columns(), "class_id": [position[name] for name in rows.name]},
        files.check_class_names(classes, "Annotations", report),
    )
    return table, report.findings()


def sniff(path: Path) -> float:
    """XML files in Annotations/, or XML files beside images."""
    root = files.dataset_root(path)
    listing = files.list_files(root)
    documents = [f for f in listing if f.lower().endswith(".xml")]
    if any(_folder(f) == "annotations" for f in documents):
        return 0.95
    return 0.6 if documents and any(files.is_image(f) for f in listing) else 0.0


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    """Write Annotations, JPEGImages and ImageSets/Main."""
    table, report = fit(table, HOLDS, NAME)
    names = table.file_names
    objects = _objects(table, report)
    folders = [path / "Annotations", path / "JPEGImages"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    images = table.images
    columns = zip(names, images["path"], images["width"], images["height"], strict=True)
    for row, (name, source, width, height) in enumerate(columns):
        place(Path(source), folders[1] / name)
        size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        body = "".join(objects[table.offsets[row] : table.offsets[row + 1]])
        text = f"<annotation>\n<filename>{escape(name)}</filename>\n{size}\n{body}</annotation>\n"
        (folders[0] / name).with_suffix(".xml").write_text(text, encoding="utf-8")
    write_sets(path / "ImageSets" / "Main", [PurePosixPath(name).stem for name in names], list(images["split"]))
    return report.findings()


class _Rows:
    """Columns of annotations as they grow, one image after the other."""

    def __init__(self) -> None:
        self.name: list[str] = []
        self.image: list[int] = []
        self.box: list[tuple[float, float, float, float]] = []
        self.source: list[str] = []
        self.line: list[int] = []
        self.attributes: list[str] = []

    def add(self, image: int, document: VocFile, size: tuple[int, int], report: Report) -> None:
        if document.size not in (None, (0, 0), size):
            report.add("xml_size_mismatch", document.name, f"{document.size}, image {size}")
        for item in document.objects:
            where = f"{document.name}:{item.line}"
            x1, y1, x2, y2 = item.box
            if x2 < x1 or y2 < y1:
                report.add("box_negative_size", where, item.box)
                continue
            if x2 == x1 or y2 == y1:
                report.add("box_zero_area", where, item.box)
            if min(x1, y1) < -1 or x2 > size[0] + 1 or y2 > size[1] + 1:
                report.add("box_outside_image", where, item.box)
            self.name.append(item.name)
            self.image.append(image)
            self.box.append(item.box)
            self.source.append(document.name)
            self.line.append(item.line)
            self.attributes.append(to_json(item.attributes))

    def columns(self) -> dict[str, object]:
        boxes = np.array(self.box, dtype=np.float64).reshape(-1, 4)
        return {
            "image": self.image, "kind": ["box"] * len(self.box),
            "x1": boxes[:, 0], "y1": boxes[:, 1], "x2": boxes[:, 2], "y2": boxes[:, 3],
            "source": self.source, "line": self.line, "attributes": self.attributes,
        }  # fmt: skip


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.name.lower()


def _documents(listing: list[str], images: list[str], report: Report) -> dict[str, str]:
    """The XML file of each image: beside it, in Annotations/ beside its folder, or the only one of its stem."""
    present = {_place(name): name for name in listing if name.lower().endswith(".xml")}
    stems: dict[str, str] = {}
    for place, name in present.items():
        stems[place.stem] = "" if place.stem in stems else name
    found: dict[str, str] = {}
    used: dict[str, str] = {}
    for key in images:
        path = PurePosixPath(key)
        places = (path.with_suffix(".xml"), path.parent.parent / "annotations" / f"{path.stem}.xml")
        name = next((present[place] for place in places if place in present), stems.get(path.stem, ""))
        if name in used:
            report.add("image_same_stem", key, used[name])
        if name:
            found[key], used[name] = name, key
    for name in sorted(set(present.values()) - used.keys()):
        report.add("label_without_image", name)
    return found


def _place(name: str) -> PurePosixPath:
    """The path of an XML file, with its folder and suffix as they are usually written, in small letters."""
    path = PurePosixPath(name)
    folder = path.parent.parent / "annotations" if _folder(name) == "annotations" else path.parent
    return folder / f"{path.stem}.xml"


def _objects(table: AnnotationTable, report: Report) -> list[str]:
    """The <object> of each box. Attributes become tags of their own, where their names can be tags and their values text."""
    labels = [escape(name) for name in table.classes]
    rows = table.annotations
    objects, lost, typed = [], 0, 0
    for label, box, text in zip(rows["class_id"], table.boxes.tolist(), rows["attributes"], strict=True):
        said = attributes_of(text)
        tags = {key: str(value) for key, value in said.items() if _is_tag(key) and _is_text(value)}
        lost += len(tags) < len(said)
        typed += any(not isinstance(said[key], str) for key in tags)
        attributes = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in tags.items())
        corners = "".join(f"<{tag}>{_shortest(value)}</{tag}>" for tag, value in zip(CORNERS, box, strict=True))
        objects.append(f"<object><name>{labels[label]}</name>{attributes}<bndbox>{corners}</bndbox></object>\n")
    if lost:
        report.add("loss_attributes", NAME, count=lost)
    if typed:
        report.add("loss_attribute_types", NAME, count=typed)
    return objects


def _is_tag(name: str) -> bool:
    return name.isascii() and name.isidentifier() and name not in TAGS and not name.lower().startswith("xml")


def _is_text(value: object) -> bool:
    return isinstance(value, (str, int, float)) and str(value).isprintable() and str(value) == str(value).strip() != ""


def _shortest(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
