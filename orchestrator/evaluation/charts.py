"""What the pictures of a comparison show, as numbers: the PNG and the page draw the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from statistics import fmean
from typing import Any, Final, NamedTuple

import numpy as np

from orchestrator.evaluation.harness import Run
from orchestrator.evaluation.summary import Overall, overall

__all__ = ["COLOURS", "Comparison", "Line", "Trade", "comparison"]

COLOURS: Final = ("#1f5f8b", "#b5482e", "#4d7c3a", "#6b5b95", "#f2b705", "#5fa8d3", "#e8956f", "#9cc27a", "#b9a9d6")
_CHANCE: Final = "#b4bac1"  # random is grey, whoever else is shown
_GRID: Final = 41


class Line(NamedTuple):
    """Regret so far, as a share of random's whole regret, over the share of rounds played."""

    selector: str
    played: tuple[float, ...]
    lost: tuple[float, ...]


class Trade(NamedTuple):
    """Cost as a multiple of the best single model's, and mean score less that model's."""

    selector: str
    cost: float
    score: float


class Comparison(NamedTuple):
    """The three pictures, their selectors in one order and one colour each."""

    bars: list[Overall]
    lines: list[Line]
    trades: list[Trade]
    colours: dict[str, str]


def comparison(runs: Sequence[Run]) -> Comparison:
    """What can be said of all runs together, best selector first."""
    bars = overall(runs)
    names = [one.selector for one in bars]
    of = {name: [run.figures for run in runs if run.selector == name] for name in names}
    colours = dict(zip((name for name in names if name != "random"), cycle(COLOURS)))  # colours go round
    return Comparison(
        bars=bars,
        lines=[_line(name, of[name]) for name in names],
        trades=[trade for name in names if (trade := _trade(name, of[name])) is not None],
        colours={name: colours.get(name, _CHANCE) for name in names},
    )


def _line(name: str, figures: Sequence[dict[str, Any]]) -> Line:
    played = np.linspace(0, 1, _GRID)
    parts = []
    for figure in figures:
        random = figure["rounds"] * (figure["best_reward"] - figure["random_reward"])
        if random > 0:
            rounds, lost = np.array([[0, 0.0], *figure["curve"]]).T
            parts.append(np.interp(played, rounds / figure["rounds"], lost / random))
    means = np.mean(parts, axis=0) if parts else np.zeros(_GRID)
    return Line(name, tuple(played.tolist()), tuple(means.tolist()))


def _trade(name: str, figures: Sequence[dict[str, Any]]) -> Trade | None:
    """None where the best model is free, and nothing is a multiple of its cost."""
    if not figures or not all(figure["best_cost_usd"] > 0 for figure in figures):
        return None
    cost = fmean(figure["mean_cost_usd"] / figure["best_cost_usd"] for figure in figures)
    return Trade(name, cost, fmean(figure["mean_score"] - figure["best_score"] for figure in figures))
