"""`orchestrator models compare`: models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.catalog.manager import ModelManager

__all__ = ["Storage", "compare", "kept_in"]

Storage = Annotated[
    Path | None,
    typer.Option("--storage", metavar="FILE", help="The registry that is kept in this file (.json, .db)."),
]


def compare(
    ids: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Ids, as in openai/gpt-4o.")],
    *,
    storage: Storage = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Put models side by side: limits, prices, abilities, scores."""
    with plainly(debug=debug):
        table = kept_in(storage).compare(ids)
        _print(table, as_json=as_json)


def kept_in(storage: Path | None) -> ModelManager:
    """A manager of the registry in this file, or of an empty one."""
    from orchestrator.catalog.manager import ModelManager
    from orchestrator.models.model_registry import ModelRegistry

    if storage is not None and not storage.parent.is_dir():
        raise UsageError(f"--storage {str(storage)!r}: there is no folder {str(storage.parent)!r}")
    return ModelManager(ModelRegistry(storage_path=storage))


def _print(table: dict[str, dict[str, Any]], *, as_json: bool) -> None:
    from orchestrator.cli.tables import console, print_json

    if as_json:
        print_json(table)
    else:
        console().print(_table(table))


def _table(compared: dict[str, dict[str, Any]]) -> Any:
    """A row a property, a column a model; what is known of none has no row."""
    from rich.markup import escape

    from orchestrator.cli.tables import table

    ids = list(next(iter(compared.values()), {}))
    made = table("Side by side", ("", "left"), *((escape(model_id), "left") for model_id in ids))
    for name, values in compared.items():
        if any(value not in (None, [], 0) for value in values.values()):
            shown = (_shown(name, values[model_id]) for model_id in ids)
            title = name.replace("_", " ").replace("usd per 1m", "USD per 1M").replace("usd", "USD")
            made.add_row(escape(title), *map(escape, shown))
    return made


def _shown(name: str, value: Any) -> str:
    """A value as people read it."""
    from orchestrator.cli.figures import BLANK, count, money, percent, price, seconds

    if value is None or value == []:
        return BLANK
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item).replace("_", " ") for item in value)
    if isinstance(value, str):
        return value
    endings = (("per_1m", price), ("_rate", percent), ("_usd", money), ("_p50_s", seconds), ("_window", count))
    shown = next((show for ending, show in (*endings, ("_tokens", count)) if name.endswith(ending)), None)
    return f"{value:g}" if shown is None else str(shown(value))
