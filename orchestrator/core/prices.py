"""What a model costs, by its name: your own figures over the environment's over the list that ships."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.core.cost import KINDS, Cost
from orchestrator.core.price_list import NOTHING, Fact, PriceList
from orchestrator.errors import ConfigurationError

__all__ = ["PriceBook"]

_PREFIXES = ("EMBER_", "ORCHESTRATOR_")  # the later one wins
_FIELDS = {kind.upper(): kind for kind in KINDS} | {"CONTEXT": "context_window"}
_UNITS = {"1m": "", "1k": "_cost_per_1k"}
_VARIABLE = re.compile(rf"(?P<model>.+)_(?P<field>{'|'.join(sorted(_FIELDS, key=len, reverse=True))})")

Override = Mapping[str, Any]


class PriceBook:
    """Prices and context windows by provider and model name; None where nobody knows.

    Each layer replaces single fields of those below it: `overrides`, then `ORCHESTRATOR_COST_<MODEL>_INPUT` (or
    `_OUTPUT`, `_CACHE_READ`, `_CACHE_WRITE`, `_REASONING`, `_CONTEXT`), then `ORCHESTRATOR_MODEL_COSTS_JSON`, then
    the list that ships; whoever sets a price sets it for every prompt size and hour. Figures are USD per million.
    Names match by their letters and digits, so `GPT_4` and `GPT4` both mean `gpt-4`; `EMBER_` is read in place of
    `ORCHESTRATOR_` too. Raises ConfigurationError for a value that is no price.

    >>> book = PriceBook.default(environ={"ORCHESTRATOR_COST_GPT_4O_INPUT": "2"})
    >>> book.cost_of("openai", "gpt-4o")
    Cost(input=2.0, output=10.0, cache_read=1.25)
    >>> book.context_window_of("openai", "gpt-4o"), book.cost_of("ollama", "gpt-4o-at-home")
    (128000, None)
    """

    def __init__(
        self,
        *,
        overrides: Mapping[str, Cost | Mapping[str, Any]] | None = None,
        environ: Mapping[str, str] | None = None,
        listed: PriceList | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ  # as a default it would show every key in help()
        layers = {
            "ORCHESTRATOR_MODEL_COSTS_JSON": _bulk_overrides(environ),
            "ORCHESTRATOR_COST_... variables": _field_overrides(environ),
            "overrides": _user_overrides(overrides or {}),
        }
        self._layers = tuple((title, layer) for title, layer in layers.items() if layer)
        self._live = _is_live(environ)
        self._listed = listed

    @classmethod
    def default(cls, *, environ: Mapping[str, str] | None = None) -> PriceBook:
        """The book of the process's environment over the list that ships, which is read at the first look-up.

        With `ORCHESTRATOR_PRICES=live` the list is that of the installed `genai-prices` package (extra `prices`).
        """
        return cls(environ=environ)

    @property
    def listed(self) -> PriceList:
        """The list underneath, with its date and source."""
        if self._listed is None:
            self._listed = PriceList.live() if self._live else PriceList.shipped()
        return self._listed

    def layers_of(self, provider: str, name: str) -> list[tuple[str, Cost | None]]:
        """Where a model's price comes from: each layer that speaks of it with its price, the strongest last."""
        found: list[tuple[str, Cost | None]] = [(self.listed.source, self.listed.find(provider, name).cost)]
        for title, layer in self._layers:
            override = _override(layer, provider, name)
            if override is not None:
                found.append((title, _over(NOTHING, override).cost))
        return found

    def cost_of(self, provider: str, name: str) -> Cost | None:
        """USD per million tokens of this provider's model, or None."""
        return self._fact(provider, name).cost

    def context_window_of(self, provider: str, name: str) -> int | None:
        """Tokens that fit this provider's model, or None."""
        return self._fact(provider, name).context_window

    def laid_over(self, provider: str, name: str, cost: Cost) -> Cost | None:
        """A price from elsewhere than the list, with the environment's and your own figures over it."""
        return self._over_all(provider, name, Fact(cost)).cost

    def _fact(self, provider: str, name: str) -> Fact:
        return self._over_all(provider, name, self.listed.find(provider, name))

    def _over_all(self, provider: str, name: str, fact: Fact) -> Fact:
        for _, layer in self._layers:
            override = _override(layer, provider, name)
            if override is not None:
                fact = _over(fact, override)
        return fact


def _override(layer: Mapping[str, Override], provider: str, name: str) -> Override | None:
    """What a layer says of a model, under its most precise name."""
    return next((layer[key] for key in _keys_of(provider, name) if key in layer), None)


def _is_live(environ: Mapping[str, str]) -> bool:
    wanted = environ.get("ORCHESTRATOR_PRICES", "").strip().lower() or "shipped"
    if wanted not in ("shipped", "live"):
        raise ConfigurationError(f"ORCHESTRATOR_PRICES={wanted!r}: use 'shipped' or 'live'")
    return wanted == "live"


