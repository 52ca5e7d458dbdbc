"""`orchestrator explain`: who would be chosen, and why not the others; or why a journal's answer came as it did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, BaseUrl, Capability, Debug, KeyVariable, MaxCost, ModelNames, Selector
from orchestrator.errors import NoEligibleModelsError

if TYPE_CHECKING:
    from orchestrator.cli.discovery import Where
    from orchestrator.models.journal import Entry
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["explain"]


def explain(
    *,
    response_id: Annotated[
        str | None, typer.Argument(help="The id of an answer in the journal; the latest by default.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Explain a decision of the past from this journal.")
    ] = None,
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
    """Show who would answer and why not the others, without asking anybody; or explain an answer from a journal."""
    import asyncio

    from orchestrator.cli.discovery import Where

    with plainly(debug=debug):
        if journal is not None:
            _print_past(_past(journal, response_id), as_json=as_json)
            return
        if response_id is not None:
            raise UsageError(f"to explain the answer {response_id!r}, say which journal it is in: --journal FILE")
        where = Where(names=model or (), base_url=base_url, key_variable=key_env)
        wanted = {"capabilities": capability, "max_cost": max_cost}
        registry = asyncio.run(_found(where, selector=selector))
        _print(registry, prompt, wanted, as_json=as_json)


def _past(journal: Path, response_id: str | None) -> list[Entry]:
    """The attempts of one request, as the journal has kept them."""
    from orchestrator.models.journal import entries_of_request

    entries = entries_of_request(journal, response_id)
    if not entries:
        what = "no decisions yet" if response_id is None else f"no answer {response_id!r}, or not any more"
        raise UsageError(f"the journal {str(journal)!r} has {what}")
    return entries


def _print_past(entries: list[Entry], *, as_json: bool) -> None:
    """Each attempt with its reasons and what came of it."""
    from datetime import UTC, datetime

    from orchestrator.cli.tables import print_json

    if as_json:
        print_json([{**one._asdict(), "explanation": one.explanation.to_dict()} for one in entries])
        return
    for one in entries:
        when = datetime.fromtimestamp(one.at_s, UTC)
        typer.echo(f"{one.response_id or 'no answer'}, {when:%Y-%m-%d %H:%M:%S} UTC")
        typer.echo(f"{one.explanation}\n{one.aftermath}")


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
