"""`orchestrator batch`: a file of prompts in, a file of answers out, and the same command goes on after a crash."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, BaseUrl, Capability, Debug, KeyVariable, MaxCost, ModelNames, Selector

if TYPE_CHECKING:
    import asyncio

    from orchestrator.batch import Progress
    from orchestrator.cli.discovery import Where
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["batch"]

_INTERRUPTED = 130  # what shells expect of a command that was interrupted


def batch(
    *,
    prompts: Annotated[
        Path, typer.Argument(metavar="PROMPTS.jsonl", help="A line a prompt: OpenAI's batch format, or {prompt: ...}.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Answers go here, and stay.")],
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Models and settings from this file.")
    ] = None,
    model: ModelNames = None,
    base_url: BaseUrl = None,
    key_env: KeyVariable = None,
    capability: Capability = None,
    max_cost: MaxCost = None,
    selector: Selector = "pool",
    concurrency: Annotated[int, typer.Option("--concurrency", "-n", min=1, help="Lines under way at a time.")] = 32,
    budget: Annotated[
        float | None, typer.Option("--budget", min=0.0, metavar="USD", help="Begin no more lines once this is spent.")
    ] = None,
    retry: Annotated[
        str, typer.Option("--retry", metavar="passing|all|none", help="Which failed lines of an earlier run to ask.")
    ] = "passing",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Answer a file of prompts; run it again to go on where it stopped, without paying twice.

    Ctrl-C lets the calls under way finish and writes them; a second one cuts them off. Exit code 1 when lines failed.
    """
    import asyncio

    from orchestrator.cli.discovery import Where

    with plainly(debug=debug):
        if output.resolve() == prompts.resolve():
            raise UsageError("--output is the file of prompts: give another one")
        where = Where(names=model or (), base_url=base_url, key_variable=key_env)
        wanted = {"capabilities": capability, "max_cost": max_cost}
        options: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        options |= {"concurrency": concurrency, "max_total_usd": budget, "retry": retry}
        done = asyncio.run(_run(prompts, output, config or where, options, selector=selector))
    _tell(done, output, as_json=as_json)


async def _run(prompts: Path, output: Path, where: Where | Path, options: dict[str, Any], *, selector: str) -> Progress:
    import asyncio

    from orchestrator.batch import run

    stop = asyncio.Event()
    async with await _models(where, selector=selector) as registry:
        with _interruptible(stop), _shown() as watch:
            return await run(prompts, output, registry=registry, stop=stop, on_progress=watch, **options)


async def _models(where: Where | Path, *, selector: str) -> ModelRegistry:
    from orchestrator.cli.discovery import discover

    if isinstance(where, Path):
        from orchestrator.models.model_registry import ModelRegistry
        from orchestrator.settings import export_dotenv

        export_dotenv()
        return ModelRegistry.from_config(where)
    return await discover(where, selector=selector)


@contextmanager
def _interruptible(stop: asyncio.Event) -> Iterator[None]:
    """The first Ctrl-C asks to stop; the second does what it always does."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()

    def told() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        typer.echo("finishing the calls under way; press Ctrl-C again to cut them off", err=True)

    loop.add_signal_handler(signal.SIGINT, told)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _shown() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, a line every tenth elsewhere; on stderr."""
    if not sys.stderr.isatty():
        yield _Lines().watch
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("prompts"), BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def watch(progress: Progress) -> None:
            bar.update(task, total=progress.total, completed=progress.done, description=_words(progress))

        yield watch


class _Lines:
    """A line at every tenth of the way."""

    def __init__(self) -> None:
        self._told = 0

    def watch(self, progress: Progress) -> None:
        """Say how far it is."""
        tenth = 10 * progress.done // progress.total if progress.total else 0
        if tenth > self._told:
            self._told = tenth
            typer.echo(f"{progress.done} of {progress.total} prompts: {_words(progress)}", err=True)


def _words(progress: Progress) -> str:
    """Cost so far and to come, time left, failures."""
    from orchestrator.cli.figures import money

    words = [money(progress.spent_usd)]
    if progress.left_usd:
        words[0] += f" of about {money(progress.spent_usd + progress.left_usd)}"
    if progress.left_s:
        minutes, seconds = divmod(round(progress.left_s), 60)
        words.append(f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left")
    if progress.failed:
        words.append(f"{progress.failed} failed")
    return " · ".join(words)


def _tell(done: Progress, output: Path, *, as_json: bool) -> None:
    """The figures at the end, and how to go on."""
    from orchestrator.cli.figures import money
    from orchestrator.cli.tables import print_json

    if as_json:
        print_json({**done.to_dict(), "output": str(output)})
    else:
        typer.echo(f"{done.done} of {done.total} prompts are in {output}, {done.failed} of them failed")
        unpriced = f"; {done.unpriced} answers have no known price" if done.unpriced else ""
        typer.echo(f"spent {money(done.spent_now_usd)} now, {money(done.spent_usd)} in all{unpriced}")
    if done.stopped is not None and done.left:
        why = "the budget is spent" if done.stopped == "budget" else "stopped"
        typer.echo(f"{why}: run the same command again to go on", err=True)
        raise typer.Exit(_INTERRUPTED if done.stopped == "stopped" else 1)
    if done.failed:
        raise typer.Exit(1)
