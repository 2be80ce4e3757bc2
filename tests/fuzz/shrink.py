"""Cuts a failing case down: whole files, then lines, then pieces of lines, as long as it still fails the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

Content = dict[str, bytes | None]
SECONDS = 15


def shrink(content: Content, fails: Callable[[Content], bool]) -> Content:
    """The smallest case found in a few seconds; the one given where it does not fail again by itself."""
    until = time.perf_counter() + SECONDS
    if not fails(content):
        return content
    for name in list(content):
        less = {k: v for k, v in content.items() if k != name}
        if less and fails(less):
            content = less
    for name in list(content):
        for parts_of in (_lines, _pieces, _bytes):
            content = _shorter(content, name, parts_of, fails, until)
    return content


def _shorter(
    content: Content,
    name: str,
    parts_of: Callable[[bytes], list[bytes]],
    fails: Callable[[Content], bool],
    until: float,
) -> Content:
    """The same with fewer parts of one file."""
    data = content[name]
    if data is None:
        return content
    parts = _fewer(parts_of(data), lambda some: fails({**content, name: b"".join(some)}), until)
    return {**content, name: b"".join(parts)}


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def _pieces(data: bytes) -> list[bytes]:
    return [data[i : i + 16] for i in range(0, len(data), 16)]


def _bytes(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def _fewer(parts: Sequence[bytes], fails: Callable[[Sequence[bytes]], bool], until: float) -> Sequence[bytes]:
    """Delta debugging without its second half: halves, quarters and so on are left out one after the other."""
    step = len(parts) // 2
    while step and time.perf_counter() < until:
        start = 0
        while start < len(parts) and time.perf_counter() < until:
            less = [*parts[:start], *parts[start + step :]]
            if less and fails(less):
                parts = less
            else:
                start += step
        step //= 2
    return parts
