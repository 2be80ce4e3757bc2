"""A list of objects that draws itself as a table in a notebook and in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from retinue.html import table, text_table


class Row(Protocol):
    """An object that can be one line of a table."""

    @property
    def row(self) -> Sequence[object]:
        """The cells, in the order of the list's head."""
        ...


T = TypeVar("T", bound=Row)


class Listing(list[T], Generic[T]):
    """A plain list that knows its column heads and what to say when it is empty."""

    def __init__(self, items: Sequence[T], head: Sequence[str], empty: str) -> None:
        super().__init__(items)
        self.head = head
        self.empty = empty

    def __repr__(self) -> str:
        return text_table(self.head, [item.row for item in self], self.empty)

    def _repr_html_(self) -> str:
        return table(self.head, [item.row for item in self], empty=self.empty)
