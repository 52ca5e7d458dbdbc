"""`orchestrator bench selectors`: every selector on the same streams, in a table, a picture and a page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.evaluation.harness import Progress, Run

__all__ = ["bench"]

bench = typer.Typer(name="bench", help="Compare ways of choosing on recorded outcomes.", no_args_is_help=True)


@bench.callback()
def _group() -> None:
    """Compare ways of choosing on recorded outcomes."""


def _many(what: str, metavar: str) -> Any:
    return typer.Option(metavar=metavar, help=f"{what}; repeat for several.")


@bench.command()
def selectors(
    *,
    data: Annotated[
        str, typer.Option(metavar="FOLDER|FILE.csv|builtin", help="Recorded outcomes, or the built-in workload.")
    ] = "builtin",
    selector: Annotated[list[str] | None, _many("Who takes part", "NAME[:option=value,...]")] = None,
    dataset: Annotated[list[str] | None, _many("Only this data set of the folder", "NAME")] = None,
    objective: Annotated[list[float] | None, _many("The weight of cost (0.1 if not given)", "WEIGHT")] = None,
    delay: Annotated[list[int] | None, _many("How many requests later an outcome is known", "ROUNDS")] = None,
    scenario: Annotated[list[str] | None, _many("What changes on the way (steady, fall, outage, ...)", "NAME")] = None,
    knowledge: Annotated[list[str] | None, _many("What is known before (nothing, prices, both, ...)", "NAME")] = None,
    budget: Annotated[
        list[float] | None, _many("A budget as a share of the best-scoring model's cost", "SHARE")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many orders of the prompts.")] = 5,
    rounds: Annotated[int | None, typer.Option(min=1, help="Stop each run after so many prompts.")] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Keep every run here, and go on from what stands there.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw a picture.")] = None,
    page: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write a page to show to others.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run every selector on the same prompts in the same order, and say which leaves least of the avoidable loss."""
    from orchestrator.evaluation.harness import FIELD, bench_selectors

    with plainly(debug=debug), _watching() as watch:
        runs = bench_selectors(
            data,
            selectors=selector or FIELD,
            dataset=dataset or (),
            cost_weight=objective or (0.1,),
            delay=delay or (0,),
            scenarios=scenario or ("steady",),
            knowledge=knowledge or ("nothing",),
            budgets=budget or (None,),
            seeds=seeds,
            rounds=rounds,
            results=results,
            watch=watch,
        )
    with plainly(debug=debug):
        if plot is not None:
            _draw(runs, plot)
        if page is not None:
            _write(runs, page)
        _tell(runs, as_json=as_json)


@contextmanager
def _watching() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, a line a quarter elsewhere; both on stderr."""
    if not sys.stderr.isatty():
        yield _line_a_quarter
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=40), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def watch(step: Progress) -> None:
            where = f"{step.run.selector} on {step.run.setting.dataset}, seed {step.run.seed}"
            bar.update(task, total=step.total, completed=step.done, description=where)

        yield watch


def _line_a_quarter(step: Progress) -> None:
    if step.done in {step.total * quarter // 4 for quarter in (1, 2, 3, 4)}:
        typer.echo(f"{step.done} of {step.total} runs", err=True)


def _draw(runs: Sequence[Run], path: Path) -> None:
    from orchestrator.evaluation.plots import plot

    try:
        plot(runs, path)
    except ImportError:
        typer.echo("No picture: matplotlib is missing; pip install 'model-orchestrator[plot]'", err=True)
    except OSError as error:
        raise UsageError(f"--plot {str(path)!r} cannot be written ({error.strerror})") from None


def _write(runs: Sequence[Run], path: Path) -> None:
    from orchestrator.evaluation.page import page

    try:
        path.write_text(page(runs), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--page {str(path)!r} cannot be written ({error.strerror})") from None


def _tell(runs: Sequence[Run], *, as_json: bool) -> None:
    from orchestrator.cli.bench_tables import show
    from orchestrator.cli.tables import console, print_json
    from orchestrator.evaluation.summary import overall, rows

    if not as_json:
        show(runs, console())
        return
    print_json(
        {
            "overall": [one.to_dict() for one in overall(runs)],
            "overall_ties_apart": [one.to_dict() for one in overall(runs, ties_apart=True)],
            "rows": [row.to_dict() for row in rows(runs)],
        }
    )
