"""The page that shows the figures of a run: every number comes from the results, and so does what is lost."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import clients
import gateways
from losses import losses

__all__ = ["page"]

Rows = list[dict[str, Any]]
MISSING = "-"

HEAD = """\
# Peers

What the engine costs and what it saves beside other libraries, all of them running here, on one machine, each table
in one run. This page is written by `make bench-peers`, in an environment of its own; what cannot be installed there
is left out by name. Within each table the contestants take turns round by round, so that drift of the machine falls
on all alike, and ratios are taken within a round. The servers they ask are ours, on loopback, and answer at once:
against a real model, which takes a second, all of the milliseconds below are small. Read it for order of magnitude,
and for what happens when something breaks.
"""


def page(results: dict[str, Any]) -> str:
    """The whole page; parts that were not run are missing from it."""
    parts = results["parts"]
    drawn = [HEAD, _about(results["about"], sorted(results["loads"].values()))]
    drawn += [draw(parts[name]) for name, draw in SECTIONS.items() if name in parts]
    return "\n".join([*drawn, _lost(parts)])


def _text(*sentences: str) -> str:
    """A paragraph."""
    return "\n".join(textwrap.wrap(" ".join(sentences), 120, break_long_words=False, break_on_hyphens=False)) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)) + "\n"


def _about(about: dict[str, Any], loads: Sequence[float]) -> str:
    there = ", ".join(f"{name} {number}" for name, number in about["versions"].items() if number)
    left_out = ", ".join(name for name, number in about["versions"].items() if not number)
    missing = f" Not installed: {left_out}." if left_out else ""
    return _text(
        f"{about['date']}, Python {about['python']}, {about['cores']} cores shared with other work",
        f"(load {loads[0]:.1f} to {loads[-1]:.1f} when the tables began). {there}.{missing} Not here:",
        "Bifrost, a gateway in Go, whose npm package fetches a program from its maker's own server when it starts,",
        "not from a package registry.",
    )


def _calls(rows: Rows) -> str:
    cells = {(row["measure"], row["contestant"]): row for row in rows}
    measures, names = _named(rows, "measure"), _named(rows, "contestant")
    lines = [
        [name, *(_ratio(cells[measure, name], "q1", "q3") for measure in measures), clients.FEATURES[name]]
        for name in names
    ]
    titles = {"CPU": "CPU of a call", "64 at once": "wall time with 64 at once", "stream": "CPU of a stream, 20 pieces"}
    head = ["client", *(titles[measure] for measure in measures), "what is on"]
    base = cells["CPU", "raw aiohttp"]["us"]
    text = _text(
        "As ratios to raw aiohttp in the same round, median and quartiles.",
        f"Raw aiohttp took {base:,.0f} µs of CPU a call.",
    )
    picture = "![CPU of a call beside raw aiohttp, by client](peers.png)"
    return f"## A call\n\n{text}\n{picture}\n\n{_table(head, lines)}"


def _ratio(row: dict[str, Any], low: str, high: str) -> str:
    return f"{row['ratio']:.2f} ({row[low]:.2f} to {row[high]:.2f})"


def _imports(rows: Rows) -> str:
    lines = [[row["library"], f"{row['ms']:,.0f}"] for row in sorted(rows, key=lambda row: row["ms"])]
    return f"## An import\n\nMilliseconds beyond the bare interpreter, median.\n\n{_table(['library', 'ms'], lines)}"


def _decisions(rows: Rows) -> str:
    cells = {(row["name"], row["models"]): row for row in rows}
    sizes = _named(rows, "models")
    lines = [[name, *(_span(cells[name, size]) for size in sizes)] for name in _named(rows, "name")]
    head = ["policy", *(f"{size:,} models" for size in sizes)]
    text = _text(
        "Microseconds of a choice and of learning from it, median and quartiles;",
        "rows without a library's name are ours.",
    )
    return f"## A decision\n\n{text}\n{_table(head, lines)}"


def _span(row: dict[str, Any]) -> str:
    low, high = row["quartiles_us"]
    return f"{row['us']:,.1f} ({low:,.1f} to {high:,.1f})"


def _quality(rows: Rows) -> str:
    cells = {(row["selector"], row["cost_weight"]): row for row in rows}
    weights = _named(rows, "cost_weight")
    lines = [
        [name, *(f"{cells[name, one]['mean']:.2f} ({cells[name, one]['worst']:.2f})" for one in weights)]
        for name in _named(rows, "selector")
    ]
    head = ["policy", *(f"cost weight {weight:g}" for weight in weights)]
    text = _text(
        "The share of random choice's regret that is left after 1,500 prompts of the built-in workload:",
        "0 is as good as knowing the best model from the start, 1 is chance. Mean over seeds, worst seed in brackets.",
        "MABWiser learns from the reward as one number, with its own default settings.",
    )
    return f"## The quality of decisions\n\n{text}\n{_table(head, lines)}"


def _hits(rows: Rows) -> str:
    ordered = sorted(rows, key=lambda row: row["p50_us"])
    lines = [[row["cache"], f"{row['p50_us']:,.1f}", f"{row['p99_us']:,.1f}"] for row in ordered]
    text = _text(
        "Microseconds. The engine's and LiteLLM's are whole calls, key included;",
        "the others are handed a finished key and give back what was stored, without a count or a copy.",
    )
    return f"## A hit of the cache\n\n{text}\n{_table(['cache', 'p50', 'p99'], lines)}"


def _gateways(rows: Rows) -> str:
    lines = [
        [
            row["kind"],
            row["gateway"],
            f"{row['cpu_us']:,.0f}",
            _ratio(row, "least", "most"),
            f"{row['rps']:,.0f}",
            f"{row['p50_ms']:,.1f}",
            f"{row['peak_mb']:,.0f}",
        ]
        for row in rows
    ]
    on = "; ".join(f"**{name}**: {text}" for name, text in gateways.FEATURES.items())
    head = ["load", "gateway", "µs of CPU a request", "x bare (range)", "requests/s", "p50 ms", "peak MB"]
    text = _text(f"All before the same upstream, each one process. {on}.")
    return f"## A gateway\n\n{text}\n{_table(head, lines)}"


def _outages(rows: Rows) -> str:
    cells = {(row["scene"], row["contestant"]): row for row in rows}
    names = _named(rows, "contestant")
    lines = [
        [scene, *(_seen(cells[scene, name]) if (scene, name) in cells else MISSING for name in names)]
        for scene in _named(rows, "scene")
    ]
    text = _text(
        f"What callers notice in {rows[0]['calls']} calls, ten at a time: errors, then answers that are wrong (half of",
        "it, or nothing, without an error), then the 95 % quantile of the time until they knew. Three equal servers of",
        "which the first is broken, where the scene does not say otherwise; everybody gives an attempt up",
        "after two seconds.",
        "Whoever keeps a list begins with the broken one; the SDK has one endpoint and is given that.",
        "`benchmarks/failover.py` describes the scenes.",
    )
    return f"## When a provider fails\n\n{text}\n{_table(['scene', *names], lines)}"


def _seen(row: dict[str, Any]) -> str:
    return f"{row['errors']}, {row['wrong']}, {row['p95']:,.0f} ms"


def _lost(parts: dict[str, Rows]) -> str:
    found = losses(parts)
    listed = "\n".join(f"- {line}" for line in found) or "Nothing in these tables."
    return f"## What we lose\n\nFound in the tables above by the script that writes them:\n\n{listed}\n"


def _named(rows: Rows, key: str) -> list[Any]:
    """The values of a column in the order of their first appearance."""
    return list(dict.fromkeys(row[key] for row in rows))


SECTIONS = {
    "calls": _calls,
    "imports": _imports,
    "decisions": _decisions,
    "quality": _quality,
    "hits": _hits,
    "gateways": _gateways,
    "outages": _outages,
}
