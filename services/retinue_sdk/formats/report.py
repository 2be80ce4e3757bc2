"""Findings: what a reader or an archive has to say about the data, one `Finding` per code with a count and examples.

The table below is the list of all codes; codes are stable, and `docs/` and tests refer to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from retinue_sdk.api import Finding
from retinue_sdk.errors import DataError
from retinue_sdk.names import printable

EXAMPLES = 10
OTHERS = 5  # blocking findings named beside the first

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
    "class_name_ambiguous": (WARNING, "A class name without quotes is a truth value, a number or a time to other readers of YAML 1.1.", "Put it in quotes; it is kept as it is written."),
    "class_lists_differ": (ERROR, "Two files name other classes.", "Give all folders one list of classes."),
    "class_empty": (WARNING, "A class has no image.", "Add images, or remove the class."),
    "class_nested": (WARNING, "An image lies in a folder within a class folder; it was read as that class.", "Move the inner folder up if it is a class of its own."),
    "class_single": (WARNING, "There is only one class: nothing can be learned from it.", "Add a folder for each other class."),
    "class_names_made": (WARNING, "The data names no classes; they are called by their number.", "Add a data.yaml or a classes.txt with names."),
    # data.yaml
    "yaml_download_dropped": (WARNING, "The `download` key was dropped; it is never run.", "Remove it; the data is here already."),
    "yaml_unknown_key": (WARNING, "A key is not known and was ignored.", "Remove it, or check its spelling."),
    "yaml_path_corrected": (WARNING, "A path of the data.yaml is not there; the folder beside the file was used.", "Write paths relative to the data.yaml."),
    "yaml_split_missing": (WARNING, "The test split of the data.yaml is not there and was left out.", "Remove the key, or add the folder."),
    "yaml_count_wrong": (ERROR, "`nc` is not the number of `names`.", "Make the two agree."),
    # YOLO labels
    "label_unreadable": (ERROR, "A label file is no UTF-8 text.", "Save it as UTF-8 text."),
    "label_too_long": (ERROR, "A label file is larger than 32 MB or has more than 100,000 lines.", "Check how it was made: no image has so many objects."),
    "label_columns": (ERROR, "A line does not have the five columns class, x, y, width, height.", "Write one box per line; polygons are another format."),
    "label_mixed": (WARNING, "A line of five columns stands among polygons; it was read as a box.", "Write it as a polygon; trainers skip files that mix the two."),
    "polygon_columns": (ERROR, "A line does not have a class and x, y of three corners or more.", "Complete or remove it; boxes have five columns."),
    "keypoint_columns": (ERROR, "A line does not have a class, a box and as many numbers as `kpt_shape` says.", "Correct the line, or `kpt_shape` in the data.yaml."),
    "keypoint_visibility": (ERROR, "The visibility of a keypoint is not 0, 1 or 2.", "Write 0 for not labelled, 1 for hidden, 2 for visible."),
    "obb_columns": (ERROR, "A line does not have the nine columns class, x1, y1, x2, y2, x3, y3, x4, y4.", "Write the four corners of one box per line."),
    "label_not_a_number": (ERROR, "A column is not a number.", "Write numbers with a decimal point."),
    "label_not_finite": (ERROR, "A column is NaN or infinite.", "Write finite numbers."),
    "class_not_an_integer": (ERROR, "A class is not a whole number.", "Write the class as 0, 1, 2 ..."),
    "class_out_of_range": (ERROR, "A class is not among the names.", "Add its name, or correct the number."),
    "coordinate_out_of_range": (ERROR, "A coordinate is not between 0 and 1.", "Correct it; shapes end at the border of their image."),
    "coordinate_in_pixels": (ERROR, "Coordinates look like pixels; they are expected between 0 and 1.", "Divide x by the image's width and y by its height."),
    "box_negative_size": (ERROR, "A box has a negative width or height.", "Swap its corners."),
    "box_zero_area": (WARNING, "A box has no area; it is kept out of training.", "Correct or remove it."),
    "polygon_crosses_itself": (WARNING, "A polygon crosses itself; what it covers depends on who fills it.", "Correct its corners in the tool that drew it."),
    "label_duplicate": (WARNING, "A label is there twice.", "Remove one of them."),
    # JSON, whatever the format
    "json_invalid": (ERROR, "A file is no JSON that can be read.", "Correct it at the line named; write UTF-8, finite numbers and pairs of surrogates."),
    "json_too_large": (ERROR, "A JSON file is too large.", "Split the dataset into parts."),
    "json_key_duplicate": (ERROR, "A key of a JSON object is there twice.", "Keep one of them."),
    # masks of class numbers
    "mask_unreadable": (ERROR, "A mask cannot be read.", "Replace the file; masks are PNG."),
    "mask_not_index": (ERROR, "A mask has colours or transparency instead of one class number for each pixel.", "Save it as a PNG with one channel, greyscale or palette."),
    "mask_size_mismatch": (ERROR, "A mask is not as large as its image.", "Scale the mask without interpolation."),
    "mask_too_detailed": (ERROR, "A mask changes from class to class more than 4 million times; it is no mask of classes.", "Check that the file is a mask and no photograph."),
    "mask_void": (WARNING, "Pixels of the number 255 (65535 in 16 bits) are void and were left out.", "Name the number among the classes if it means one."),
    "classes_invalid": (ERROR, "An entry of a list of classes is no number with a name.", "Write each number once, with its name."),
    # Cityscapes
    "cityscapes_left_out": (WARNING, "Objects that are deleted, or that Cityscapes has no number for, were left out.", "Nothing to do."),
    # DOTA and KITTI
    "dota_columns": (ERROR, "A line does not have the ten columns of DOTA.", "Write x1 y1 x2 y2 x3 y3 x4 y4 class difficult."),
    "kitti_columns": (ERROR, "A line does not have the 15 columns of KITTI, or 16 with a score.", "Write type, truncated, occluded, alpha, four of the box, seven of the position."),
    "kitti_dont_care": (WARNING, "Regions marked DontCare were read as a class of their own.", "Leave the class out where it should not be learned."),
    "obb_order": (WARNING, "The corners of an oriented box are not in order around it.", "Write them clockwise."),
    # Open Images
    "csv_columns": (ERROR, "A row does not have as many columns as the header.", "Correct the row."),
    "csv_too_large": (ERROR, "A CSV file is too large.", "Split it into parts."),
    "label_absent": (WARNING, "Labels that are verified to be absent (confidence 0) were left out.", "Nothing to do."),
    "class_not_described": (WARNING, "A class has no name in the class-descriptions; it is called by its id.", "Add its line."),
    # COCO
    "coco_structure_invalid": (ERROR, "A file is no object with lists of images, annotations and categories.", "Export it again as COCO instances."),
    "coco_without_annotations": (WARNING, "A file has no list of annotations; its images count as background.", "Nothing to do for a test split."),
    "coco_value_invalid": (ERROR, "A value is missing, out of range or of another type than COCO has there.", "Correct it at the place named."),
    "coco_id_duplicate": (ERROR, "An id is there twice in one list.", "Number the entries anew."),
    "coco_image_unknown": (ERROR, "An annotation is of an image that the file does not list.", "Add the image, or remove the annotation."),
    "coco_category_unknown": (ERROR, "An annotation is of a category that the file does not list.", "Add the category, or remove the annotation."),
    "coco_category_conflict": (ERROR, "Two files have different names for one category id.", "Use one list of categories in all files."),
    "coco_image_repeated": (ERROR, "An image is listed twice; only the annotations of the first were read.", "Merge the two entries."),
    "coco_polygon_invalid": (ERROR, "A ring of a polygon is no x and y of three points or more.", "Write each ring as x1, y1, x2, y2, x3, y3 and so on."),
    "coco_rings_overlap": (WARNING, "Rings of one object overlap; what two of them cover is a hole here, and none to COCO.", "Unite them in the tool that drew them, if no hole is meant."),
    "coco_polygon_flat": (WARNING, "A polygon is no list of rings; it was read as one ring.", "Put it into a list."),
    "coco_keypoints_invalid": (ERROR, "Keypoints are no x, y, visibility (0, 1 or 2) for each point of the category.", "Complete them; write 0, 0, 0 for a point that is not labelled."),
    "coco_keypoints_count": (WARNING, "`num_keypoints` is not the number of labelled keypoints.", "Correct or remove it."),
    "coco_segmentation_dropped": (WARNING, "Segmentations beside keypoints were left out.", "Import the instances file to have them."),
    "coco_whole_image": (WARNING, "An annotation without a box or shape was read as a class of the whole image.", "Add its `bbox` if it is an object."),
    "coco_file_unread": (WARNING, "A JSON file was not read: another one is about the same images, or it is of another format.", "Import it as a dataset of its own."),
    "panoptic_not_coloured": (ERROR, "A PNG of segments has no colours.", "Write the id of each pixel as R + 256 G + 65536 B."),
    "panoptic_segment_missing": (ERROR, "A segment has no pixel in its PNG.", "Correct its id, or remove it."),
    "panoptic_segment_unlisted": (WARNING, "Pixels of segments that are not listed were left out.", "Add them to segments_info."),
    # Pascal VOC
    "xml_dtd_forbidden": (ERROR, "A file has a DTD or entities; they are not read.", "Remove the DOCTYPE and entities."),
    "xml_invalid": (ERROR, "A file is not well-formed XML.", "Correct it at the line named."),
    "xml_filename_escapes": (ERROR, "A <filename> points outside the dataset.", "Write the bare file name."),
    "xml_size_mismatch": (WARNING, "The size written is not the image's; the image's own is used.", "Correct <size>, and check the boxes."),
    "parts_ignored": (WARNING, "Boxes of parts of an object, such as a head, were left out.", "Name them as objects of their own if they should be learned."),
    "box_incomplete": (ERROR, "An object lacks its name or one of its four numbers.", "Complete or remove the object."),
    "box_outside_image": (WARNING, "A box reaches over the border of its image by more than a pixel.", "Check whether it belongs to another image."),
    # Pascal VOC segmentation
    "boxes_ignored": (WARNING, "Boxes in Annotations/ were not read.", "Choose Pascal VOC to read them instead of the masks."),
    "class_names_assumed": (WARNING, "The data names no classes; the 20 of Pascal VOC were taken.", "Add a labelmap.txt if they have other names."),
    "labelmap_invalid": (ERROR, "A line of the labelmap.txt has no colour, or one that is there before.", "Write name:red,green,blue:: with numbers of 0 to 255."),
    "mask_object_mixed": (WARNING, "An object has pixels of several classes; it was read as one mask for each.", "Check the two masks of the image."),
    # annotation tools
    "annotations_missing": (ERROR, "There is no annotation file of this format.", "Add the file the tool exports, or choose another format."),
    "image_described_twice": (WARNING, "An image is described twice; the first one holds.", "Describe every image once."),
    "image_matched_by_name": (WARNING, "An image is not at the path written; the file of that name was taken.", "Check that it is the image meant."),
    "image_size_mismatch": (WARNING, "The size written is not the image's; the image's own is used.", "Check that the image is the one that was annotated."),
    "shape_incomplete": (ERROR, "A shape lacks its label, its points or one of its numbers.", "Complete or remove the shape."),
    "shape_unsupported": (WARNING, "A shape of this kind was left out.", "Draw it as a box, polygon, mask or keypoints."),
    "shape_approximated": (WARNING, "Circles and ellipses were read as polygons of 64 corners.", "Nothing to do."),
    "keypoints_too_many": (ERROR, "A class has more than 500 keypoints; those beyond were left out.", "Check the names of the points."),
    "mask_runs_wrong": (ERROR, "The run lengths of a mask do not make up its size.", "Export the mask again."),
    "masks_too_large": (ERROR, "The masks of an image are for more than four billion pixels together.", "Draw polygons, or cut the image into tiles."),
    "mask_empty": (WARNING, "A mask without a pixel was left out.", "Nothing to do."),
    "region_unlabelled": (WARNING, "A region has no label; it is called by the tool it was drawn with.", "Label it."),
    "annotation_other": (WARNING, "A task has several annotations; the first that is not cancelled holds.", "Review them, or export one for each task."),
    "predictions_ignored": (WARNING, "Predictions were not read.", "Accept them as annotations if they are right."),
    "loss_points": (WARNING, "Points that are not labelled lost their place.", "Nothing to do."),
    "loss_box": (WARNING, "Boxes around keypoints cannot be written in this format; they become those of the points.", "Choose COCO or NDJSON to keep them."),
    # rows of labels: CSV, JSON Lines, Hugging Face, NDJSON
    "column_missing": (ERROR, "No column names the image, or none holds a label.", "Call them image and label, or class columns by their class and fill them with 0 and 1."),
    "column_repeated": (ERROR, "Two columns have the same name.", "Rename one of them."),
    "column_ignored": (WARNING, "A column is not known and was ignored.", "Nothing to do, unless it holds labels: call it label, value, or `value:NAME`."),
    "rows_unreadable": (ERROR, "A file of rows is damaged, no UTF-8, larger than 1 GB or longer than 5 million rows.", "Save it as UTF-8, or split the dataset."),
    "rows_ignored": (WARNING, "A file of rows names no images and was left out.", "Nothing to do, unless it holds labels: add a column `image`."),
    "row_unreadable": (ERROR, "A row cannot be read.", "Correct it: one JSON object a line, quotes in pairs, no cell longer than 128 KB."),
    "row_without_image": (ERROR, "A row names no image.", "Name its image or remove it."),
    "row_repeated": (WARNING, "An image has several rows; their labels were joined.", "Nothing to do, unless an image has one label only."),
    "image_without_row": (WARNING, "An image is in no row and was left out.", "Add a row for it, or remove it."),
    "split_name_invalid": (ERROR, "A split cannot be called so.", "Call it train, val or test, or by another name of letters and digits."),
    "label_type": (ERROR, "A label is neither a text, a number nor a list of them.", "Write a class, or a list of classes."),
    "value_conflict": (ERROR, "An image has two different values of the same thing.", "Remove one of them."),
    "labels_taken": (WARNING, "The data does not say what its labels are; they were taken as shown.", "Check it; columns called `label` hold classes and those called `value:NAME` numbers."),
    "class_unlisted": (WARNING, "A class is not in classes.txt and was added to it.", "Add it, or correct the label."),
    # Hugging Face
    "config_left": (WARNING, "The dataset has several configurations; one was read.", "Import each from a folder of its own."),
    "objects_invalid": (ERROR, "An object has no box of four finite numbers, or the lists of objects differ in length.", "Write `bbox` as [x, y, width, height] in pixels, one for each category."),
    "boxes_taken": (WARNING, "The data does not say what its boxes' numbers are; they were taken as x, y, width, height.", "Check it; call the field bbox_xyxy if they are corners."),
    "boxes_like_corners": (WARNING, "Boxes reach over the border, and all would fit as corners x1, y1, x2, y2.", "Call the field bbox_xyxy if they are corners."),
    "image_bytes": (ERROR, "An image inside a file is larger than 256 MB, or all together are larger than 50 GB.", "Scale the images down, or split the dataset."),
    # NDJSON
    "ndjson_header": (ERROR, "The first line does not describe a dataset of version 1.", 'Write {"type": "dataset", "version": 1, "classes": [{"id": 0, "name": "cat"}]}.'),
    "line_invalid": (ERROR, "A line does not describe an image.", "Correct the field named."),
    "key_repeated": (ERROR, "Two lines have the same key.", "Keep one of them."),
    "shape_invalid": (ERROR, "A geometry does not fit its kind or its image.", "Correct or remove it."),
    # what a format cannot hold (losses of `write`)
    "loss_shape": (WARNING, "Shapes were written as simpler ones.", "Choose a format that holds them."),
    "loss_form": (WARNING, "Shapes were written as others that cover the same.", "Nothing to do; only their kind is another."),
    "loss_outside": (WARNING, "Shapes that reach over the border of their image were cut at it.", "Check whether they belong to another image."),
    "loss_rings": (WARNING, "Polygons of several rings were written as one ring that covers the same.", "Choose COCO to keep the rings apart."),
    "loss_skeleton": (WARNING, "Objects with fewer keypoints than others were given more, not labelled.", "Choose a format that holds a skeleton for each class."),
    "loss_unclassed": (WARNING, "Annotations without a class cannot be written in this format.", "Give them a class."),
    "loss_unplaced": (WARNING, "Keypoints of which none is labelled cannot be written in this format without a box.", "Choose a format that holds them."),
    "loss_image_attributes": (WARNING, "Attributes of images cannot be written in this format.", "Choose NDJSON to keep everything."),
    "loss_class_attributes": (WARNING, "Attributes of classes, such as a skeleton, cannot be written in this format.", "Choose NDJSON to keep everything."),
    "loss_class_order": (WARNING, "This format has no list of classes: they are numbered by name.", "Nothing to do; the names stay."),
    "loss_attribute_types": (WARNING, "Attributes are written as text, or as numbers, whatever they were.", "Choose NDJSON to keep everything."),
    "loss_group": (WARNING, "Groups of images cannot be written in this format.", "Choose NDJSON to keep everything."),
    "loss_overlap": (WARNING, "Pixels that masks of two classes cover were written as the later one.", "Choose a format that holds masks one by one."),
    "loss_objects": (WARNING, "Objects of one class in one image were written as one mask.", "Choose a format that holds masks one by one."),
    "loss_background": (WARNING, "Pixels of no class were written as 255, void, because a class has the number 0.", "Nothing to do, if background should not be learned."),
    "loss_class_names": (WARNING, "Names of classes cannot be written in this format as they are and were changed.", "Nothing to do, if the new names are fine."),
    "loss_class_unused": (WARNING, "A class without annotations cannot be written in this format.", "Nothing to do, unless it is needed later."),
    "loss_several_classes": (WARNING, "An image can have one class only in this format; the first one was written.", "Choose a format that holds several classes."),
    "loss_splits": (WARNING, "Splits cannot be written in this format.", "Choose a format that holds them."),
    "loss_kind": (WARNING, "Annotations of this kind cannot be written in this format.", "Choose a format that holds them."),
    "loss_image": (WARNING, "An image without a class cannot be written in this format.", "Give it a class."),
    "loss_class_ids": (WARNING, "Class ids are numbered anew in this format.", "Nothing to do; the names stay."),
    "loss_attributes": (WARNING, "Attributes cannot be written in this format.", "Choose Pascal VOC to keep them."),
    "loss_split_name": (WARNING, "Splits were renamed, as this format allows letters and digits only.", "Nothing to do, if the new name is right."),
    "loss_repeated": (WARNING, "An image has the same class, or two values of one thing; the first is written.", "Remove the other."),
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


def blocking(findings: Iterable[Finding]) -> DataError | None:
    """The error that the first blocking finding stands for, or None. Its message names the others too."""
    errors = [finding for finding in findings if finding.severity == ERROR]
    if not errors:
        return None
    first, *others = errors
    besides = "; ".join(f"{f.message[:-1]}{_times(f)}, as at {f.examples[0]}" for f in others[:OTHERS])
    more = f"; and {len(others) - OTHERS} more kinds of errors" if len(others) > OTHERS else ""
    message = f"{first.message}{_times(first)}" + (f" Besides: {besides}{more}." if besides else "")
    where = first.examples[0] if first.examples else None
    return DataError(message, code=first.code, hint=first.hint, where=where)


def _times(finding: Finding) -> str:
    return f" ({finding.count} times)" if finding.count > 1 else ""


def refuse_blocking(findings: Iterable[Finding]) -> None:
    """Raise what blocks, if anything does."""
    error = blocking(findings)
    if error is not None:
        raise error
