"""Two small drawings for a page without scripts: lines over time, and points in a plane."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from orchestrator.evaluation.charts import Line, Trade

__all__ = ["lines", "points"]

_WIDTH: Final = 480
_HEIGHT: Final = 320
_LEFT: Final = 56
_BOTTOM: Final = 44
_MARGIN: Final = 16


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where numbers lie on the drawing."""

    low: tuple[float, float]
    high: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place in pixels, from the upper left."""
        across, up = (
            (value - low) / (high - low) for value, low, high in zip((x, y), self.low, self.high, strict=True)
        )
        return _LEFT + across * (_WIDTH - _LEFT - _MARGIN), _HEIGHT - _BOTTOM - up * (_HEIGHT - _BOTTOM - _MARGIN)


def _scale(xs: Sequence[float], ys: Sequence[float], *, room: float) -> _Scale:
    def ends(values: Sequence[float]) -> tuple[float, float]:
        low, high = min(values), max(values)
        spread = (high - low) or 1.0
        return low - room * spread, high + room * spread

    (left, right), (bottom, top) = ends(xs), ends(ys)
    return _Scale((left, bottom), (right, top))


def lines(drawn: Sequence[Line], colours: dict[str, str]) -> str:
    """Regret so far over the requests so far, both in per cent."""
    every = [100 * lost for line in drawn for lost in line.lost]
    scale = _scale([0.0, 100.0], [0.0, 1.0, *every], room=0.0)
    paths = []
    for line in drawn:
        places = (scale.at(100 * x, 100 * y) for x, y in zip(line.played, line.lost, strict=True))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        paths.append(f'<polyline points="{path}" fill="none" stroke="{colours[line.selector]}" stroke-width="2.2"/>')
    return _framed(scale, paths, across="requests so far, %", up="regret so far, %")


def points(drawn: Sequence[Trade], colours: dict[str, str]) -> str:
    """Score against cost, both relative to the best single model, which is the crossing of the dashed lines."""
    scale = _scale([100.0, *(100 * one.cost for one in drawn)], [0.0, *(100 * one.score for one in drawn)], room=0.18)
    (left, top), (right, bottom) = scale.at(scale.low[0], scale.high[1]), scale.at(scale.high[0], scale.low[1])
    x, y = scale.at(100, 0)
    crossing = f"M{left:.1f},{y:.1f}H{right:.1f}M{x:.1f},{top:.1f}V{bottom:.1f}"
    marks = [f'<path d="{crossing}" stroke="#8a9099" stroke-dasharray="4 4"/>']
    anchor, shift = ("start", 6) if x < (left + right) / 2 else ("end", -6)
    marks.append(f'<text x="{x + shift:.1f}" y="{y - 6:.1f}" text-anchor="{anchor}">best single model</text>')
    for one in drawn:
        x, y = scale.at(100 * one.cost, 100 * one.score)
        title = f"<title>{escape(one.selector)}</title>"
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colours[one.selector]}">{title}</circle>')
    return _framed(scale, marks, across="cost, % of the best single model's", up="score, points against it")


def _framed(scale: _Scale, marks: Iterable[str], *, across: str, up: str) -> str:
    """The drawing with its two axes."""
    left, bottom = scale.at(*scale.low)
    right, top = scale.at(*scale.high)
    middle = (top + bottom) / 2
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(up)} over {escape(across)}">',
        f'<path d="M{left:.1f},{top:.1f}V{bottom:.1f}H{right:.1f}" fill="none" stroke="#c9cdd2"/>',
        *_ticks(scale),
        *marks,
        f'<text x="{(left + right) / 2:.1f}" y="{bottom + 36:.1f}" text-anchor="middle">{escape(across)}</text>',
        f'<text transform="translate(14 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
        "</svg>",
    ]
    return "\n".join(parts)


def _ticks(scale: _Scale) -> Iterable[str]:
    for value in _round_numbers(scale.low[0], scale.high[0]):
        x, y = scale.at(value, scale.low[1])
        yield f'<text x="{x:.1f}" y="{y + 17:.1f}" text-anchor="middle">{value:g}</text>'
    for value in _round_numbers(scale.low[1], scale.high[1]):
        x, y = scale.at(scale.low[0], value)
        yield f'<text x="{x - 7:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def _round_numbers(low: float, high: float) -> list[float]:
    """Four to ten round numbers between two others.

    >>> _round_numbers(46.7, 120.0), _round_numbers(-0.3, 0.4)
    ([60.0, 80.0, 100.0, 120.0], [-0.2, 0.0, 0.2, 0.4])
    """
    decade = 10.0 ** math.floor(math.log10((high - low) / 3))
    step = next(decade * part for part in (10, 5, 2, 1) if (high - low) / (decade * part) >= 3)
    first, last = math.ceil(low / step), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]
