"""How every table of the command line looks, and where it is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "print_json", "table"]


def console(*, stderr: bool = False) -> Console:
    """Where to print: as wide as the terminal, or as what is printed when it goes to a file or a pipe."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, width=120)
    return made


def table(title: str, *columns: tuple[str, str]) -> Table:
    """An empty table: a bold title, light lines, columns by heading and `left` or `right`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=Text(title, style="bold cyan"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        header_style="dim",
        pad_edge=False,
        padding=(0, 1),
    )
    for heading, justify in columns:
        made.add_column(heading, justify=cast("Any", justify), overflow="fold", no_wrap=justify == "right")
    return made


def print_json(figures: Any) -> None:
    """Figures for machines, on stdout: one object, and no number that JSON does not know."""
    import json

    import typer

    typer.echo(json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False))
