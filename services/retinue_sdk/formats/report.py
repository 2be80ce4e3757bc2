"""Findings: what a reader or an archive has to say about the data, one `Finding` per code with a count and examples.

The table below is the list of all codes; codes are stable, and `docs/` and tests refer to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError

EXAMPLES = 10
VALUE_LENGTH = 80

Severity = Literal["error", "warning"]
ERROR: Severity = "error"
WARNING: Severity = "warning"

CODES: dict[str, tuple[Severity, str, str]] = {
    # archives
    "files_ignored": (WARNING, "Files that are no part of a dataset were left out.", "Nothing to do, unless one of them matters."),
    "archive_name_decoded": (WARNING, "File names were not marked as UTF-8 and were read as such.", "Pack the archive with a tool that writes UTF-8 names."),
    # images
    "dataset_empty": (ERROR, "There is no image in the dataset.", "Add images as JPEG, PNG, WebP, BMP, GIF, TIFF or PPM."),
    "image_unreadable": (ERROR, "An image cannot be read.", "Replace or remove the file."),
    "image_too_large": (ERROR, "An image has more than 100 million pixels.", "Scale it down or cut it into tiles."),
    "image_format_mismatch": (WARNING, "An image is of another format than its name says.", "Rename it; it is read by its content."),
    "image_too_small": (WARNING, "An image is smaller than 10 pixels; some trainers leave such images out.", "Scale it up."),
    "image_rotated": (WARNING, "An image is stored rotated (EXIF); its size is taken as it is shown.", "Check that its boxes fit the upright image."),
    "image_same_stem": (WARNING, "Two images differ only in their suffix and share one label file.", "Rename one of them."),
    "image_without_label": (WARNING, "An image has no label and counts as background.", "Add labels if it should have some."),
    "image_unlisted": (WARNING, "An image is in no split and was left out.", "Add it to a split if it should be used."),
    "image_without_class": (WARNING, "An image lies in no class folder and was left out.", "Move it into the folder of its class."),
    "image_missing": (ERROR, "A listed image is not there.", "Add the file, or remove it from the list."),
    "label_without_image": (WARNING, "A label belongs to no image.", "Add the image or remove the label."),
    "list_path_escapes": (ERROR, "A list names a path outside the dataset.", "Write paths relative to the dataset's folder."),
    "split_overlap": (WARNING, "An image is listed in two splits; the first one holds.", "List every image once."),
    # videos
    "video_damaged": (WARNING, "A part of a video cannot be decoded and was left out.", "Look at the frames around it, or convert the video anew."),
    # classes
    "class_name_invalid": (ERROR, "A class name is empty, longer than 200 characters or holds control characters.", "Rename the class."),
    "class_name_duplicate": (ERROR, "Two classes have the same name.", "Rename or merge them."),
    "class_name_similar": (WARNING, "Two class names differ only in case or Unicode form.", "Merge them if they are one class."),
    "class_empty": (WARNING, "A class has no image.", "Add images, or remove the class."),
    "class_single": (WARNING, "There is only one class: nothing can be learned from it.", "Add a folder for each other class."),
    "class_names_made": (WARNING, "The data names no classes; they are called by their number.", "Add a data.yaml or a classes.txt with names."),
    # data.yaml
    "yaml_download_dropped": (WARNING, "The `download` key was dropped; it is never run.", "Remove it; the data is here already."),
    "yaml_unknown_key": (WARNING, "A key is not known and was ignored.", "Remove it, or check its spelling."),
    "yaml_path_corrected": (WARNING, "A path of the data.yaml is not there; the folder beside the file was used.", "Write paths relative to the data.yaml."),
    "yaml_count_wrong": (ERROR, "`nc` is not the number of `names`.", "Make the two agree."),
    # YOLO labels
    "label_unreadable": (ERROR, "A label file is no UTF-8 text, or larger than 64 MB.", "Save it as UTF-8 text."),
    "label_columns": (ERROR, "A line does not have the five columns class, x, y, width, height.", "Write one box per line; polygons are another format."),
    "label_not_a_number": (ERROR, "A column is not a number.", "Write numbers with a decimal point."),
    "label_not_finite": (ERROR, "A column is NaN or infinite.", "Write finite numbers."),
    "class_not_an_integer": (ERROR, "A class is not a whole number.", "Write the class as 0, 1, 2 ..."),
    "class_out_of_range": (ERROR, "A class is not among the names.", "Add its name, or correct the number."),
    "coordinate_out_of_range": (ERROR, "A coordinate is not between 0 and 1.", "If these are pixels, divide by the image's width and height."),
    "box_negative_size": (ERROR, "A box has a negative width or height.", "Swap its corners."),
    "box_zero_area": (WARNING, "A box has no area; it is kept out of training.", "Correct or remove it."),
    "label_duplicate": (WARNING, "A box is there twice.", "Remove one of them."),
    # Pascal VOC
    "xml_dtd_forbidden": (ERROR, "A file has a DTD or entities; they are not read.", "Remove the DOCTYPE and entities."),
    "xml_invalid": (ERROR, "A file is not well-formed XML.", "Correct it at the line named."),
    "xml_filename_escapes": (ERROR, "A <filename> points outside the dataset.", "Write the bare file name."),
    "xml_size_mismatch": (WARNING, "The size written is not the image's; the image's own is used.", "Correct <size>, and check the boxes."),
    "box_incomplete": (ERROR, "An object lacks its name or one of its four numbers.", "Complete or remove the object."),
    "box_outside_image": (WARNING, "A box reaches over the border of its image by more than a pixel.", "Check whether it belongs to another image."),
    # what a format cannot hold (losses of `write`)
    "loss_shape": (WARNING, "Shapes were written as simpler ones.", "Choose a format that holds them."),
    "loss_form": (WARNING, "Shapes were written as others that cover the same.", "Nothing to do; only their kind is another."),
    "loss_image_attributes": (WARNING, "Attributes of images cannot be written in this format.", "Choose NDJSON to keep everything."),
    "loss_class_attributes": (WARNING, "Attributes of classes, such as a skeleton, cannot be written in this format.", "Choose NDJSON to keep everything."),
    "loss_group": (WARNING, "Groups of images cannot be written in this format.", "Choose NDJSON to keep everything."),
    "loss_splits": (WARNING, "Splits cannot be written in this format.", "Choose a format that holds them."),
    "loss_boxes": (WARNING, "Boxes and other shapes cannot be written in this format.", "Choose a detection format."),
    "loss_kind": (WARNING, "Annotations of this kind cannot be written in this format.", "Choose a format that holds them."),
    "loss_image": (WARNING, "An image without a class cannot be written in this format.", "Give it a class."),
    "loss_class_ids": (WARNING, "Class ids with gaps are numbered anew in this format.", "Nothing to do; the names stay."),
    "loss_attributes": (WARNING, "Attributes cannot be written in this format.", "Choose Pascal VOC to keep them."),
    "loss_split": (WARNING, "Images without a split are written as `train`.", "Make a split first."),
}  # fmt: skip


class Report:
    """Collects findings while something is read; one entry per code."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, code: str, where: str, value: object = "", *, count: int = 1) -> None:
        """Count a thing found at `where` (a file, or file:line); the first ten are shown."""
        self._counts[code] = self._counts.get(code, 0) + count
        examples = self._examples.setdefault(code, [])
        if len(examples) < EXAMPLES:
            text = printable(str(value))
            examples.append(f"{printable(where, 200)}: {text}" if text else printable(where, 200))

    def wants_example(self, code: str) -> bool:
        """Whether another example of this code would be shown; spares the work of making one."""
        return len(self._examples.get(code, [])) < EXAMPLES

    def findings(self) -> list[Finding]:
        """All findings, those that block first."""
        found = [
            Finding(
                code=c, severity=CODES[c][0], message=CODES[c][1], hint=CODES[c][2], count=n, examples=self._examples[c]
            )
            for c, n in self._counts.items()
        ]
        return sorted(found, key=lambda finding: finding.severity != ERROR)


def printable(text: str, length: int = VALUE_LENGTH) -> str:
    """Text of a stranger, fit to be shown: cut, and without control or direction characters."""
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in cut)


def blocking(findings: Iterable[Finding]) -> DataError | None:
    """The error that the first blocking finding stands for, or None."""
    for finding in findings:
        if finding.severity == ERROR:
            where = finding.examples[0] if finding.examples else None
            more = f" ({finding.count} times)" if finding.count > 1 else ""
            return DataError(f"{finding.message}{more}", code=finding.code, hint=finding.hint, where=where)
    return None


def refuse_blocking(findings: Iterable[Finding]) -> None:
    """Raise what blocks, if anything does."""
    error = blocking(findings)
    if error is not None:
        raise error
