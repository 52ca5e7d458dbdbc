"""What the engine loses: every row of the results in which somebody else does better, said in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["losses"]

Row = dict[str, Any]
Rows = list[Row]

MEASURES = {"CPU": "CPU of a call", "64 at once": "Wall time with 64 at once", "stream": "CPU of a stream"}
OURS = ("ucb", "thompson", "pool")
NOISE = 1.25  # tails of a few dozen calls differ by so much from run to run


def losses(parts: dict[str, Rows]) -> list[str]:
    """Sentences, part by part; a part that was not run loses nothing.

    >>> losses({"imports": [{"library": "engine", "ms": 9.0}, {"library": "openai SDK", "ms": 3.0}]})
    ['Import: openai SDK takes 3 ms, the engine 9.']
    """
    return [line for name, find in FINDERS.items() if name in parts for line in find(parts[name])]


def _calls(rows: Rows) -> Iterator[str]:
    for measure, title in MEASURES.items():
        ours, theirs = _sides([row for row in rows if row["measure"] == measure], "contestant")
        quicker = [f"{row['contestant']} {row['ratio']:.2f}" for row in theirs if row["ratio"] < ours["ratio"]]
        if quicker:
            yield f"{title}, times raw aiohttp's: {', '.join(quicker)}, the engine {ours['ratio']:.2f}."


def _imports(rows: Rows) -> Iterator[str]:
    ours, theirs = _sides(rows, "library")
    for row in theirs:
        if row["ms"] < ours["ms"]:
            yield f"Import: {row['library']} takes {row['ms']:,.0f} ms, the engine {ours['ms']:,.0f}."


def _decisions(rows: Rows) -> Iterator[str]:
    times = {(row["name"], row["models"]): row["us"] for row in rows}
    for rival in dict.fromkeys(row["name"] for row in rows if row["name"] not in OURS):
        told = []
        for policy in OURS:
            sizes = [size for name, size in times if name == rival and times[rival, size] < times[policy, size]]
            told += [f"`{policy}` among {' and '.join(f'{size:,}' for size in sizes)}"] if sizes else []
        if told:
            yield f"A decision: {rival} is quicker than {'; than '.join(told)}."


def _quality(rows: Rows) -> Iterator[str]:
    for ours in (row for row in rows if row["selector"] == "pool"):
        same = [row for row in rows if row["cost_weight"] == ours["cost_weight"]]
        better = [f"{row['selector']} ({row['mean']:.2f})" for row in same if row["mean"] < ours["mean"]]
        if better:
            weight, told = f"Regret at cost weight {ours['cost_weight']:g}", ", ".join(better)
            yield f"{weight}: the default, `pool`, leaves {ours['mean']:.2f}; less: {told}."


def _hits(rows: Rows) -> Iterator[str]:
    theirs = [row for row in rows if not row["cache"].startswith("engine")]
    for ours in (row for row in rows if row["cache"].startswith("engine")):
        level = ours["cache"].partition(", ")[2]
        quicker = [row["cache"] for row in theirs if level in row["cache"] and row["p50_us"] < ours["p50_us"]]
        if quicker:
            yield f"A hit in {level} takes {ours['p50_us']:,.1f} µs; quicker: {'; '.join(quicker)}."


def _gateways(rows: Rows) -> Iterator[str]:
    told = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        ours, theirs = _sides([row for row in rows if row["kind"] == kind], "gateway")
        quicker = [f"{row['gateway']} {row['cpu_us']:,.0f}" for row in theirs if row["cpu_us"] < ours["cpu_us"]]
        told += [f"{kind} {', '.join(quicker)}, the engine {ours['cpu_us']:,.0f}"] if quicker else []
    if told:
        yield f"Gateway, µs of CPU: {'; '.join(told)}."


def _outages(rows: Rows) -> Iterator[str]:
    for scene in dict.fromkeys(row["scene"] for row in rows):
        ours, theirs = _sides([row for row in rows if row["scene"] == scene], "contestant")
        for row in theirs:
            if _failed(row) < _failed(ours):
                yield f"{scene}: {row['contestant']} fails {_failed(row)} calls, the engine {_failed(ours)}."
            elif _failed(row) == _failed(ours) and row["p95"] * NOISE < ours["p95"]:
                told = f"within {row['p95']:,.0f} ms, the engine within {ours['p95']:,.0f}"
                yield f"{scene}: {row['contestant']} is through with 95 % {told}."


def _sides(rows: Rows, key: str) -> tuple[Row, Rows]:
    """The engine's row, and the others."""
    return next(row for row in rows if row[key] == "engine"), [row for row in rows if row[key] != "engine"]


def _failed(row: Row) -> int:
    """Calls that ended in an error, or in a wrong answer without one."""
    failed: int = row["errors"] + row["wrong"]
    return failed


FINDERS = {
    "calls": _calls,
    "imports": _imports,
    "decisions": _decisions,
    "quality": _quality,
    "hits": _hits,
    "gateways": _gateways,
    "outages": _outages,
}
