"""How the run is going: a bar on a terminal, plain lines elsewhere, and both on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from orchestrator.cli.demo.drive import Seen

__all__ = ["progress"]


@contextmanager
def progress(total: int) -> Iterator[Callable[[Seen], None]]:
    """Something to tell about each step."""
    if sys.stderr.isatty():
        with _bar(total) as watch:
            yield watch
    else:
        yield _Lines(total).watch


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Seen], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("prompts"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def watch(seen: Seen) -> None:
            said = f"[bold red]{seen.down} is down" if seen.down else ""
            bar.update(task, completed=seen.done, description=said)

        yield watch


class _Lines:
    """A line a quarter, and one at each turn of events."""

    def __init__(self, total: int) -> None:
        self._quarters = [total * quarter // 4 for quarter in (1, 2, 3, 4)]
        self._down: str | None = None

    def watch(self, seen: Seen) -> None:
        """Say what is new."""
        if seen.down != self._down:
            word = f"{seen.down} breaks down" if seen.down else f"{self._down} is mended"
            typer.echo(f"{seen.done} of {seen.total} prompts: {word}", err=True)
            self._down = seen.down
        if self._quarters and seen.done >= self._quarters[0]:
            self._quarters.pop(0)
            typer.echo(f"{seen.done} of {seen.total} prompts", err=True)
