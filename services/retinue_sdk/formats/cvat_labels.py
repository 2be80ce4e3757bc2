"""Labels of CVAT: classes with their colour, and for skeletons the names of their points and the lines between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from retinue_sdk.formats.cvat_xml import Label
from retinue_sdk.formats.poses import Poses
from retinue_sdk.formats.xml_files import escape, quote

KEPT = ("color", "type")
_TAG = re.compile(r"<(line|circle)\b([^<>]*)>")
_VALUE = re.compile(r'data-(node-from|node-to|node-id|label-name)="([^"]*)"')

Inputs = dict[str, str]  # from an attribute to how it is entered: text, number, checkbox ...


@dataclass
class Labels:
    """The classes that <meta> names, in order; none when there is no <meta>."""

    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: dict[str, Inputs] = field(default_factory=dict)
    _svg: dict[str, str] = field(default_factory=dict)

    def add(self, label: Label, poses: Poses, where: str) -> None:
        """A label as it is read; one with a parent is a point of a skeleton."""
        name, parent = label.values.get("name", ""), label.values.get("parent", "")
        if parent:
            poses.know(parent, [name], where)
            return
        self.attributes.setdefault(name, {}).update({k: label.values[k] for k in KEPT if label.values.get(k)})
        self.inputs.setdefault(name, {}).update(label.inputs)
        if "svg" in label.values:
            self._svg[name] = label.values["svg"]

    def class_attributes(self, name: str, points: Sequence[str]) -> dict[str, Any]:
        """What the table says of a class whose keypoints are these."""
        found = dict(self.attributes.get(name, {}))
        if points:
            found.pop("type", None)  # that it has keypoints says as much
            found["keypoints"] = list(points)
            lines = _lines(self._svg.get(name, ""), points)
            found |= {"skeleton": lines} if lines else {}
        return found


def _lines(svg: str, points: Sequence[str]) -> list[list[int]]:
    """The lines of a skeleton as pairs of points, counted from 1."""
    place = {name: number for number, name in enumerate(points, 1)}
    tags = [(tag, dict(_VALUE.findall(inside))) for tag, inside in _TAG.findall(svg)]
    nodes = {v.get("node-id"): place.get(unescape(v.get("label-name", ""))) for tag, v in tags if tag == "circle"}
    ends = [(nodes.get(v.get("node-from")), nodes.get(v.get("node-to"))) for tag, v in tags if tag == "line"]
    return [[first, second] for first, second in ends if first and second]


def write_labels(
    classes: Sequence[str],
    attributes: Sequence[Mapping[str, Any]],
    points: Mapping[str, Sequence[str]],
    inputs: Mapping[str, Inputs],
) -> str:
    """The <labels> of these classes; `points` are the keypoints of those that have some."""
    parts = []
    for name, known in zip(classes, attributes, strict=True):
        names = points.get(name, ())
        values = {key: known[key] for key in KEPT if isinstance(known.get(key), str)}
        values |= {"type": "skeleton", "svg": _svg(names, known.get("skeleton"))} if names else {}
        parts.append(_label({"name": name, **values}, inputs.get(name, {})))
        parts += [_label({"name": point, "type": "points", "parent": name}, {}) for point in names]
    return f"<labels>\n{''.join(parts)}</labels>\n"


def _label(values: Mapping[str, str], inputs: Inputs) -> str:
    rows = "".join(_attribute(name, kind) for name, kind in sorted(inputs.items()))
    inside = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in values.items())
    return f"<label>{inside}<attributes>{rows}</attributes></label>\n"


def _attribute(name: str, kind: str) -> str:
    return (
        f"<attribute><name>{escape(name)}</name><mutable>False</mutable><input_type>{kind}</input_type>"
        "<default_value></default_value><values></values></attribute>"
    )


def _svg(points: Sequence[str], lines: Any) -> str:
    """How a skeleton is drawn: its points in a row, for want of better places."""
    step = 80 / max(1, len(points))
    nodes = [
        f'<circle r="1.5" cx="{10 + step * i:.4g}" cy="50" data-type="element node" data-element-id="{i + 1}" '
        f'data-node-id="{i + 1}" data-label-name={quote(name)}></circle>'
        for i, name in enumerate(points)
    ]
    edges = [
        f'<line x1="{10 + step * (a - 1):.4g}" y1="50" x2="{10 + step * (b - 1):.4g}" y2="50" data-type="edge" '
        f'data-node-from="{a}" data-node-to="{b}"></line>'
        for a, b in pairs(lines, len(points))
    ]
    return "".join([*edges, *nodes])


def pairs(lines: Any, count: int) -> list[tuple[int, int]]:
    """The lines of a skeleton that join two of its points."""
    return [
        (line[0], line[1])
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, list) and len(line) == 2 and all(type(end) is int and 0 < end <= count for end in line)
    ]
