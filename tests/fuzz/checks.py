"""What a reader must do with anything: give a table that is right, or an error of ours; and the table can be kept."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from retinue_sdk import formats
from retinue_sdk.errors import RetinueError
from retinue_sdk.formats import ndjson
from retinue_sdk.formats.report import CODES
from retinue_sdk.table import AnnotationTable, make_table

form_of = cache(formats.get)  # which formats there are is looked up on disk each time


class PromiseError(Exception):
    """A promise that does not hold."""


def read(name: str, root: Path) -> AnnotationTable | None:
    """Recognise and read a dataset; None when it is refused."""
    form = form_of(name)
    try:
        confidence = form.sniff(root)
        if not 0 <= confidence <= 1:
            raise PromiseError(f"sniff says {confidence}")
        table, findings = form.read(root)
    except RetinueError as error:
        if error.problem.code == "table_invalid":  # the reader's own business, and no person can cure it
            raise PromiseError(str(error)) from error
        return None
    strange = {finding.code for finding in findings} - CODES.keys()
    if strange or any(len(finding.examples) > 10 for finding in findings):
        raise PromiseError(f"findings {strange}, or more examples than ten")
    for finding in findings:
        finding.model_dump_json()
    for attributes in {*table.images["attributes"], *table.annotations["attributes"]} - {""}:
        if not isinstance(json.loads(attributes), dict):
            raise PromiseError(f"attributes {attributes:.100}")
    return table


def kept(table: AnnotationTable, folder: Path) -> None:
    """A table is valid, and the same again after Retinue's own format."""
    shutil.rmtree(folder, ignore_errors=True)
    make_table(table.images, table.annotations, table.classes, table.class_ids, table.geometry, table.class_attributes)
    try:
        losses = ndjson.write(table, folder / "data")
        again, _ = ndjson.read(folder / "data")
    except RetinueError as error:
        raise PromiseError(f"not kept by NDJSON: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if losses:
        raise PromiseError(f"NDJSON loses {losses}")
    for what, one, two in _parts(table, again):
        if not (one.equals(two) if isinstance(one, pd.DataFrame) else one == two):
            raise PromiseError(f"NDJSON gives another table: {what}, {_difference(one, two)}")


def written(name: str, table: AnnotationTable, folder: Path) -> None:
    """Another format's writer takes the table, or says with an error of ours why not."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        form_of(name).write(table, folder)
    except RetinueError:
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parts(table: AnnotationTable, again: AnnotationTable) -> list[tuple[str, Any, Any]]:
    values, offsets = table.coordinates()
    more, places = again.coordinates()
    return [
        ("images", table.images.drop(columns="path"), again.images.drop(columns="path")),
        ("annotations", table.annotations, again.annotations),
        ("offsets", offsets.tolist(), places.tolist()),
        ("geometry", pd.DataFrame(values), pd.DataFrame(more)),
        ("classes", table.classes, again.classes),
        ("ids", table.class_ids, again.class_ids),
        ("class attributes", table.class_attributes, again.class_attributes),
    ]


def _difference(one: Any, two: Any) -> str:
    if not isinstance(one, pd.DataFrame):
        return f"{one!r:.300} and {two!r:.300}"
    if one.shape != two.shape:
        return f"{one.shape} and {two.shape}"
    different = ~((one == two) | (one.isna() & two.isna()))
    row, column = different.any(axis=1).argmax(), different.any(axis=0).argmax()
    return f"{one.columns[column]} {one.iloc[row, column]!r:.300} and {two.iloc[row, column]!r:.300}"