def _over(fact: Fact, override: Override) -> Fact:
    """A fact with single fields replaced; prices by prompt size do not outlive a price set by hand."""
    prices = {key: value for key, value in override.items() if key != "context_window"}
    window = override.get("context_window", fact.context_window)
    if not prices:
        return Fact(fact.cost, window)
    settled: Override = {"tiers": (), "changes": (), "batch": None}
    return Fact(replace(fact.cost or Cost(), **{**settled, **prices}), window)


def _key(name: str) -> str:
    """A name by its letters and digits alone."""
    return "".join(filter(str.isalnum, name)).lower()


def _keys_of(provider: str, name: str) -> tuple[str, ...]:
    """The keys under which a model may be set, the most precise first."""
    return _key(f"{provider}{name}"), _key(name), _key(name.rpartition("/")[2])


def _user_overrides(overrides: Mapping[str, Cost | Mapping[str, Any]]) -> dict[str, Override]:
    costs = ((name, cost if isinstance(cost, Cost) else Cost.of(cost)) for name, cost in overrides.items())
    return {_key(name): _known(cost) for name, cost in costs}


def _known(cost: Cost) -> Override:
    fields = ((name, getattr(cost, name)) for name in (*KINDS, "per_request", "tiers", "changes", "batch"))
    return {name: value for name, value in fields if value not in (None, ())}


def _unit(environ: Mapping[str, str]) -> str:
    """The suffix that spells the unit of bare figures: `..._COST_UNIT` is 1m unless it says 1k."""
    name = next((f"{prefix}COST_UNIT" for prefix in reversed(_PREFIXES) if environ.get(f"{prefix}COST_UNIT")), None)
    if name is None:
        return ""
    if environ[name].lower() not in _UNITS:
        raise ConfigurationError(f"{name}={environ[name]!r}: use one of {', '.join(map(repr, _UNITS))}")
    return _UNITS[environ[name].lower()]


def _field_overrides(environ: Mapping[str, str]) -> dict[str, Override]:
    """One override a model, gathered from variables that each set one field."""
    found: dict[str, dict[str, Any]] = {}
    suffix = _unit(environ)
    for name, model, field in _variables(environ):
        value = _window(name, environ[name]) if field == "context_window" else _price(name, environ[name], suffix)
        found.setdefault(_key(model), {})[field] = value
    return dict(found)


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every `..._COST_<MODEL>_<FIELD>` that is set, with its model and field."""
    for prefix in _PREFIXES:
        start = f"{prefix}COST_"
        for name in environ:
            if not name.startswith(start) or name == f"{start}UNIT" or not environ[name].strip():
                continue
            parts = _VARIABLE.fullmatch(name, len(start))
            if parts is None:
                accepted = ", ".join(f"_{field}" for field in _FIELDS)
                raise ConfigurationError(f"{name!r} sets no price: end it in one of {accepted}, or unset it")
            yield name, parts["model"], _FIELDS[parts["field"]]


def _price(name: str, value: str, suffix: str) -> float | None:
    try:
        return Cost.of({f"input{suffix}": value.strip()}).input
    except ConfigurationError:
        raise ConfigurationError(f"{name}={value!r}: give a price in US dollars from 0 up, or unset it") from None


def _window(name: str, value: str) -> int:
    if not value.strip().isdecimal() or int(value) == 0:
        raise ConfigurationError(f"{name}={value!r}: give the context window as a whole number of tokens from 1 up")
    return int(value)


def _bulk_overrides(environ: Mapping[str, str]) -> dict[str, Override]:
    """The overrides of `..._MODEL_COSTS_JSON`: `{"gpt-4": {"input": 30, "output": 60}}`."""
    found: dict[str, Override] = {}
    suffix = _unit(environ)
    for name in (f"{prefix}MODEL_COSTS_JSON" for prefix in _PREFIXES):
        for model, prices in _table(name, environ.get(name, "")).items():
            spelled = {f"{key}{suffix}" if key in KINDS else key: value for key, value in prices.items()}
            try:
                found[_key(model)] = _known(Cost.of(spelled))
            except ConfigurationError as error:
                raise ConfigurationError(f"{name}, model {model!r}: {error}") from None
    return found


def _table(name: str, text: str) -> dict[str, dict[str, Any]]:
    if not text.strip():
        return {}
    try:
        table = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} is no JSON ({error}): give an object of models and their prices") from None
    if not isinstance(table, dict) or not all(isinstance(prices, dict) for prices in table.values()):
        raise ConfigurationError(f'{name}: give an object such as {{"gpt-4": {{"input": 30, "output": 60}}}}')
    return table
