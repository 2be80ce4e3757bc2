"""Small HTML for rich representations. Every value is escaped: names come from other people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "", empty: str = "Nothing here yet."
) -> str:
    """An HTML table, or the sentence `empty` when there are no rows."""
    lines = ["<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    title = f"<caption><b>{escape(caption)}</b></caption>" if caption else ""
    if not lines:
        return f"<p>{title and f'<b>{escape(caption)}</b>: '}{escape(empty)}</p>"
    header = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    return f"<table>{title}<thead><tr>{header}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def text_table(head: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "Nothing here yet.") -> str:
    """The same for a terminal: columns padded with spaces."""
    lines = [[str(cell) for cell in row] for row in rows]
    if not lines:
        return empty
    widths = [max(len(line[i]) for line in [list(head), *lines]) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in [list(head), *lines]
    )


def number(value: object) -> str:
    """Four significant digits for a float, the thing itself otherwise."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
