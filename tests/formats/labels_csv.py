"""A whole dataset format in one file: `labels.csv` with lines of `image,class`. The example of docs/adding.md."""

import csv
from pathlib import Path

from retinue_sdk.api import Finding
from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report
from retinue_sdk.table import AnnotationTable, make_table

NAME = "labels_csv"
TITLE = "labels.csv beside the images"


def read(path: Path) -> tuple[AnnotationTable, list[Finding]]:
    root, report = files.dataset_root(path), Report()
    with (root / "labels.csv").open(newline="") as file:
        labels = {row["image"]: row["class"] for row in csv.DictReader(file)}
    measured = files.measure(root, [key for key in labels if (root / key).is_file()], report)
    classes = sorted(set(labels.values()))
    table = make_table(
        {**measured.columns(), "split": [""] * len(measured.key)},
        {
            "image": range(len(measured.key)),
            "class_id": [classes.index(labels[key]) for key in measured.key],
            "kind": ["class"] * len(measured.key),
            "source": ["labels.csv"] * len(measured.key),
        },
        classes,
    )
    return table, report.findings()


def write(table: AnnotationTable, path: Path, place: files.Place = files.copy) -> list[Finding]:
    report = Report()
    with (path / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "class"])
        for source, name, label in zip(table.images["path"], table.file_names, table.labels(), strict=True):
            place(Path(source), path / name)
            rows.writerow([name, table.classes[label]])
    return report.findings()


def sniff(path: Path) -> float:
    return 1.0 if (files.dataset_root(path) / "labels.csv").is_file() else 0.0
