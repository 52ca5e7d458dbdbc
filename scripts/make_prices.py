"""Write orchestrator/data/prices.json from the installed `genai-prices` package; prices are never typed by hand.

    python scripts/make_prices.py            write the file, dated today
    python scripts/make_prices.py --check    fail when the committed file is not what its package version gives

A price that depends on the time of day is taken at noon UTC of the file's date, which is the price of most hours.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import types as source
from genai_prices.data import providers

PACKAGE = "genai-prices"
FILE = Path(__file__).parents[1] / "orchestrator" / "data" / "prices.json"
MOST_BYTES = 300_000
# sold under other names or through products that are no interface to a model
LEFT_OUT = {"cursor", "elevenlabs", "github-copilot", "openai-decisions", "quicksilverpro"}
KINDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}
Price = Decimal | source.TieredPrices


def main(arguments: list[str] | None = None) -> int:
    """Write or check; the exit code is 1 when the check fails."""
    parser = argparse.ArgumentParser(description="Generate the price snapshot from genai-prices.")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    if parser.parse_args(arguments).check:
        return check()
    text = snapshot(datetime.now(UTC).date())
    FILE.write_text(text, encoding="utf-8")
    print(f"{FILE}: {len(text.encode()):,} bytes from {PACKAGE} {version(PACKAGE)}")
    return 0


def check() -> int:
    """Compare the committed file with what the same version of the package gives for the same date."""
    committed = FILE.read_text(encoding="utf-8")
    head = json.loads(committed)
    if head["version"] != version(PACKAGE):
        print(f"skipped: {FILE.name} is from {PACKAGE} {head['version']}, installed is {version(PACKAGE)}")
        return 0
    if committed != snapshot(date.fromisoformat(head["date"])):
        print(f"{FILE} differs from {PACKAGE} {version(PACKAGE)}: run python scripts/make_prices.py", file=sys.stderr)
        return 1
    print(f"{FILE.name} is what {PACKAGE} {version(PACKAGE)} gives for {head['date']}")
    return 0


def snapshot(day: date) -> str:
    """The whole file as text: providers by name, one model a line, in the source's own order of matching."""
    noon = datetime.combine(day, time(12), tzinfo=UTC)
    kept = sorted((p for p in providers if p.id not in LEFT_OUT), key=lambda p: p.id)
    head = {"package": PACKAGE, "version": version(PACKAGE), "date": day.isoformat(), "unit": "USD per million tokens"}
    blocks = ",\n".join(provider_block(provider, noon) for provider in kept)
    text = f'{compact(head)[:-1]},"providers":{{\n{blocks}\n}}}}\n'
    if len(text.encode()) > MOST_BYTES:
        raise SystemExit(f"{len(text.encode()):,} bytes, allowed are {MOST_BYTES:,}: add providers to LEFT_OUT")
    return text


def provider_block(provider: source.Provider, noon: datetime) -> str:
    """One provider: how its name is matched, whose prices it falls back to, its models."""
    facts: dict[str, Any] = {}
    if provider.provider_match is not None:
        facts["match"] = rule(provider.provider_match)
    if provider.fallback_model_providers:
        facts["fallback"] = [name for name in provider.fallback_model_providers if name not in LEFT_OUT]
    rows = ",\n".join(compact(model_row(model, noon)) for model in provider.models)
    head = "".join(f'"{key}":{compact(value)},' for key, value in facts.items())
    return f'"{provider.id}":{{{head}"models":[\n{rows}\n]}}'


def model_row(model: source.ModelInfo, noon: datetime) -> dict[str, Any]:
    """One model; a row without a cost still keeps its name from being matched by a later rule."""
    match = rule(model.match)
    row: dict[str, Any] = {"id": model.id}
    if match != model.id.lower():
        row["match"] = match
    if model.context_window:
        row["window"] = model.context_window
    cost = token_cost(model, noon)
    if cost:
        row["cost"] = cost
    return row


def rule(clause: Any) -> Any:
    """A matching rule as data: text is equality, a list is any-of, the rest is named."""
    if isinstance(clause, source.ClauseEquals):
        return clause.equals.lower()
    if isinstance(clause, source.ClauseOr):
        return [rule(part) for part in clause.or_]
    if isinstance(clause, source.ClauseAnd):
        return {"and": [rule(part) for part in clause.and_]}
    ((name, text),) = vars(clause).items()
    return {name: text if name == "regex" else text.lower()}


def token_cost(model: source.ModelInfo, noon: datetime) -> dict[str, Any]:
    """What tokens cost, in the fields of `Cost`; empty when the source prices something else, or nothing."""
    prices = {key: price for key, price in vars(model.get_prices(noon)).items() if price is not None}
    if not prices and model.id.endswith(":free"):
        return {"input": 0, "output": 0}
    cost = {kind: base(prices[key]) for kind, key in KINDS.items() if key in prices}
    if cost.keys() >= {"input"} and not any(key.startswith("output") for key in prices):
        cost["output"] = 0  # embeddings and classifiers: the source charges their output nothing
    if "requests_kcount" in prices:
        cost["per_request"] = number(prices["requests_kcount"] / 1000)
    tiers = list(price_tiers(prices))
    return cost | ({"tiers": tiers} if tiers else {})


def base(price: Price) -> float | int:
    """The price below the first tier."""
    return number(price.base if isinstance(price, source.TieredPrices) else price)


def price_tiers(prices: dict[str, Price]) -> Iterator[dict[str, Any]]:
    """One record for each size at which some price changes, with every price in force above it."""
    found = {kind: prices.get(key) for kind, key in KINDS.items()}
    tiered = {kind: price for kind, price in found.items() if isinstance(price, source.TieredPrices)}
    for start in sorted({tier.start for price in tiered.values() for tier in price.tiers}):
        record: dict[str, Any] = {"above_tokens": start}
        for kind, price in tiered.items():
            reached = [tier.price for tier in price.tiers if tier.start <= start]
            record[kind] = number(reached[-1] if reached else price.base)
        yield record


def number(price: Decimal) -> float | int:
    """The shortest JSON number."""
    return int(price) if price == price.to_integral_value() else float(price)


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    raise SystemExit(main())
