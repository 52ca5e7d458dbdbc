"""The report for people: three tables and a few sentences."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.demo.fleet import TIME_SCALE
from orchestrator.cli.demo.policies import OBJECTIVE
from orchestrator.cli.figures import BLANK, bar, money, percent, seconds
from orchestrator.cli.tables import table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from orchestrator.cli.demo.drive import Options
    from orchestrator.cli.demo.records import PolicyName
    from orchestrator.cli.demo.report import ModelFigures, PhaseFigures, Report

__all__ = ["figures", "sentences", "show"]

_NARROW = 100  # columns of a terminal below which tables have to lose some of their own

Prices = Mapping[str, tuple[float, float]]


def show(
    report: Report,
    console: Console,
    *,
    prices: Prices,
    best: str,
    selector: str,
    took_s: float,
    picture: Path | None,
) -> None:
    """Print it all; `prices` are USD per 1M tokens in and out by model, `best` is the model of "always the best"."""
    from rich.table import Table
    from rich.text import Text

    for part in (
        _models(report, prices, width=console.width),
        _phases(report, width=console.width),
        _policies(report, best),
    ):
        console.print()
        console.print(part)
    points = Table.grid(padding=(0, 1))
    for sentence in (*sentences(report), *_notes(selector, took_s, picture)):
        points.add_row(Text("•", style="cyan"), sentence)
    console.print(points)


def figures(report: Report, options: Options, *, took_s: float, picture: Path | None) -> dict[str, Any]:
    """The same for machines: the report, how it was made, and where the picture is."""
    how = {"options": asdict(options), "objective": asdict(OBJECTIVE), "time_scale": TIME_SCALE, "took_s": took_s}
    return how | report.to_dict() | {"picture": None if picture is None else str(picture)}


def sentences(report: Report) -> list[str]:
    """What a reader should take home."""
    errors = "none" if not report.errors else f"{report.errors} of {report.prompts}"
    return [
        (
            f"Callers of the engine who saw an error: {errors}. {report.failovers} prompts were answered by another "
            f"model than the one asked first."
        ),
        _compared(report, "best", "always taking the best"),
        _compared(report, "random", "choosing at random"),
        (
            f"The engine's own work (choosing, limits, accounting, learning) took {_micros(report)} "
            f"of each prompt's time, at the median."
        ),
    ]


def _notes(selector: str, took_s: float, picture: Path | None) -> list[str]:
    """How to read the figures."""
    aim = OBJECTIVE
    notes = [
        (
            f"The engine chose by the selector {selector!r}. It aims for right answers first (weight {aim.quality:g}), "
            f"then cost ({aim.cost:g}; ${aim.cost_scale_usd:g} a prompt counts half) and speed ({aim.latency:g})."
        ),
        (
            "Right answers are measured by checking the text of every answer; a model's figure covers all three ways. "
            "Prompts without an answer count as wrong."
        ),
        (
            f"The models are emulated by a real HTTP server on this machine, {TIME_SCALE} times faster than life. "
            f"The whole run took {took_s:.1f} s."
        ),
    ]
    if picture is not None:
        notes.append(f"A picture of it: {picture}")
    return [*notes, "Watch such a fleet live, outages included: orchestrator serve --demo --traffic"]


def _compared(report: Report, policy: PolicyName, name: str) -> str:
    ours, theirs = report.policy("engine"), report.policy(policy)
    if ours.quality is None or theirs.quality is None or not theirs.cost_usd:
        return f"Nothing to compare with {name}."
    saved = 1 - ours.cost_usd / theirs.cost_usd
    points = 100 * (ours.quality - theirs.quality)
    price = f"{percent(saved)} cheaper" if saved >= 0 else f"{percent(-saved)} dearer"
    return f"Against {name}: {price}, {abs(points):.0f} points {'more' if points >= 0 else 'fewer'} right answers."


def _micros(report: Report) -> str:
    if report.own_p50_us is None or not report.p50_s:
        return BLANK
    return f"{report.own_p50_us:.0f} µs, or {report.own_p50_us / report.p50_s / 1e4:.2f} %,"


def _models(report: Report, prices: Prices, *, width: int) -> Table:
    """The table of models; on a narrow page without bars, prices and tails."""
    kept = _columns(8, without=() if width >= _NARROW else (1, 5))
    rows = table(
        "Who answered",
        *kept(
            ("Model", "left"),
            ("USD per 1M\nin / out", "right"),
            ("Share of\nanswers", "left"),
            ("Calls\nanswered", "right"),
            ("Median", "right"),
            ("95 %\nwithin", "right"),
            ("Spent", "right"),
            ("Right\nanswers", "right"),
        ),
    )
    room = min(14, max(0, width - _NARROW))
    busiest = max((model.share for model in report.models), default=0.0) or 1.0
    for model in sorted(report.models, key=lambda model: -model.share):
        rows.add_row(*kept(*_model_row(model, prices[model.id], bar(model.share / busiest, width=room))))
    rows.add_section()
    answered, right = percent(report.answered / report.prompts), percent(report.quality)
    whole = ("all", "", "", answered, seconds(report.p50_s), seconds(report.p95_s), money(report.cost_usd), right)
    rows.add_row(*kept(*whole), style="bold")
    return rows


def _columns(number: int, *, without: Collection[int]) -> Callable[..., list[Any]]:
    """What leaves some columns out of every row, the heading included."""
    left = [place for place in range(number) if place not in without]
    return lambda *cells: [cells[place] for place in left]


def _model_row(model: ModelFigures, price: tuple[float, float], share: str) -> list[RenderableType]:
    """Right answers count what the model said to anybody in this run, so that rarely chosen ones show too."""
    return [
        model.id,
        f"{price[0]:.2f} / {price[1]:.2f}" if any(price) else "free (local)",
        f"{share} {percent(model.share):>5}",
        percent(model.success_rate),
        seconds(model.p50_s),
        seconds(model.p95_s),
        money(model.cost_usd),
        percent(model.quality),
    ]


def _phases(report: Report, *, width: int) -> Table:
    """The table of before, during and after; on a narrow page without tails."""
    down = report.outage.provider
    kept = _columns(9, without=() if width >= _NARROW else (6,))
    rows = table(
        f"The outage of {down}",
        *kept(
            ("", "left"),
            ("Prompts", "right"),
            ("Answered", "right"),
            ("Failed\nover", "right"),
            (f"Share of\n{down}", "right"),
            ("Median", "right"),
            ("95 %\nwithin", "right"),
            ("USD per\n1,000", "right"),
            ("Right\nanswers", "right"),
        ),
    )
    for phase in report.phases:
        style = "yellow" if phase.phase == "during" else ""
        rows.add_row(*kept(*_phase_row(phase, down)), style=style)
    return rows


def _phase_row(phase: PhaseFigures, down: str) -> list[RenderableType]:
    theirs = sum(share for model_id, share in phase.shares.items() if model_id.startswith(f"{down}/"))
    return [
        phase.phase,
        str(phase.prompts),
        str(phase.answered),
        str(phase.failovers),
        percent(theirs),
        seconds(phase.p50_s),
        seconds(phase.p95_s),
        money(phase.usd_per_1000),
        percent(phase.quality),
    ]


def _policies(report: Report, best: str) -> Table:
    names = {"engine": "the engine", "best": f"always the best ({best})", "random": "at random, with failover"}
    columns = (
        ("", "left"),
        ("USD per\n1,000", "right"),
        ("Right\nanswers", "right"),
        ("Median", "right"),
        ("95 %\nwithin", "right"),
        ("Callers who\nsaw an error", "right"),
    )
    rows = table(f"The same {report.prompts} prompts, sent three ways at the same moment", *columns)
    for figures in report.policies:
        rows.add_row(
            names[figures.policy],
            money(figures.usd_per_1000),
            percent(figures.quality),
            seconds(figures.p50_s),
            seconds(figures.p95_s),
            str(figures.errors) if figures.errors else "none",
            style="bold" if figures.policy == "engine" else "",
        )
    return rows
