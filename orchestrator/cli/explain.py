"""`orchestrator explain`: who would be chosen, and why not the others, without a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import plainly
from orchestrator.cli.options import AsJson, BaseUrl, Capability, Debug, KeyVariable, MaxCost, ModelNames, Selector
from orchestrator.errors import NoEligibleModelsError

if TYPE_CHECKING:
    from orchestrator.cli.discovery import Where
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["explain"]


def explain(
    *,
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="Take its length into account.")] = None,
    model: ModelNames = None,
    base_url: BaseUrl = None,
    key_env: KeyVariable = None,
    capability: Capability = None,
    max_cost: MaxCost = None,
    selector: Selector = "cost",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show who would answer and why not the others, without asking anybody."""
    import asyncio

    from orchestrator.cli.discovery import Where

    with plainly(debug=debug):
        where = Where(names=model or (), base_url=base_url, key_variable=key_env)
        wanted = {"capabilities": capability, "max_cost": max_cost}
        registry = asyncio.run(_found(where, selector=selector))
        _print(registry, prompt, wanted, as_json=as_json)


async def _found(where: Where, *, selector: str) -> ModelRegistry:
    from orchestrator.cli.discovery import discover

    return await discover(where, selector=selector)


def _print(registry: ModelRegistry, prompt: str | None, wanted: dict[str, Any], *, as_json: bool) -> None:
    """Print how all models stand; exit code 1 when none of them fits."""
    from orchestrator.cli.candidates import as_table, nobody, standings
    from orchestrator.cli.tables import console, print_json

    try:
        rows = standings(registry.select(prompt=prompt, **wanted), registry)
    except NoEligibleModelsError as error:
        rows = nobody(error.reasons)
    chosen = next((row.model_id for row in rows if row.chosen), None)
    if as_json:
        print_json({"chosen": chosen, "candidates": [row._asdict() for row in rows]})
    else:
        console().print(as_table(rows))
    if chosen is None:
        typer.echo("orchestrator: no model fits; relax the requirements or add models", err=True)
        raise typer.Exit(1)
