"""The run in one picture: who carried the traffic over time, and what right answers cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from orchestrator.cli.demo.labels import Box, Label, place
from orchestrator.cli.demo.records import Outage, PolicyName, Sent

if TYPE_CHECKING:
    from orchestrator.cli.demo.report import Report

__all__ = ["plot", "shares_over_time"]

_INK, _FAINT, _PAPER = "#22262b", "#8a9099", "#ffffff"
_COLOURS = ("#b5482e", "#e8956f", "#1f5f8b", "#5fa8d3", "#4d7c3a", "#9cc27a", "#6b5b95", "#b9a9d6")
_MOMENTS = 240
_POLICY_LOOKS: dict[PolicyName, tuple[str, str, str, float]] = {
    "engine": ("the engine", "#f2b705", "*", 420),
    "best": ("always the best", _INK, "D", 80),
    "random": ("at random", _INK, "s", 80),
}


def plot(report: Report, sent: Sequence[Sent], path: Path) -> None:
    """Write the picture as PNG; ImportError when matplotlib is missing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.6), dpi=130, facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    ids = [model.id for model in report.models]
    colours = dict(zip(ids, _COLOURS, strict=False))
    _traffic(left, [one for one in sent if one.policy == "engine"], report.outage, ids, colours)
    _worth(right, report, colours)
    figure.savefig(path, format="png")


def shares_over_time(
    answered: Sequence[tuple[float, str]], ids: Sequence[str], moments: np.ndarray[Any, Any], *, window_s: float
) -> np.ndarray[Any, Any]:
    """The share of each model (row) at each moment (column), under a bell-shaped window of so many seconds.

    >>> shares_over_time([(0.0, "a"), (10.0, "b")], ["a", "b"], np.array([0.0, 5.0, 10.0]), window_s=1.0).tolist()
    [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]
    """
    times = np.array([at_s for at_s, _ in answered])
    bells = np.exp(-0.5 * ((moments[:, None] - times[None, :]) / window_s) ** 2)
    by_model = np.array([[model_id == one for _, model_id in answered] for one in ids], dtype=float)
    weights = by_model @ bells.T
    shares: np.ndarray[Any, Any] = np.round(weights / np.maximum(weights.sum(axis=0), 1e-300), 6)
    return shares


def _traffic(axes: Any, ours: Sequence[Sent], outage: Outage, ids: Sequence[str], colours: Mapping[str, str]) -> None:
    answered = [(one.at_s, one.model_id) for one in ours if one.model_id is not None]
    end_s = max(at_s for at_s, _ in answered)
    moments = np.linspace(0, end_s, _MOMENTS)
    shares = shares_over_time(answered, ids, moments, window_s=end_s / 60)
    axes.stackplot(
        moments, 100 * shares, labels=ids, colors=[colours[one] for one in ids], edgecolor=_PAPER, linewidth=0.6
    )
    axes.axvspan(outage.from_s, outage.to_s, facecolor="none", edgecolor=_INK, hatch="///", alpha=0.25, linewidth=0)
    for at_s in (outage.from_s, outage.to_s):
        axes.axvline(at_s, color=_INK, linewidth=1.2, linestyle=(0, (4, 3)))
    middle = (outage.from_s + outage.to_s) / 2
    axes.text(middle, 102, f"{outage.provider} is down", ha="center", va="bottom", color=_INK, fontsize=10)
    axes.set(
        xlim=(0, end_s), ylim=(0, 100), xlabel="seconds since the start", ylabel="share of the engine's answers, %"
    )
    axes.set_title("Who carries the traffic", loc="left", color=_INK, fontsize=13, fontweight="bold", pad=24)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    _plain(axes)


def _worth(axes: Any, report: Report, colours: Mapping[str, str]) -> None:
    axes.set(xlabel="USD per 1,000 prompts", ylabel="right answers, %")
    axes.set_title("What right answers cost", loc="left", color=_INK, fontsize=13, fontweight="bold", pad=24)
    axes.grid(color="#e6e8eb", linewidth=0.8, zorder=0)
    points = [*_policy_points(report), *_model_points(report, colours)]
    _money_axis(axes, max(point.usd for point in points))
    for point in points:
        edge = _INK if point.bold else "none"
        axes.scatter(
            point.usd, point.right, s=point.size, marker=point.marker, color=point.colour, edgecolor=edge, zorder=3
        )
    axes.set_ylim(max(0, min(point.right for point in points) - 8), 103)
    _plain(axes)
    _name(axes, points)


class _Point(NamedTuple):
    """A mark in the plot of cost and quality; `size` is its area in square points."""

    name: str
    usd: float
    right: float
    colour: str
    marker: str = "o"
    size: float = 70
    bold: bool = False


def _policy_points(report: Report) -> Iterator[_Point]:
    for figures in report.policies:
        if figures.quality is not None and figures.usd_per_1000 is not None:
            name, colour, marker, size = _POLICY_LOOKS[figures.policy]
            yield _Point(name, figures.usd_per_1000, 100 * figures.quality, colour, marker, size, bold=True)


def _model_points(report: Report, colours: Mapping[str, str]) -> Iterator[_Point]:
    for model in report.models:
        if model.quality is not None and model.usd_per_1000 is not None:
            yield _Point(model.id.partition("/")[2], model.usd_per_1000, 100 * model.quality, colours[model.id])


def _money_axis(axes: Any, dearest_usd: float) -> None:
    """Logarithmic above five cents and straight below, because local models cost nothing."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("symlog", linthresh=0.05, linscale=0.6)
    ticks = [tick for tick in (0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if tick <= 2 * dearest_usd]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"${usd:g}"))
    axes.set_xlim(-0.02, 2.5 * dearest_usd)


def _name(axes: Any, points: Sequence[_Point]) -> None:
    """Write the names where they hide nothing; the lay-out must be settled before places can be measured."""
    figure = axes.get_figure()
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    to_page = 72 / figure.dpi
    marks = [axes.transData.transform((point.usd, point.right)) * to_page for point in points]
    labels = [
        Label(x, y, (5.9 if point.bold else 4.9) * len(point.name), 10, math.sqrt(point.size) / 2)
        for point, (x, y) in zip(points, marks, strict=True)
    ]
    window = axes.get_window_extent()
    page = Box(*(side * to_page for side in (window.x0, window.y0, window.x1, window.y1)))
    for point, label, box in zip(points, labels, place(labels, page), strict=True):
        axes.annotate(
            point.name,
            (point.usd, point.right),
            xytext=((box.left + box.right) / 2 - label.x, (box.bottom + box.top) / 2 - label.y),
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            color=_INK if point.bold else _FAINT,
            fontsize=9.5 if point.bold else 8.5,
            fontweight="bold" if point.bold else "normal",
            zorder=5,
        )


def _plain(axes: Any) -> None:
    axes.tick_params(colors=_FAINT, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color("#c9cdd2")
    axes.xaxis.label.set_color(_FAINT)
    axes.yaxis.label.set_color(_FAINT)
