"""Where to write the name of each point in a crowded plot: beside it, at the first side where nothing is in the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Box", "Label", "place"]


class Box(NamedTuple):
    """A rectangle, in points of the page."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0


class Label(NamedTuple):
    """A text for a point at (x, y); `reach` is the radius of the point's mark, all in points of the page."""

    x: float
    y: float
    width: float
    height: float
    reach: float

    @property
    def mark(self) -> Box:
        """What the point itself covers."""
        return Box(self.x - self.reach, self.y - self.reach, self.x + self.reach, self.y + self.reach)

    @property
    def places(self) -> list[Box]:
        """Right, left, above, below, and then the corners."""
        width, height, gap = self.width, self.height, self.reach + 3
        right, left, middle = self.x + gap, self.x - gap - width, self.x - width / 2
        level, above, below = self.y - height / 2, self.y + gap, self.y - gap - height
        corners = [(right, above), (right, below), (left, above), (left, below)]
        spots = [(right, level), (left, level), (middle, above), (middle, below), *corners]
        return [Box(x, y, x + width, y + height) for x, y in spots]


def place(labels: Sequence[Label], page: Box) -> list[Box]:
    """A box for each text, in order: on the page, off all marks and off the texts placed before, as far as it goes.

    >>> page = Box(0, 0, 100, 100)
    >>> place([Label(50, 50, 20, 10, 2), Label(60, 50, 20, 10, 2)], page)
    [Box(left=25, bottom=45.0, right=45, top=55.0), Box(left=65, bottom=45.0, right=85, top=55.0)]
    """
    taken = [label.mark for label in labels]
    placed: list[Box] = []
    for label in labels:
        best = min(label.places, key=lambda box: _in_the_way(box, [*taken, *placed], page))
        placed.append(best)
    return placed


def _in_the_way(box: Box, others: Iterable[Box], page: Box) -> float:
    """The area of the box that is covered already, or off the page."""
    outside = (box.right - box.left) * (box.top - box.bottom) - box.overlap(page)
    return outside + sum(box.overlap(other) for other in others)
