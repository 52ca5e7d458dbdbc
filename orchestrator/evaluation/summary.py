"""From runs to rows: means over seeds with their intervals, and the worst seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from orchestrator.evaluation.harness import Run, Setting
from orchestrator.evaluation.intervals import Interval, student

__all__ = ["Overall", "Row", "overall", "rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One selector in one setting. Intervals are Student's over seeds, at 95 %; None stands for what does not apply.

    `over_mixture` is the mean score less that of the best fixed mixture at the same cost. `calls_after` to
    `use_after_recovery` tell of the first change (see `Aftermath`), `overspend` and `score_of_best_mixture` of a budget
    (see `Spending`). `near_tie` marks a setting whose two best models cannot be told apart in its rounds (most seeds).
    """

    setting: Setting
    selector: str
    seeds: int
    share: Interval | None
    worst_share: float | None
    regret: Interval
    worst_regret: float
    score: Interval
    cost_usd: Interval
    gap: Interval | None
    over_mixture: Interval
    near_tie: bool
    decision_s_p50: float
    decision_s_p99: float
    calls_after: Interval | None
    failed_calls: Interval | None
    use_after_recovery: Interval | None
    overspend: Interval | None
    worst_overspend: float | None
    score_of_best_mixture: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, for JSON: an interval as mean, low and high, an endless one without its ends."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """One selector over several settings: its share of random's regret, meaned over settings within each seed."""

    selector: str
    settings: int
    seeds: int
    share: Interval
    worst_share: float
    decision_s_p50: float

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, for JSON."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def rows(runs: Iterable[Run]) -> list[Row]:
    """A row for each setting and selector, in the order of their first runs."""
    groups: dict[tuple[Setting, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.setting, run.selector), []).append(run)
    return [_row(setting, selector, group) for (setting, selector), group in groups.items()]


def _row(setting: Setting, selector: str, group: Sequence[Run]) -> Row:
    figures = [run.figures for run in group]
    shares = _known(figures, "share_of_random")
    first = [figure["aftermath"][0] for figure in figures if figure["aftermath"]]
    spent = [figure["spending"] for figure in figures if figure["spending"]]
    overspend = _known(spent, "overspend")
    regrets = _known(figures, "regret")
    return Row(
        setting=setting,
        selector=selector,
        seeds=len(group),
        share=_over(shares),
        worst_share=max(shares, default=None),
        regret=student(regrets),
        worst_regret=max(regrets),
        score=student(_known(figures, "mean_score")),
        cost_usd=student(_known(figures, "mean_cost_usd")),
        gap=_over(_known(figures, "gap_closed")),
        over_mixture=student([figure["mean_score"] - figure["mixture_score"] for figure in figures]),
        near_tie=_near_tie(figures),
        decision_s_p50=median(_known(figures, "decision_s_p50")),
        decision_s_p99=median(_known(figures, "decision_s_p99")),
        calls_after=_over(_known(first, "calls_after")),
        failed_calls=_over(_known(first, "failed_calls")),
        use_after_recovery=_over(_known(first, "use_after_recovery")),
        overspend=_over(overspend),
        worst_overspend=max(overspend, default=None),
        score_of_best_mixture=_over(_known(spent, "score_of_best_mixture")),
    )


def overall(runs: Iterable[Run], *, ties_apart: bool = False) -> list[Overall]:
    """Each selector over all settings, best first; `ties_apart` leaves the near ties out."""
    kept = list(runs)
    tied = {row.setting for row in rows(kept) if row.near_tie} if ties_apart else set()
    by_selector: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for run in kept:
        if run.setting not in tied and run.figures["share_of_random"] is not None:
            by_selector.setdefault(run.selector, {}).setdefault(run.seed, []).append(run.figures)
    found = [_overall(selector, seeds) for selector, seeds in by_selector.items()]
    return sorted(found, key=lambda one: one.share.mean)


def _overall(selector: str, seeds: dict[int, list[dict[str, Any]]]) -> Overall:
    means = [fmean(_known(figures, "share_of_random")) for figures in seeds.values()]
    every = [figure for figures in seeds.values() for figure in figures]
    return Overall(
        selector=selector,
        settings=max(map(len, seeds.values())),
        seeds=len(seeds),
        share=student(means),
        worst_share=max(_known(every, "share_of_random")),
        decision_s_p50=median(_known(every, "decision_s_p50")),
    )


def _known(figures: Iterable[dict[str, Any]], name: str) -> list[float]:
    return [figure[name] for figure in figures if figure[name] is not None]


def _over(values: Sequence[float]) -> Interval | None:
    return student(values) if values else None


def _near_tie(figures: Sequence[dict[str, Any]]) -> bool:
    def tied(rounds_to_tell: float | None, rounds: int) -> bool:
        return rounds_to_tell is None or rounds_to_tell > rounds

    return 2 * sum(tied(figure["rounds_to_tell"], figure["rounds"]) for figure in figures) > len(figures)


def _plain(value: Any) -> Any:
    if isinstance(value, Interval | tuple):
        mean, low, high = value
        return {"mean": mean, "low": _finite(low), "high": _finite(high)}
    return value


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
