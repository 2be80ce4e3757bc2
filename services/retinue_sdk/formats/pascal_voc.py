"""Pascal VOC: Annotations/*.xml, JPEGImages/ and the official splits of ImageSets/Main. Numbers are kept as written."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from xml.sax.saxutils import escape

import numpy as np

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report
from retinue_sdk.formats.voc_xml import VocFile, parse
from retinue_sdk.table import AnnotationTable, make_table

NAME = "pascal_voc"
TITLE = "Pascal VOC"
SETS = ("train", "val", "test")


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    """Read a Pascal VOC dataset; boxes without area are kept and reported."""
    root, report = files.dataset_root(path), Report()
    listing = files.list_files(root)
    images = {PurePosixPath(f).stem: f for f in listing if files.is_image(f) and _folder(f) != "annotations"}
    documents = {PurePosixPath(f).stem: f for f in listing if f.lower().endswith(".xml")}
    splits = _splits(root, listing, images, report)
    parsed = {stem: parse(root / name, name, report) for stem, name in documents.items()}
    for stem, name in documents.items():
        if stem not in images:
            report.add("label_without_image", name)
    wanted = sorted(images[s] for s in images if not splits or s in splits)
    for stem in sorted(images.keys() - splits.keys()) if splits else []:
        report.add("image_unlisted", images[stem])
    measured = files.measure(root, wanted, report)
    stems = [PurePosixPath(key).stem for key in measured.key]
    rows = _Rows()
    for index, stem in enumerate(stems):
        if stem in parsed:
            rows.add(index, parsed[stem], (measured.width[index], measured.height[index]), report)
        else:
            report.add("image_without_label", measured.key[index])
    classes = sorted(set(rows.name))
    position = {name: i for i, name in enumerate(classes)}
    table = make_table(
        {**measured.columns(), "split": [splits.get(stem, "") for stem in stems]},
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
    report = Report()
    names = table.file_names
    boxes = (table.annotations["kind"] == "box").to_numpy()
    if lost := int((~boxes).sum()):
        report.add("loss_kind", NAME, ", ".join(sorted(set(table.annotations["kind"][~boxes]))), count=lost)
    if table.class_ids != list(range(len(table.classes))):
        report.add("loss_class_ids", NAME)
    folders = [path / "Annotations", path / "JPEGImages", path / "ImageSets" / "Main"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for row, (name, source) in enumerate(zip(names, table.images["path"], strict=True)):
        place(Path(source), folders[1] / name)
        (folders[0] / name).with_suffix(".xml").write_text(_document(table, row, name, boxes), encoding="utf-8")
    for split in sorted(set(table.images["split"]) - {""}):
        stems = [PurePosixPath(names[row]).stem for row in table.rows(split)]
        (folders[2] / f"{split}.txt").write_text("".join(f"{s}\n" for s in stems), encoding="utf-8")
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
            self.attributes.append(json.dumps(item.attributes, sort_keys=True) if item.attributes else "")

    def columns(self) -> dict[str, object]:
        boxes = np.array(self.box, dtype=np.float64).reshape(-1, 4)
        return {
            "image": self.image, "kind": ["box"] * len(self.box),
            "x1": boxes[:, 0], "y1": boxes[:, 1], "x2": boxes[:, 2], "y2": boxes[:, 3],
            "source": self.source, "line": self.line, "attributes": self.attributes,
        }  # fmt: skip


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.name.lower()


def _splits(root: Path, listing: list[str], images: dict[str, str], report: Report) -> dict[str, str]:
    """The split of each image by the lists in ImageSets/Main; empty when there are none."""
    splits: dict[str, str] = {}
    for split in SETS:
        name = next((f for f in listing if f.lower().endswith(f"imagesets/main/{split}.txt")), None)
        lines = (root / name).read_text(encoding="utf-8-sig", errors="replace").splitlines() if name else []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            stem = line.split()[0]
            if stem not in images:
                report.add("image_missing", f"{name}:{number}", line)
            elif splits.setdefault(stem, split) != split:
                report.add("split_overlap", f"{name}:{number}", f"{splits[stem]}, {split}")
    return splits


def _document(table: AnnotationTable, row: int, name: str, boxes: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    image = table.images.iloc[row]
    first, last = int(table.offsets[row]), int(table.offsets[row + 1])
    objects = "".join(_object(table, i) for i in range(first, last) if boxes[i])
    size = f"<size><width>{image['width']}</width><height>{image['height']}</height><depth>3</depth></size>"
    return f"<annotation>\n<filename>{escape(name)}</filename>\n{size}\n{objects}</annotation>\n"


def _object(table: AnnotationTable, row: int) -> str:
    item = table.annotations.iloc[row]
    extra = json.loads(item["attributes"]) if item["attributes"] else {}
    attributes = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in extra.items() if key.isidentifier())
    label = escape(table.classes[item["class_id"]])
    corners = zip(("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), strict=True)
    box = "".join(f"<{tag}>{_shortest(item[column])}</{tag}>" for tag, column in corners)
    return f"<object><name>{label}</name>{attributes}<bndbox>{box}</bndbox></object>\n"


def _shortest(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
