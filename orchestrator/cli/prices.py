"""`orchestrator prices`: what a model's tokens cost, and who says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.core.cost import Cost
    from orchestrator.core.prices import PriceBook

__all__ = ["prices"]


def prices(
    *,
    model: Annotated[str, typer.Argument(metavar="PROVIDER/NAME", help="The model, such as openai/gpt-4o.")],
    live: Annotated[
        bool, typer.Option("--live", help="Ask the installed genai-prices package instead of the list that ships.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show every price of a model in USD per million tokens, with its source and date; exit code 1 when unknown."""
    import os

    from orchestrator.core.prices import PriceBook
    from orchestrator.errors import ConfigurationError

    with plainly(debug=debug):
        provider, name = _named(model)
        try:
            book = PriceBook(environ={**os.environ, **({"ORCHESTRATOR_PRICES": "live"} if live else {})})
            found = _found(book, provider, name)
        except ConfigurationError as error:
            raise UsageError(str(error)) from None
        _print(found, as_json=as_json)
        if found["prices"] is None:
            raise typer.Exit(1)


def _named(model: str) -> tuple[str, str]:
    """Provider and name of what the caller typed; a bare name has the provider that its beginning implies."""
    from orchestrator.core.info import ModelInfo
    from orchestrator.models.roster.names import inferred_provider

    if "/" not in model and ":" not in model:
        provider = inferred_provider(model)
        if provider is None:
            raise UsageError(f"{model!r} says no provider: write PROVIDER/NAME, such as openai/{model}")
        return provider, model
    info = ModelInfo.model_validate({"id": model})
    return info.provider, info.name


def _found(book: PriceBook, provider: str, name: str) -> dict[str, Any]:
    """All that is known, as it is printed with --json."""
    cost = book.cost_of(provider, name)
    listed = book.listed
    return {
        "provider": provider,
        "model": name,
        "unit": "USD per million tokens",
        "prices": None if cost is None else _prices(cost),
        "context_window": book.context_window_of(provider, name),
        "since": listed.since(provider, name),
        "sources": [title for title, layer in book.layers_of(provider, name) if layer is not None],
        "list": {"source": listed.source, "date": listed.date},
    }


def _prices(cost: Cost) -> dict[str, Any]:
    from orchestrator.core.cost import KINDS

    made: dict[str, Any] = {kind: getattr(cost, kind) for kind in KINDS}
    made["per_request_usd"] = cost.per_request
    made["tiers"] = [
        {"above_tokens": tier.above_tokens, **{kind: getattr(tier, kind) for kind in KINDS}} for tier in cost.tiers
    ]
    made["changes"] = [
        {
            "from_date": None if change.from_date is None else change.from_date.isoformat(),
            "hours_utc": None if change.hours is None else [f"{moment:%H:%M}" for moment in change.hours],
            "prices": _prices(change.cost),
        }
        for change in cost.changes
    ]
    made["batch"] = None if cost.batch is None else _prices(cost.batch)
    return made


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    from orchestrator.cli.tables import console, print_json

    if as_json:
        print_json(found)
        return
    name, known = f"{found['provider']}/{found['model']}", found["list"]
    if found["prices"] is None:
        typer.echo(
            f"the price of {name} is unknown to {known['source']} of {known['date']}: "
            "set ORCHESTRATOR_COST_<MODEL>_INPUT and _OUTPUT, or the model's own cost=",
            err=True,
        )
        return
    console().print(_table(name, found["prices"]))
    since = f", in force since {found['since']}" if found["since"] else ""
    typer.echo(f"USD per million tokens; from {', then '.join(found['sources'])}; list of {known['date']}{since}")


def _table(name: str, prices: dict[str, Any]) -> Any:
    """A line for the usual price and one for each size, hour, date and the batch interface."""
    from orchestrator.cli.figures import BLANK, price
    from orchestrator.cli.tables import table
    from orchestrator.core.cost import KINDS

    headings = [(kind.replace("_", " ").capitalize(), "right") for kind in KINDS]
    made = table(f"Prices of {name}", ("When", "left"), *headings)

    def add(when: str, rates: dict[str, Any]) -> None:
        made.add_row(when, *(price(rates[kind]) if rates[kind] is not None else BLANK for kind in KINDS))
        for tier in rates.get("tiers", ()):
            made.add_row(f"{when}, prompt above {tier['above_tokens']:,}", *(price(tier[kind]) for kind in KINDS))

    add("usually", prices)
    for change in prices["changes"]:
        hours = f"{change['hours_utc'][0]} to {change['hours_utc'][1]} UTC" if change["hours_utc"] else ""
        start = f"from {change['from_date']}" if change["from_date"] else ""
        add(" ".join(filter(None, (start, hours))), change["prices"])
    if prices["batch"] is not None:
        add("in batches", prices["batch"])
    if prices["per_request_usd"]:
        made.caption = f"and ${prices['per_request_usd']:g} a request"
    return made
