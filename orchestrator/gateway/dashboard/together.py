"""The looks of several workers as one: what they counted is added, and of what they believe the worst is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from orchestrator.gateway.dashboard.history import COLUMNS, rounded

__all__ = ["one_history", "one_look"]

Look = dict[str, Any]
Row = dict[str, Any]

_BADNESS = ("unknown", "healthy", "recovering", "limited", "unhealthy", "drained")
_COUNTED = ("calls", "errors", "in_flight", "waiting")
_MEASURED = ("p50_s", "p95_s", "tokens_per_s")
_MOST_EVENTS, _MOST_DECISIONS = 50, 40
_SAME_EVENT_S = 3.0  # an outage that one has found out reaches the others within a second or two


def one_look(looks: Mapping[int, Look], *, own: int, of: int) -> Look:
    """The look of worker `own` with what the others saw; whatever the workers share is told once, as `own` knows it."""
    first, all_of = looks[own], [looks[number] for number in sorted(looks)]
    workers = {"asked": own, "told": sorted(looks), "of": of}
    started_at = min(look["engine"]["started_at"] for look in all_of)
    return {
        **first,
        "engine": {**first["engine"], "started_at": started_at, "workers": workers},
        "issues": list(dict.fromkeys(issue for look in all_of for issue in look["issues"])),
        "events": _events(all_of),
        "cache": _cache([look["cache"] for look in all_of if look["cache"] is not None]),
        "models": [_model(rows) for rows in _by_model(looks, own).values()],
        "decisions": _decisions(looks),
        "turn": _turn([first["turn"], *(look["turn"] for number, look in looks.items() if number != own)]),
    }


def _by_model(looks: Mapping[int, Look], own: int) -> dict[str, dict[int, Row]]:
    """Each model's rows by worker, the own one first."""
    found: dict[str, dict[int, Row]] = {}
    for number in (own, *(one for one in looks if one != own)):
        for row in looks[number]["models"]:
            found.setdefault(row["id"], {})[number] = row
    return found


def _model(rows: Mapping[int, Row]) -> Row:
    """One row; `out_in` names the workers that think worse of the model than the others do."""
    all_of = list(rows.values())
    worst = max(all_of, key=lambda row: _BADNESS.index(row["status"]))
    out_in = sorted(number for number, row in rows.items() if row["status"] == worst["status"])
    differs = worst["status"] not in ("unknown", "healthy") and len(out_in) < len(rows)
    limits = [row["limit"] for row in all_of if row["limit"] is not None]
    checks = [row["last_check"] for row in all_of if row["last_check"] is not None]
    return {
        **all_of[0],
        **{name: worst[name] for name in ("status", "reason", "returns_at", "failures")},
        **{name: sum(row[name] for row in all_of) for name in _COUNTED},
        **{name: _mean([(row[name], row["calls"]) for row in all_of]) for name in _MEASURED},
        "cost_usd": rounded(sum(row["cost_usd"] for row in all_of)),
        "limit": sum(limits) if limits else None,
        "last_check": max(checks, default=None),
        "out_in": out_in if differs else None,
    }


def _mean(figures: Iterable[tuple[float | None, float]]) -> float | None:
    """The mean of those that are known, each counting as much as its weight."""
    known = [(figure, weight) for figure, weight in figures if figure is not None]
    if len({figure for figure, _ in known}) <= 1:
        return known[0][0] if known else None
    total = sum(weight for _, weight in known)
    return rounded(sum(figure * weight for figure, weight in known) / total) if total else known[0][0]


def _decisions(looks: Mapping[int, Look]) -> list[dict[str, Any]]:
    """The latest of all in the order of time; the new numbers rise with it and tell the workers apart."""
    all_of = [
        {**one, "number": round(one["at"] * 1e3) * 1000 + number % 10 * 100 + one["number"] % 100}
        for number, look in looks.items()
        for one in look["decisions"]
    ]
    return sorted(all_of, key=lambda one: int(one["number"]))[-_MOST_DECISIONS:]


def _events(looks: Iterable[Look]) -> list[dict[str, Any]]:
    """What happened, once: an outage is heard of by every worker."""
    told: list[dict[str, Any]] = []
    for event in sorted((one for look in looks for one in look["events"]), key=lambda one: float(one["at"])):
        facts = {name: value for name, value in event.items() if name not in ("at", "reason")}
        near = (one for one in reversed(told) if event["at"] - one["at"] <= _SAME_EVENT_S)
        if not any(facts.items() <= one.items() for one in near):
            told.append(event)
    return told[-_MOST_EVENTS:]


def _cache(caches: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    if not caches:
        return None
    names = dict.fromkeys(name for one in caches for name in one["levels"])
    levels = {name: _level(name, [one["levels"][name] for one in caches if name in one["levels"]]) for name in names}
    told = {name: sum(one[name] for one in caches) for name in caches[0] if name not in ("levels", "hit_rate")}
    looked_up = told["hits"] + told["misses"]
    return {**told, "hit_rate": told["hits"] / looked_up if looked_up else 0.0, "levels": levels}


def _level(name: str, levels: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Hits and misses are added; what lies on a disk or in Redis lies there once for all."""
    merge = sum if name in ("memory", "flight") else max
    told = dict(next((one for one in levels if not one["available"]), levels[0]))
    for figure, value in levels[0].items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            known = [one[figure] for one in levels if one[figure] is not None]
            told[figure] = (sum if figure in ("hits", "misses") else merge)(known)
    return told


def _turn(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The step that ended last, of all who have ended it."""
    at = max(turn["at"] for turn in turns)
    ended = [turn["models"] for turn in turns if turn["at"] == at]
    names = dict.fromkeys(name for models in ended for name in models)
    return {**turns[0], "at": at, "models": {name: _point([one.get(name) for one in ended]) for name in names}}


def one_history(histories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The histories of all, step by step; the first's beliefs, for what is learnt is shared."""
    at, step_s = max(one["at"] for one in histories), histories[0]["step_s"]
    behind = [round((at - one["at"]) / step_s) for one in histories]
    names = dict.fromkeys(name for one in histories for name in one["models"])
    models = {}
    for name in names:
        past = [_newest_first(one["models"].get(name), late) for one, late in zip(histories, behind, strict=True)]
        steps = [_point(points) for points in zip_longest(*past)][: histories[0]["points"]]
        models[name] = dict(zip(COLUMNS, map(list, zip(*reversed(steps), strict=True)), strict=True))
    return {**histories[0], "at": at, "models": models}


def _newest_first(columns: Mapping[str, list[Any]] | None, late: int) -> Iterator[list[Any] | None]:
    """One worker's points of a model; nothing for steps that it has not ended yet."""
    if columns is None:
        return
    yield from [None] * late
    yield from map(list, zip(*(reversed(columns[name]) for name in COLUMNS), strict=True))


def _point(points: Sequence[Sequence[Any] | None]) -> list[Any]:
    """One step of a model; its latencies are the means of the workers', weighted by their calls."""
    known = [point for point in points if point is not None]
    active = [point for point in known if point[0] is not None]
    belief = next((point[5] for point in known if point[5] is not None), None)
    if not active:
        return [None, None, None, None, None, belief]
    calls, errors, cost_usd = (sum(point[place] for point in active) for place in range(3))
    latencies = [_mean([(point[place], point[0]) for point in active]) for place in (3, 4)]
    return [calls, errors, rounded(cost_usd), *latencies, belief]
