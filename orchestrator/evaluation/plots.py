"""A comparison in one picture: what is left of the avoidable loss, how fast it was learnt, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator.evaluation.charts import Comparison, comparison
from orchestrator.evaluation.harness import Run

__all__ = ["plot"]

_INK: Final = "#22262b"
_FAINT: Final = "#8a9099"
_PAPER: Final = "#ffffff"


def plot(runs: Sequence[Run], path: Path) -> None:
    """Write the picture as PNG; ImportError when matplotlib is missing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = comparison(runs)
    height = 3.2 + 0.32 * len(shown.bars)
    figure = Figure(figsize=(15, height), dpi=130, facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
    _bars(left, shown)
    _lines(middle, shown)
    _trades(right, shown)
    figure.savefig(path, format="png")


def _bars(axes: Any, shown: Comparison) -> None:
    names = [one.selector for one in shown.bars]
    places = range(len(names))
    means = [100 * one.share.mean for one in shown.bars]
    errors = [100 * one.share.half_width if math.isfinite(one.share.half_width) else 0 for one in shown.bars]
    colours = [shown.colours[name] for name in names]
    axes.barh(places, means, xerr=errors, color=colours, height=0.62, error_kw={"ecolor": _INK, "capsize": 3})
    axes.scatter([100 * one.worst_share for one in shown.bars], places, marker="|", s=160, color=_INK, zorder=3)
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, -60), min(high, 160))  # the intervals of two or three seeds may reach anywhere
    axes.axvline(0, color=_INK, linewidth=1)
    axes.axvline(100, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlabel(
        "regret, % of random choice's (0: the best model from the start)\nbar: mean with 95 % interval    | : worst run"
    )
    _plain(axes, "What is left of the avoidable loss")
    axes.tick_params(axis="y", labelcolor=_INK)


def _lines(axes: Any, shown: Comparison) -> None:
    for line in shown.lines:
        played, lost = ([100 * value for value in values] for values in (line.played, line.lost))
        axes.plot(played, lost, color=shown.colours[line.selector], linewidth=2, label=line.selector)
    axes.set(xlabel="requests so far, %", ylabel="regret so far, % of random's whole", xlim=(0, 100))
    axes.axhline(0, color=_INK, linewidth=1)
    axes.legend(frameon=False, fontsize=8.5, loc="upper left")
    _plain(axes, "How fast it is learnt")


def _trades(axes: Any, shown: Comparison) -> None:
    axes.axhline(0, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
    axes.axvline(100, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
    for trade in shown.trades:
        point = (100 * trade.cost, 100 * trade.score)
        axes.scatter(*point, s=90, color=shown.colours[trade.selector], edgecolor=_PAPER, zorder=3)
    cheap = sum(trade.cost > 1 for trade in shown.trades) > len(shown.trades) / 2  # most points are to the right
    side, shift = ("left", 6) if cheap else ("right", -6)
    axes.annotate("best single model", (100, 0), xytext=(shift, 6), textcoords="offset points", ha=side, color=_FAINT)
    axes.margins(x=0.15, y=0.15)
    axes.set(xlabel="cost, % of the best single model's", ylabel="score, points against the best single model")
    _plain(axes, "What it costs, what it gets")


def _plain(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", color=_INK, fontsize=12.5, fontweight="bold", pad=12)
    axes.tick_params(colors=_FAINT, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color("#c9cdd2")
    axes.xaxis.label.set_color(_FAINT)
    axes.yaxis.label.set_color(_FAINT)
