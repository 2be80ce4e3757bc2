"""Masks, parquet and Arrow with pixels, cells and types changed."""

from __future__ import annotations

import io
import json
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.fuzz.damage import damaged
from tests.fuzz.values import anything, changed, text
from tests.sdk.mask_folders import png

NUMBERS = (0, 1, 2, 3, 7, 33, 128, 254, 255)
MODES = ("1", "L", "P", "LA", "RGB", "RGBA", "I;16", "CMYK")


def picture(random: Random, data: bytes) -> bytes:
    """A mask with other numbers, of another mode or size, of few bits a pixel, or damaged."""
    kind = random.random()
    if kind < 0.25:
        return damaged(random, data)
    if kind < 0.3:  # huge, or empty, with a head that is right
        width, height = random.choice(((50_000, 50_000), (2**31 - 1, 1), (1, 10**8), (0, 0), (64, 0), (30_000, 30_000)))
        return png(width, height, random.choice((1, 8, 16)), random.choice((0, 2, 3, 6)), [b"\0" * 8])
    with Image.open(io.BytesIO(data)) as image:
        pixels, size = np.array(image), image.size
        if kind < 0.45:
            mode = random.choice(MODES)
            plain = image.convert("RGB" if mode == "CMYK" else "L")
            return _saved(
                random, Image.fromarray(np.asarray(plain, dtype=np.uint16)) if mode == "I;16" else plain.convert(mode)
            )
        if kind < 0.5:
            return _saved(random, image.resize((max(1, size[0] + random.choice((-1, 1, 9))), size[1])))
        palette = image.getpalette() if image.mode == "P" else None
    if kind < 0.6:
        depth = random.choice((1, 2, 4))
        row = -(-size[0] * depth // 8)
        return png(*size, depth, random.choice((0, 3)), [random.randbytes(row) for _ in range(size[1])])
    for _ in range(random.choice((1, 3, 10))):
        x, y = random.randrange(size[0]), random.randrange(size[1])
        part = pixels[y : y + random.choice((1, 5, 60)), x : x + random.choice((1, 5, 60))]
        part[...] = (
            random.choice(NUMBERS)
            if kind < 0.9
            else np.frombuffer(random.randbytes(part.nbytes), part.dtype).reshape(part.shape)
        )
    made = Image.fromarray(pixels)
    if palette and made.mode == "L":
        made.putpalette(
            palette if random.random() < 0.7 else [random.randrange(256) for _ in range(random.choice((3, 30, 768)))]
        )
    return _saved(random, made)


def _saved(random: Random, image: Image.Image) -> bytes:
    stream = io.BytesIO()
    kind = "PNG" if image.mode != "CMYK" else "JPEG"
    image.save(stream, format=random.choice(("GIF", "BMP")) if random.random() < 0.03 and image.mode == "L" else kind)
    return stream.getvalue()


def one_parquet(random: Random, data: bytes) -> bytes:
    """Parquet with one row, or what is said of the columns, changed; or damaged."""
    return many_parquet(random, data, 1)[0] if random.random() < 0.6 else damaged(random, data)


def many_parquet(random: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """Parquet of so many rows, each with a cell changed; at most as many as read at once are of other types."""
    table = _rows(random, pq.read_table(io.BytesIO(data)), min(count, 60))
    sink = io.BytesIO()
    try:
        pq.write_table(table, sink, row_group_size=random.choice((1, 10, 1000)))
    except pa.ArrowException:  # objects without any field, or nested too deeply
        return damaged(random, data), 1
    return sink.getvalue(), len(table)


def one_arrow(random: Random, data: bytes) -> bytes:
    """The same for an Arrow stream."""
    return many_arrow(random, data, 1)[0] if random.random() < 0.4 else damaged(random, data)


def many_arrow(random: Random, data: bytes, count: int) -> tuple[bytes, int]:
    """The same for an Arrow stream."""
    table = _rows(random, pa.ipc.open_stream(data).read_all(), min(count, 60))
    sink = io.BytesIO()
    try:
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    except pa.ArrowInvalid:  # nested too deeply to be written
        return damaged(random, data), 1
    return sink.getvalue(), len(table)


def _rows(random: Random, table: Any, count: int) -> Any:
    rows = table.to_pylist()
    found = [_cells(random, random.choice(rows)) for _ in range(count)]
    columns = {name: [row.get(name) for row in found] for name in dict.fromkeys(key for row in found for key in row)}
    made = {name or "_": _column(random, values, table, name) for name, values in columns.items()}
    return pa.table(made).replace_schema_metadata(_metadata(random, table.schema.metadata or {}))


def _cells(random: Random, row: dict[str, Any]) -> dict[str, Any]:
    """A row with one cell changed; of an image, mostly only the bytes."""
    name = random.choice(list(row))
    value = row[name]
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        other = (
            {"bytes": damaged(random, value["bytes"])}
            if random.random() < 0.6
            else {"path": text(random, value.get("path") or "")}
        )
        return {**row, name: {**value, **other}}
    return {**row, name: changed(random, value)}


def _column(random: Random, values: list[Any], table: Any, name: str) -> Any:
    """A column of its own type where the values allow, else of one that they do."""
    types = [table.schema.field(name).type] if name in table.schema.names and random.random() < 0.9 else []
    for kind in (*types, None):
        try:
            return pa.array(values, kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            continue
    if types:  # what does not fit by itself is none
        try:
            return pa.array([value if _fits(value, types[0]) else None for value in values], types[0])
        except pa.ArrowException:  # an empty list passes for an object where nothing stands beside it
            pass
    return pa.array([str(value).encode("utf-8", "replace").decode() for value in values])


def _fits(value: Any, kind: Any) -> bool:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


def _metadata(random: Random, said: dict[bytes, bytes]) -> dict[bytes, bytes]:
    if random.random() < 0.7 or b"huggingface" not in said:
        return said
    value = changed(random, json.loads(said[b"huggingface"])) if random.random() < 0.8 else anything(random)
    try:
        return {**said, b"huggingface": json.dumps(value).encode("utf-8", "replace")}
    except (ValueError, RecursionError):
        return {}
