"""The dated list of public prices that ships with the package, and the rules by which names find their rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from orchestrator.core.cost import Cost

__all__ = ["NOTHING", "Fact", "PriceList", "matches"]

_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=[-:]|$)")
_PASS_THROUGH = frozenset({"openrouter", "litellm"})  # they sell every provider's models at its own price


class Fact(NamedTuple):
    """What the list says about one model: USD per million tokens, and the context window in tokens."""

    cost: Cost | None = None
    context_window: int | None = None


NOTHING = Fact()


class PriceList:
    """Public prices by provider and model name; what is not listed is unknown.

    The data is what `scripts/make_prices.py` writes: matching rules are part of it, and the first row that matches
    counts.

    >>> prices = PriceList.shipped()
    >>> prices.find("openai", "gpt-4o")
    Fact(cost=Cost(input=2.5, output=10.0, cache_read=1.25), context_window=128000)
    >>> prices.find("openrouter", "openai/gpt-4o").cost.input, prices.find("ollama", "llama3").cost
    (2.5, None)
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.date: str = data["date"]
        self.source: str = f"{data['package']} {data['version']}"
        self._providers: Mapping[str, Any] = data["providers"]
        self._find = lru_cache(maxsize=4096)(self._look_up)

    @staticmethod
    @cache
    def shipped() -> PriceList:
        """The list in the package, read once."""
        return PriceList(json.loads(files("orchestrator").joinpath("data/prices.json").read_bytes()))

    @staticmethod
    @cache
    def live() -> PriceList:
        """The list of the installed `genai-prices` package, made once; ConfigurationError where it is not installed.

        Start its `UpdatePrices` before to have today's prices.
        """
        from orchestrator.core.price_source import installed_data

        return PriceList(installed_data())

    def find(self, provider: str, name: str) -> Fact:
        """The facts about this provider's model; all None when it is not listed."""
        return self._find(provider.strip().lower(), name.strip().lower())

    def since(self, provider: str, name: str) -> str | None:
        """The date on which the listed price took effect, where the source says it."""
        row = self._row(provider.strip().lower(), name.strip().lower())
        return None if row is None else row.get("since")

    def _look_up(self, provider: str, name: str) -> Fact:
        row = self._row(provider, name)
        return NOTHING if row is None else _fact(row)

    def _row(self, provider: str, name: str) -> Mapping[str, Any] | None:
        row = self._row_at(provider, name)
        head, slash, rest = name.partition("/")
        if row is None and slash and (provider in _PASS_THROUGH or head == provider):
            row = self._row_at(head, rest)
        return row

    def _row_at(self, provider: str, name: str) -> Mapping[str, Any] | None:
        """The first row of the provider, or of those whose models it resells, that matches the name."""
        seller, name = self._seller(provider, name)
        if seller is None:
            return None
        sellers = [seller, *(self._providers[other] for other in seller.get("fallback", ()))]
        spellings = dict.fromkeys((name, _COMPACT_DATE.sub(r"-\1-\2-\3", name)))
        rows = (_first(shelf["models"], spelling) for spelling in spellings for shelf in sellers)
        return next((row for row in rows if row is not None), None)

    def _seller(self, provider: str, name: str) -> tuple[Mapping[str, Any] | None, str]:
        """The provider's block, by its id or else by its matching rule; Hugging Face names it in the model's name."""
        if provider == "huggingface":
            name, _, behind = name.partition(":")
            provider = f"huggingface_{behind}"
        if provider in self._providers:
            return self._providers[provider], name
        named = (block for block in self._providers.values() if "match" in block and matches(block["match"], provider))
        return next(named, None), name


def matches(rule: Any, text: str) -> bool:
    """Whether a lower-case name meets a rule: text is equality, a list is any-of, the rest says what it is.

    >>> matches(["gpt-4o", {"starts_with": "gpt-4o-2024"}], "gpt-4o-2024-08-06")
    True
    """
    if isinstance(rule, str):
        return text == rule
    if isinstance(rule, list):
        return any(matches(part, text) for part in rule)
    ((verb, what),) = rule.items()
    return _VERBS[verb](text, what)


_VERBS: dict[str, Callable[[str, Any], bool]] = {
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
    "regex": lambda text, pattern: re.search(pattern, text) is not None,
    "and": lambda text, rules: all(matches(rule, text) for rule in rules),
}


def _first(rows: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if matches(row.get("match") or row["id"].lower(), name)), None)


def _fact(row: Mapping[str, Any]) -> Fact:
    return Fact(Cost.of(row["cost"]) if "cost" in row else None, row.get("window"))
