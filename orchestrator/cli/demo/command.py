"""`orchestrator demo`: run it, say how it goes, show what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.failing import plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.cli.demo.drive import Options, Run
    from orchestrator.cli.demo.report import Report

__all__ = ["demo"]


def demo(
    *,
    prompts: Annotated[int, typer.Option(min=20, max=5000, help="How many prompts to send.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed asks the same questions of the same models.")] = 7,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="How many prompts are under way at once.")] = 16,
    selector: Annotated[str, typer.Option(metavar="NAME", help="The selector: pool, thompson, ucb, ...")] = "pool",
    plot: Annotated[Path, typer.Option("--plot", metavar="FILE", help="Where to put the picture.")] = Path("demo.png"),
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Draw no picture.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Watch the engine at work: eight emulated models, one outage. No keys, no network.

    Every prompt has an answer that can be checked, and the engine learns from those checks alone.
    """
    from orchestrator.cli.demo.drive import Options

    with plainly(debug=debug):
        options = Options(prompts=prompts, seed=seed, concurrency=concurrency, selector=selector)
        run = _run(options)
        report = _report(run)
        picture = None if no_plot or not report.answered else _draw(report, run, plot)
        _tell(options, report, picture, took_s=run.took_s, as_json=as_json)


def _run(options: Options) -> Run:
    import asyncio

    from orchestrator.cli.demo.drive import drive
    from orchestrator.cli.demo.progress import progress

    with progress(options.prompts) as watch:
        return asyncio.run(drive(options, watch=watch))


def _report(run: Run) -> Report:
    from orchestrator.cli.demo.fleet import FLEET, id_of
    from orchestrator.cli.demo.report import report

    return report(run.sent, run.outage, [id_of(model) for model in FLEET])


def _draw(report: Report, run: Run, path: Path) -> Path | None:
    """The picture's path; None, with a line that says why, when it could not be drawn."""
    from orchestrator.cli.demo.plot import plot

    try:
        plot(report, run.sent, path)
    except ImportError:
        typer.echo("No picture: matplotlib is missing; pip install 'model-orchestrator[plot]'", err=True)
        return None
    except OSError as error:
        typer.echo(f"No picture: {str(path)!r} cannot be written ({error.strerror}); use --plot FILE", err=True)
        return None
    return path


def _tell(options: Options, report: Report, picture: Path | None, *, took_s: float, as_json: bool) -> None:
    from orchestrator.cli.demo.fleet import FLEET, dearest, id_of
    from orchestrator.cli.demo.show import figures, show
    from orchestrator.cli.tables import console, print_json

    if as_json:
        print_json(figures(report, options, took_s=took_s, picture=picture))
        return
    prices = {id_of(model): (model.input_usd_per_1m, model.output_usd_per_1m) for model in FLEET}
    show(
        report,
        console(),
        prices=prices,
        best=dearest().name,
        selector=options.selector,
        took_s=took_s,
        picture=picture,
    )
