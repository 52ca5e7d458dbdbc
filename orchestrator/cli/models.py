"""`orchestrator models`: what can be asked from here, at what price; what else there is, and side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.comparing import compare
from orchestrator.cli.discovering import discover
from orchestrator.cli.failing import plainly
from orchestrator.cli.options import AsJson, BaseUrl, Debug, KeyVariable, ModelNames

if TYPE_CHECKING:
    from orchestrator.cli.discovery import Where
    from orchestrator.core.model import Model
    from orchestrator.integrations.dialects.listing import ListedModel

__all__ = ["models"]

models = typer.Typer(
    name="models", help="List the models found: context, price, abilities.", invoke_without_command=True
)
models.command()(compare)
models.command()(discover)


@models.callback()
def here(
    context: typer.Context,
    *,
    model: ModelNames = None,
    base_url: BaseUrl = None,
    key_env: KeyVariable = None,
    remote: Annotated[bool, typer.Option("--remote", help="Ask the providers for their own lists.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the models found: context, price, abilities."""
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from orchestrator.cli.discovery import Where

    with plainly(debug=debug):
        where = Where(names=model or (), base_url=base_url, key_variable=key_env)
        rows, silent = asyncio.run(_found(where, remote=remote))
        _print(rows, silent, as_json=as_json)


async def _found(where: Where, *, remote: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of the table, and why some providers are not in it."""
    from orchestrator.cli.discovery import discover, listing

    registry = await discover(where, selector="cost")
    if not remote:
        return [_row(model) for model in registry.values()], []
    answers = await listing(registry.values())
    lists = {provider: found for provider, found in answers.items() if not isinstance(found, str)}
    rows = [_remote_row(provider, one) for provider, found in lists.items() for one in found]
    return rows, [why for why in answers.values() if isinstance(why, str)]


def _row(model: Model) -> dict[str, Any]:
    from orchestrator.core.prices import PriceBook

    return {
        "id": model.id,
        "context_window": model.context_size or PriceBook.default().context_window_of(model.provider, model.name),
        "input_usd_per_1m": None if model.cost is None else model.cost.input,
        "output_usd_per_1m": None if model.cost is None else model.cost.output,
        "is_local": model.is_local,
        "capabilities": sorted(model.capabilities.names - {"text_generation"}),
    }


def _remote_row(provider: str, listed: ListedModel) -> dict[str, Any]:
    """A line of a provider's list; what it does not tell comes from the price list."""
    from orchestrator.core.prices import PriceBook

    book = PriceBook.default()
    cost = book.cost_of(provider, listed.id)
    known = listed.input_usd is not None
    return {
        "id": f"{provider}/{listed.id}",
        "context_window": listed.context_window or book.context_window_of(provider, listed.id),
        "input_usd_per_1m": listed.input_usd if known else None if cost is None else cost.input,
        "output_usd_per_1m": listed.output_usd if known else None if cost is None else cost.output,
        "is_local": None,
        "capabilities": sorted(listed.capabilities),
    }


def _print(rows: list[dict[str, Any]], silent: list[str], *, as_json: bool) -> None:
    from orchestrator.cli.model_table import table_of
    from orchestrator.cli.tables import console, print_json

    for why in silent:
        typer.echo(f"orchestrator: {why}", err=True)
    if as_json:
        print_json({"models": rows})
    else:
        console().print(table_of(rows))
