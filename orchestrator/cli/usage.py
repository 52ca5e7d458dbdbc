"""`orchestrator usage`: what was consumed and what it cost, from the ledger that applications write."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.models.money.usage_report import UsageReport

__all__ = ["By", "usage"]

_BAR_WIDTH = 24


class By(StrEnum):
    """What usage can be grouped by."""

    MODEL = "model"
    TENANT = "tenant"
    TAG = "tag"
    DAY = "day"


def usage(
    *,
    by: Annotated[list[By] | None, typer.Option("--by", help="Group by this; repeat for several.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="From this day on (UTC).")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Up to this day (UTC).")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The ledger, if not that of ORCHESTRATOR_USAGE_FILE.")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, and nothing else.")] = False,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the cost of each day as a picture (extra plot).")
    ] = None,
    debug: Debug = False,
) -> None:
    """Show requests, tokens and cost by model, tenant, tag or day; days are drawn as bars."""
    from orchestrator.errors import ConfigurationError
    from orchestrator.models.money.ledger import read_usage
    from orchestrator.models.money.usage_report import UsageReport

    with plainly(debug=debug):
        if as_json and as_csv:
            raise UsageError("give --json or --csv, not both")
        names = [name.value for name in dict.fromkeys(by or [By.MODEL])]
        try:
            sheet = read_usage(_ledger(file))
            report = UsageReport.of(sheet, names, since=since, until=until)
            if png is not None:
                _draw(UsageReport.of(sheet, ["day", "model"], since=since, until=until), png)
        except ConfigurationError as error:
            raise UsageError(str(error)) from None
        _print(report, as_json=as_json, as_csv=as_csv)


def _ledger(file: Path | None) -> Path:
    """The file to read; looking for one must not make one."""
    named = os.environ.get("ORCHESTRATOR_USAGE_FILE")
    path = file or (Path(named) if named else None)
    if path is None:
        raise UsageError(
            "no ledger is named: give --file, or set ORCHESTRATOR_USAGE_FILE to where applications shall keep theirs"
        )
    if not path.expanduser().is_file():
        raise UsageError(f"no ledger at {str(path)!r}: give the path that UsageService(path) was made with")
    return path.expanduser()


def _print(report: UsageReport, *, as_json: bool, as_csv: bool) -> None:
    from orchestrator.cli.tables import console

    if as_json:
        typer.echo(report.to_json())
    elif as_csv:
        typer.echo(report.to_csv(), nl=False)
    else:
        console().print(_table(report))


def _table(report: UsageReport) -> Any:
    """One line a group and one for all; a grouping with days has a bar for each."""
    from orchestrator.cli.figures import bar
    from orchestrator.cli.tables import table

    figures = (("Requests", "right"), ("Tokens\nin", "right"), ("\nout", "right"), ("Cost", "right"))
    drawn = "day" in report.by
    names = [(name.capitalize(), "left") for name in report.by]
    made = table("Usage", *names, *figures, ("No price", "right"), *([("", "left")] if drawn else []))
    dearest = max((row["cost_usd"] for row in report.rows), default=0.0) or 1.0
    for row in report.rows:
        groups = [row[name] or f"(no {name})" for name in report.by]
        drawing = [bar(row["cost_usd"] / dearest, width=_BAR_WIDTH)] if drawn else []
        made.add_row(*groups, *_figures(row), *drawing)
    made.add_section()
    made.add_row("all", *[""] * (len(report.by) - 1), *_figures(report.total))
    return made


def _figures(row: dict[str, Any]) -> list[str]:
    from orchestrator.cli.figures import BLANK, count, money

    sent = [row[name] for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens")]
    made = [row[name] for name in ("output_tokens", "reasoning_tokens")]
    tokens = [sum(known) if (known := [one for one in part if one is not None]) else None for part in (sent, made)]
    unpriced = f"{row['unpriced']:,}" if row["unpriced"] else BLANK
    return [f"{row['requests']:,}", count(tokens[0]), count(tokens[1]), money(row["cost_usd"]), unpriced]


def _draw(report: UsageReport, path: Path) -> None:
    """Stacked bars, a day each and a colour a model, as PNG."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("a picture needs matplotlib: pip install 'model-orchestrator[plot]'") from None
    days = sorted({row["day"] for row in report.rows})
    models = sorted({row["model"] for row in report.rows})
    cost = {(row["model"], row["day"]): row["cost_usd"] for row in report.rows}
    figure = Figure(figsize=(10, 4.5), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    below = [0.0] * len(days)
    for model in models:
        heights = [cost.get((model, day), 0.0) for day in days]
        axes.bar(days, heights, bottom=below, label=model)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set_ylabel("USD")
    axes.tick_params(axis="x", rotation=45)
    if models:
        axes.legend(frameon=False)
    figure.savefig(path, format="png")
