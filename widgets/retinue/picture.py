"""A chart as SVG text: what a saved notebook shows where no kernel and no widget is alive.

Small multiples, one panel per kind of metric, because losses, rates and accuracies share no scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from retinue.history import Series

WIDTH, HEIGHT, GAP = 320, 200, 16
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 26, 24
# Okabe and Ito's palette: distinguishable with the common colour-vision deficiencies
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MOST_POINTS = 400


def panel_of(key: str) -> str:
    """The panel that a metric belongs to, as in the live chart: `train/loss` and `val/loss` share "loss"."""
    return key.rsplit("/", 1)[-1]


def thin(series: Series, most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most about `most` finite points; each bucket keeps its smallest and largest value, so no peak is lost."""
    points = [(s, v) for s, v in zip(series.step, series.value, strict=True) if math.isfinite(v)]
    size = math.ceil(2 * len(points) / most)
    if size <= 2:
        return points
    kept: list[tuple[int, float]] = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        ends = {min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def svg(title: str, series: Mapping[str, Series]) -> str:
    """The whole picture. Without points it says so."""
    panels: dict[str, list[str]] = {}
    for key in sorted(series):
        if any(math.isfinite(v) for v in series[key].value):
            panels.setdefault(panel_of(key), []).append(key)
    columns = max(1, min(3, len(panels)))
    rows = max(1, math.ceil(len(panels) / columns))
    width, height = columns * (WIDTH + GAP), rows * (HEIGHT + GAP) + 24
    body = [
        _panel(keys, series, (i % columns) * (WIDTH + GAP), 24 + (i // columns) * (HEIGHT + GAP))
        for i, keys in enumerate(panels.values())
    ]
    if not panels:
        body = ['<text x="8" y="60">No points yet.</text>']
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(title, quote=True)}" font-family="sans-serif" font-size="11" fill="#444">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="8" y="16" font-weight="bold">{escape(title)}</text>'
        + "".join(body)
        + "</svg>"
    )


def _panel(keys: Sequence[str], series: Mapping[str, Series], x: float, y: float) -> str:
    lines = [thin(series[key]) for key in keys]
    steps = [s for line in lines for s, _ in line]
    values = [v for line in lines for _, v in line]
    low, high = min(values), max(values)
    first, last = min(steps), max(steps)
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(step: int, value: float) -> str:
        across = (step - first) / ((last - first) or 1)
        up = (value - low) / ((high - low) or 1)
        return f"{LEFT + across * wide:.1f},{TOP + (1 - up) * tall:.1f}"

    parts = [f'<g transform="translate({x},{y})">']
    parts.append(f'<rect x="{LEFT}" y="{TOP}" width="{wide}" height="{tall}" fill="none" stroke="#ccc"/>')
    for value, at in ((high, TOP + 8), (low, TOP + tall)):
        parts.append(f'<text x="{LEFT - 4}" y="{at}" text-anchor="end">{value:.3g}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{first}</text>')
    parts.append(f'<text x="{LEFT + wide}" y="{HEIGHT - 8}" text-anchor="end">step {last}</text>')
    for i, (key, line) in enumerate(zip(keys, lines, strict=True)):
        colour = COLOURS[i % len(COLOURS)]
        points = " ".join(place(*p) for p in line)
        dot = (
            f'<circle cx="{points.split(",")[0]}" cy="{points.split(",")[1]}" r="2" fill="{colour}"/>'
            if len(line) == 1
            else ""
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>{dot}')
        parts.append(f'<text x="{LEFT + i * 84}" y="{TOP - 8}" fill="{colour}">{escape(key)}</text>')
    return "".join(parts) + "</g>"
