"""The lists of images in ImageSets/ that Pascal VOC names its splits by."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from retinue_sdk.formats import files
from retinue_sdk.formats.report import Report

NO_IMAGES = {"annotations", "segmentationclass", "segmentationobject"}
SETS = {"train": "train", "val": "val", "test": "test", "default": ""}  # `default`: in no split, as CVAT writes it


def images_of(listing: list[str]) -> list[str]:
    """The images of a dataset: those in JPEGImages/ where there is such a folder, else all that lie in no folder of labels."""
    folders = {f: set(f.lower().split("/")[:-1]) for f in listing if files.is_image(f)}
    inside = [f for f, above in folders.items() if "jpegimages" in above]
    return inside or [f for f, above in folders.items() if not above & NO_IMAGES]


def read_sets(root: Path, listing: list[str], images: list[str], kind: str, report: Report) -> dict[str, str]:
    """The split of each image to be read: by the lists in ImageSets/<kind>, or by folder names where there are none."""
    lists = [
        (split, f) for split in SETS for f in listing if f"/{f.lower()}".endswith(f"/imagesets/{kind}/{split}.txt")
    ]
    if not lists:
        return dict(files.by_split(images))
    stems = _by_stem(images)
    splits: dict[str, str] = {}
    for split, name in lists:
        base = "/".join(name.split("/")[:-3])
        for number, line in enumerate((root / name).read_text("utf-8-sig", errors="replace").splitlines(), 1):
            if not line.strip():
                continue
            found = stems.get((base, line.strip())) or stems.get(
                (base, line.split()[0]), []
            )  # a word may follow the stem
            if not found:
                report.add("image_missing", f"{name}:{number}", line)
            for key in found:
                if splits.setdefault(key, SETS[split]) != SETS[split]:
                    report.add("split_overlap", f"{name}:{number}", f"{splits[key]}, {split}")
    for key in images:
        if key not in splits:
            report.add("image_unlisted", key)
    return splits


def write_sets(folder: Path, stems: list[str], splits: list[str]) -> None:
    """Write a list of each split's images into a folder, and one of those in no split."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in sorted(set(splits)):
        text = "".join(f"{stem}\n" for stem, its in zip(stems, splits, strict=True) if its == split)
        (folder / f"{split or 'default'}.txt").write_text(text, encoding="utf-8")


def _by_stem(images: list[str]) -> dict[tuple[str, str], list[str]]:
    """The images below each folder, by stem."""
    found: dict[tuple[str, str], list[str]] = {}
    for key in images:
        path = PurePosixPath(key)
        for parent in path.parents:
            folder = parent.as_posix()
            found.setdefault(("" if folder == "." else folder, path.stem), []).append(key)
    return found
