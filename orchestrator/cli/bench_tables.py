"""The tables of a comparison: one over all situations, and one for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orchestrator.cli.figures import BLANK
from orchestrator.cli.tables import table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from orchestrator.evaluation.harness import Run, Setting
    from orchestrator.evaluation.intervals import Interval
    from orchestrator.evaluation.summary import Row

__all__ = ["show"]


def show(runs: Sequence[Run], screen: Console) -> None:
    """Print everything that a reader of the terminal needs."""
    from orchestrator.evaluation.summary import rows

    found = rows(runs)
    settings = list(dict.fromkeys(row.setting for row in found))
    for setting in settings:
        mine = sorted((row for row in found if row.setting == setting), key=_loss)
        screen.print(_figures(_title(setting, mine[0]), mine, _ALWAYS))
        filled = [column for column in _SOMETIMES if any(column[2](row) != BLANK for row in mine)]
        if filled:
            screen.print(_figures("... after the change, and of the budget", mine, [_ALWAYS[0], *filled]))
    if len(settings) > 1:
        screen.print(_all_together(runs))
    screen.print(
        "loss: regret against the best single model as a share of random choice's (0 % = best from the start); "
        "gap: way from there to the best model for each prompt; mix: score less that of the best coin toss between two "
        "models at the same cost; ± 95 % over seeds.",
        style="dim",
    )


def _all_together(runs: Sequence[Run]) -> Table:
    from orchestrator.evaluation.summary import overall

    apart = {one.selector: one for one in overall(runs, ties_apart=True)}
    shown = table(
        "All situations",
        ("selector", "left"),
        ("loss", "right"),
        ("near ties apart", "right"),
        ("worst run", "right"),
        ("decision", "right"),
    )
    for one in overall(runs):
        other = apart.get(one.selector)
        shown.add_row(
            one.selector,
            _percent(one.share),
            _percent(other.share) if other else BLANK,
            f"{100 * one.worst_share:.1f} %",
            _us(one.decision_s_p50),
        )
    return shown


def _loss(row: Row) -> float:
    return math.inf if row.share is None else row.share.mean


def _figures(title: str, found: Sequence[Row], columns: Sequence[_Column]) -> Table:
    shown = table(title, *((heading, justify) for heading, justify, _ in columns))
    for row in found:
        shown.add_row(*(cell(row) for _, _, cell in columns))
    return shown


def _title(setting: Setting, row: Row) -> str:
    parts = [f"{setting.dataset}, cost weight {setting.cost_weight:g}", f"{row.seeds} seeds"]
    if setting.scenario != "steady":
        parts.append(setting.scenario)
    if setting.delay:
        parts.append(f"outcomes {setting.delay} late")
    if setting.knowledge != "nothing":
        parts.append(f"known: {setting.knowledge}")
    if setting.budget is not None:
        parts.append(f"budget {setting.budget:.0%}")
    if row.near_tie:
        parts.append("a near tie")
    return ", ".join(parts)


def _percent(interval: Interval | None, digits: int = 1) -> str:
    if interval is None:
        return BLANK
    margin = f" ±{100 * interval.half_width:.{digits}f}" if math.isfinite(interval.half_width) else ""
    return f"{100 * interval.mean:.{digits}f} %{margin}"


def _plain_percent(value: float | None) -> str:
    return BLANK if value is None else f"{100 * value:.1f} %"


def _number(interval: Interval | None) -> str:
    return BLANK if interval is None else f"{interval.mean:.1f}"


def _us(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs"


_Column = tuple[str, str, Callable[["Row"], str]]

_ALWAYS: tuple[_Column, ...] = (
    ("selector", "left", lambda row: row.selector),
    ("loss", "right", lambda row: _percent(row.share)),
    ("worst", "right", lambda row: _plain_percent(row.worst_share)),
    ("gap", "right", lambda row: _percent(row.gap)),
    ("score", "right", lambda row: f"{row.score.mean:.4f}"),
    ("USD/1,000", "right", lambda row: f"{1000 * row.cost_usd.mean:.4g}"),
    ("mix", "right", lambda row: f"{100 * row.over_mixture.mean:+.1f}"),
    ("p50", "right", lambda row: _us(row.decision_s_p50)),
    ("p99", "right", lambda row: _us(row.decision_s_p99)),
)

_SOMETIMES: tuple[_Column, ...] = (
    ("calls in 100 after", "right", lambda row: _number(row.calls_after)),
    ("failed", "right", lambda row: _number(row.failed_calls)),
    ("use after", "right", lambda row: _percent(row.use_after_recovery, 0)),
    ("overspent", "right", lambda row: _percent(row.overspend)),
    ("worst", "right", lambda row: _plain_percent(row.worst_overspend)),
    ("of best mix", "right", lambda row: _percent(row.score_of_best_mixture)),
)
