"""Our price data from the `genai-prices` package: what the shipped list was made of, or newer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from decimal import Decimal

    from genai_prices import types as source

    Price = Decimal | source.TieredPrices

__all__ = ["PACKAGE", "installed_data", "price_data"]

PACKAGE = "genai-prices"
# sold under other names or through products that are no interface to a model
_LEFT_OUT = frozenset({"cursor", "elevenlabs", "github-copilot", "openai-decisions", "quicksilverpro"})
_KINDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}
_BATCH = {"processing": "batch"}
_NOON = time(12)


def installed_data() -> dict[str, Any]:
    """What the installed package knows today, its own updates included; ConfigurationError where there is none."""
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        raise ConfigurationError(
            "live prices need the package genai-prices: pip install 'model-orchestrator[prices]'"
        ) from None
    return price_data(get_snapshot().providers, datetime.now(UTC).date())


def price_data(providers: Sequence[source.Provider], day: date) -> dict[str, Any]:
    """The data of a `PriceList`: providers by name, models in the source's own order of matching.

    A model's price is that at noon (UTC) of the day; what other hours of the day cost, and what has been announced
    for later, stands in its `changes`.
    """
    from importlib.metadata import version

    kept = sorted((p for p in providers if p.id not in _LEFT_OUT), key=lambda p: p.id)
    head = {"package": PACKAGE, "version": version(PACKAGE), "date": day.isoformat(), "unit": "USD per million tokens"}
    return {**head, "providers": {provider.id: _provider(provider, day) for provider in kept}}


def _provider(provider: source.Provider, day: date) -> dict[str, Any]:
    """One provider: how its name is matched, whose prices it falls back to, its models."""
    facts: dict[str, Any] = {}
    if provider.provider_match is not None:
        facts["match"] = _rule(provider.provider_match)
    if provider.fallback_model_providers:
        facts["fallback"] = [name for name in provider.fallback_model_providers if name not in _LEFT_OUT]
    return {**facts, "models": [_model(model, day) for model in provider.models]}


def _model(model: source.ModelInfo, day: date) -> dict[str, Any]:
    """One model; a row without a cost still keeps its name from being matched by a later rule."""
    match = _rule(model.match)
    row: dict[str, Any] = {"id": model.id}
    if match != model.id.lower():
        row["match"] = match
    if model.context_window:
        row["window"] = model.context_window
    cost = _cost_at(model, datetime.combine(day, _NOON, tzinfo=UTC))
    if cost:
        if batch := _batch_at(model, datetime.combine(day, _NOON, tzinfo=UTC)):
            cost = {**cost, "batch": batch}
        changes = list(_changes(model, day))
        row["cost"] = {**cost, "changes": changes} if changes else cost
        if since := max((start for start in _starts(model) if start <= day), default=None):
            row["since"] = since.isoformat()
    return row


def _rule(clause: Any) -> Any:
    """A matching rule as data: text is equality, a list is any-of, the rest is named."""
    kind = type(clause).__name__
    if kind == "ClauseEquals":
        return clause.equals.lower()
    if kind == "ClauseOr":
        return [_rule(part) for part in clause.or_]
    if kind == "ClauseAnd":
        return {"and": [_rule(part) for part in clause.and_]}
    ((name, text),) = vars(clause).items()
    return {name: text if name == "regex" else text.lower()}


# one moment


def _cost_at(model: source.ModelInfo, at: datetime) -> dict[str, Any]:
    prices = {key: price for key, price in vars(model.get_prices(at)).items() if price is not None}
    if not prices and model.id.endswith(":free"):
        return {"input": 0, "output": 0}
    return _token_cost(prices)


def _batch_at(model: source.ModelInfo, at: datetime) -> dict[str, Any]:
    """What tokens cost in a provider's batch interface, if that is another price."""
    prices = {key: price for key, price in vars(model.get_prices(at, _BATCH)).items() if price is not None}
    cost = _token_cost(prices)
    return {} if cost == _cost_at(model, at) else cost


def _token_cost(prices: Mapping[str, Price]) -> dict[str, Any]:
    """What tokens cost, in the fields of `Cost`; empty when the source prices something else, or nothing."""
    cost: dict[str, Any] = {kind: _base(prices[key]) for kind, key in _KINDS.items() if key in prices}
    if "input" in cost and not any(key.startswith("output") for key in prices):
        cost["output"] = 0  # embeddings and classifiers: the source charges their output nothing
    if "requests_kcount" in prices:
        cost["per_request"] = _number(_lowest(prices["requests_kcount"]) / 1000)
    tiers = list(_price_tiers(prices))
    return {**cost, "tiers": tiers} if tiers else cost


def _lowest(price: Price) -> Decimal:
    """The price below the first tier."""
    base: Decimal = getattr(price, "base", price)  # type: ignore[arg-type]  # - a price without tiers is the number
    return base


def _base(price: Price) -> float | int:
    return _number(_lowest(price))


def _price_tiers(prices: Mapping[str, Price]) -> Iterator[dict[str, Any]]:
    """One record for each size at which some price changes, with every price in force above it."""
    found = {kind: prices.get(key) for kind, key in _KINDS.items()}
    tiered: dict[str, Any] = {kind: price for kind, price in found.items() if hasattr(price, "tiers")}
    for start in sorted({tier.start for price in tiered.values() for tier in price.tiers}):
        record: dict[str, Any] = {"above_tokens": start}
        for kind, price in tiered.items():
            reached = [tier.price for tier in price.tiers if tier.start <= start]
            record[kind] = _number(reached[-1] if reached else price.base)
        yield record


def _number(price: Decimal) -> float | int:
    """The shortest JSON number."""
    return int(price) if price == price.to_integral_value() else float(price)


# other moments


def _constraints(model: source.ModelInfo) -> list[Any]:
    prices = model.prices if isinstance(model.prices, list) else []
    return [one.constraint for one in prices if one.constraint is not None]


def _starts(model: source.ModelInfo) -> set[date]:
    """The dates on which the price changes."""
    return {one.start_date for one in _constraints(model) if hasattr(one, "start_date")}


def _changes(model: source.ModelInfo, day: date) -> Iterator[dict[str, Any]]:
    """Prices of other hours and of later days, in the order in which the last that holds counts."""
    usual = _cost_at(model, datetime.combine(day, _NOON, tzinfo=UTC))
    yield from _other_hours(model, day, usual, {})
    for start in sorted(start for start in _starts(model) if start > day):
        usual = _cost_at(model, datetime.combine(start, _NOON, tzinfo=UTC))
        when = {"from_date": start.isoformat()}
        yield {**when, "cost": usual}
        yield from _other_hours(model, start, usual, when)


def _other_hours(
    model: source.ModelInfo, day: date, usual: dict[str, Any], when: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The hours of a day (UTC) in which the price is not that of noon."""
    daily = [one for one in _constraints(model) if hasattr(one, "start_time")]
    cuts = sorted({_utc(moment) for one in daily for moment in (one.start_time, one.end_time)})
    for number, begins in enumerate(cuts):
        ends = cuts[(number + 1) % len(cuts)]
        cost = _cost_at(model, datetime.combine(day, begins, tzinfo=UTC))
        if cost != usual:
            yield {**when, "hours": [f"{begins:%H:%M}", f"{ends:%H:%M}"], "cost": cost}


def _utc(moment: time) -> time:
    """A time of day in UTC, where a naive one is already."""
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(1970, 1, 2), moment).astimezone(UTC).time()
