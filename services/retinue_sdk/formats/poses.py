"""Keypoints that come by name: their order is the class's, and known only when all of them have been seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retinue_sdk.formats.report import Report
from retinue_sdk.formats.rows import Box, Rows

MAX_POINTS = 500  # of one class; every pose has a place for each

Point = tuple[float, float, int]  # x, y, visibility


@dataclass(frozen=True)
class _Pose:
    image: int
    name: str
    points: Mapping[str, Point]
    size: tuple[int, int]
    source: str
    line: int
    attributes: Mapping[str, Any]
    box: Box | None


@dataclass
class Poses:
    """Poses as they are read, and the names of the points of each class in the order they were first seen."""

    report: Report
    names: dict[str, list[str]] = field(default_factory=dict)
    _found: list[_Pose] = field(default_factory=list)
    _known: dict[str, set[str]] = field(default_factory=dict)

    def know(self, name: str, points: Mapping[str, Any] | list[str], where: str) -> None:
        """Points that a class has."""
        known, names = self._known.setdefault(name, set()), self.names.setdefault(name, [])
        new = [point for point in dict.fromkeys(points) if point not in known]
        if len(names) + len(new) > MAX_POINTS:
            self.report.add("keypoints_too_many", where, name)
            new = new[: MAX_POINTS - len(names)]
        known.update(new)
        names += new

    def add(
        self,
        image: int,
        name: str,
        points: Mapping[str, Point],
        size: tuple[int, int],
        source: str,
        line: int,
        attributes: Mapping[str, Any],
        box: Box | None = None,
    ) -> None:
        """One pose in an image of this size (width, height)."""
        where = f"{source}:{line}" if line else source
        if not points:
            self.report.add("shape_incomplete", where, name)
            return
        self.know(name, points, where)
        self._found.append(_Pose(image, name, points, size, source, line, attributes, box))

    def finish(self, rows: Rows) -> None:
        """Add all poses to the rows; points that a pose lacks are not labelled."""
        for pose in self._found:
            shape = [pose.points.get(point, (0.0, 0.0, 0)) for point in self.names[pose.name]]
            rows.add_shape(
                pose.image, pose.name, "keypoints", shape, pose.size, pose.source, pose.line, pose.attributes, pose.box
            )
        self._found.clear()


def point_names(attributes: Mapping[str, Any], count: int) -> list[str]:
    """The names of the points of a class; numbers where it gives none, or gives one twice."""
    given = attributes.get("keypoints")
    names = [name for name in given if isinstance(name, str)][:count] if isinstance(given, list) else []
    names = names if len(set(names)) == len(names) else []
    number = len(names)
    while len(names) < count:
        number += 1
        if str(number) not in names:
            names.append(str(number))
    return names
