"""What a model's tokens cost: USD per million tokens, and nothing else is ever stored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["Cost", "CostTier", "CostUnitWarning"]

KINDS = ("input", "output", "cache_read", "cache_write", "reasoning")

_PER_MILLION = {"per million tokens": 1.0, "per thousand tokens": 1_000.0, "per token": 1_000_000.0}
_SUFFIXES = {
    "": "per million tokens",
    "_cost_per_million": "per million tokens",
    "_cost_per_1k": "per thousand tokens",
    "_cost_per_thousand": "per thousand tokens",
    "_cost_per_token": "per token",
}
_FIELDS = {kind + suffix: (kind, unit) for suffix, unit in _SUFFIXES.items() for kind in KINDS}
_SHARE = {"usd": 1.0, "milli_usd": 0.001}
_KEYS = (*_FIELDS, "cost_per_token", "per_request", "tiers", "unit")
_SUSPICIOUS_USD = 1_000.0  # per million: the dearest models of 2026 ask 600
_MOST_USD = 1e12  # keeps every product with a token count finite


class CostUnitWarning(UserWarning):
    """A price so high that it is probably given in another unit than USD per million tokens."""


@dataclass(frozen=True, slots=True)
class CostTier:
    """Prices of a request whose whole prompt is larger than `above_tokens`; None means as below that size."""

    above_tokens: int
    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None

    def __post_init__(self) -> None:
        if type(self.above_tokens) is not int or self.above_tokens < 0:
            raise ConfigurationError(f"cost tier above_tokens={self.above_tokens!r}: give a whole number from 0 up")
        _check(self, KINDS)


@dataclass(frozen=True, slots=True)
class Cost:
    """Prices in USD per million tokens, `per_request` in USD; None means unknown, never free.

    An unknown cache price is charged as input, an unknown reasoning price as output. A tier applies to the whole
    request once its prompt, cached tokens included, is larger than the tier's `above_tokens`.

    >>> cost = Cost(input=30, output=60)
    >>> cost.price(UsageStats(prompt_tokens=12, completion_tokens=47))
    0.00318
    >>> Cost(input=30).estimate(12, 47) is None, Cost.FREE.estimate(12, 47)
    (True, 0.0)
    """

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    per_request: float | None = None
    tiers: tuple[CostTier, ...] = ()

    FREE: ClassVar[Cost]

    def __post_init__(self) -> None:
        _check(self, (*KINDS, "per_request"))
        if self.tiers:
            ordered = sorted(_tiers(self.tiers, 1.0), key=lambda tier: tier.above_tokens)
            object.__setattr__(self, "tiers", tuple(_complete(tier, self) for tier in ordered))

    @classmethod
    def of(cls, prices: Mapping[str, Any]) -> Cost:
        """Prices in exactly one named unit, as settings files and older code give them.

        Accepted are `input`, `output`, `cache_read`, `cache_write`, `reasoning`, bare or followed by
        `_cost_per_million`, `_cost_per_1k`, `_cost_per_thousand` or `_cost_per_token`; `cost_per_token` with a
        mapping; `per_request`; `tiers`; and `unit: milli_usd` where every figure is in thousandths of a dollar.
        Raises ConfigurationError for two units, unknown keys and what is no price.

        >>> Cost.of({"input_cost_per_1k": 0.0025, "output_cost_per_1k": 0.01})
        Cost(input=2.5, output=10.0)
        >>> Cost.of({"cost_per_token": {"input": 3e-6, "output": 1.5e-5}}) == Cost(input=3, output=15)
        True
        >>> Cost.of({"input_cost_per_million": 5000, "unit": "milli_usd"})
        Cost(input=5.0)
        """
        prices = {key: value for key, value in prices.items() if value is not None}
        share = _share(prices.pop("unit", "usd"))
        per_request, tiers = prices.pop("per_request", None), prices.pop("tiers", ())
        return cls(
            **_per_million(prices, share),
            per_request=None if per_request is None else _usd("per_request", per_request) * share,
            tiers=_tiers(tiers, share),
        )

    def price(self, usage: UsageStats) -> float | None:
        """USD for these counts; None when a count or price that matters is unknown."""
        prompt = usage.input_tokens
        read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        rates: Cost | CostTier = self
        if self.tiers:
            if prompt is None:
                return None
            rates = self._rates(prompt + read + written)
        return self._sum(
            (prompt, rates.input),
            (read, rates.input if rates.cache_read is None else rates.cache_read),
            (written, rates.input if rates.cache_write is None else rates.cache_write),
            (usage.output_tokens, rates.output),
            (usage.reasoning_tokens or 0, rates.output if rates.reasoning is None else rates.reasoning),
        )

    def estimate(self, input_tokens: int, output_tokens: int) -> float | None:
        """USD for a request of this size with nothing cached; None when a price is unknown."""
        rates = self._rates(input_tokens) if self.tiers else self
        return self._sum((input_tokens, rates.input), (output_tokens, rates.output))

    @property
    def per_token(self) -> dict[str, float]:
        """USD per token by kind, the known ones only."""
        known = ((kind, getattr(self, kind)) for kind in KINDS)
        return {kind: price / 1_000_000 for kind, price in known if price is not None}

    def _rates(self, prompt_tokens: int) -> Cost | CostTier:
        """The prices in force for a prompt of this size."""
        rates: Cost | CostTier = self
        for tier in self.tiers:
            if prompt_tokens <= tier.above_tokens:
                break
            rates = tier
        return rates

    def _sum(self, *parts: tuple[int | None, float | None]) -> float | None:
        """USD for pairs of count and price; what is zero on one side need not be known on the other."""
        total = 0.0
        for count, price in parts:
            if count and price:
                total += count * price
            elif (count is None and price != 0) or (price is None and count != 0):
                return None
        return total / 1_000_000 + (self.per_request or 0.0)

    def __repr__(self) -> str:
        known = (f"{name}={value!r}" for name in self.__slots__ if (value := getattr(self, name)) not in (None, ()))
        return f"Cost({', '.join(known)})"


def _check(prices: Cost | CostTier, names: Sequence[str]) -> None:
    """Every price becomes a float in range; one that looks like another unit is warned about."""
    for name in names:
        value = getattr(prices, name)
        if value is None:
            continue
        usd = _usd(name, value)
        object.__setattr__(prices, name, usd)
        if usd >= _SUSPICIOUS_USD and name != "per_request":
            warnings.warn(
                f"cost {name}={usd!r} is read as ${usd:,.2f} per million tokens, dearer than any model; "
                "if the figure is in thousandths of a dollar, add `unit: milli_usd`",
                CostUnitWarning,
                stacklevel=4,
            )


def _usd(name: str, value: Any) -> float:
    """A price from outside as a float: a number, or text that reads as one."""
    try:
        usd = float(value) if isinstance(value, int | float | Decimal | str) and type(value) is not bool else -1.0
    except (ValueError, OverflowError):
        usd = -1.0
    if not 0 <= usd <= _MOST_USD:
        raise ConfigurationError(f"cost {name}={value!r}: give a number of US dollars from 0 up, or leave it out")
    return usd


def _complete(tier: CostTier, base: Cost) -> CostTier:
    """A tier with the base's prices where it has none of its own."""
    missing = {kind: getattr(base, kind) for kind in KINDS if getattr(tier, kind) is None}
    return replace(tier, **missing)


def _share(unit: Any) -> float:
    """How many dollars one of these is."""
    if not isinstance(unit, str) or unit not in _SHARE:
        raise ConfigurationError(f"cost unit={unit!r}: use one of {', '.join(map(repr, _SHARE))}")
    return _SHARE[unit]


def _per_million(prices: Mapping[str, Any], share: float) -> dict[str, float]:
    """USD per million by kind, from keys that all name the same unit."""
    found: dict[str, float] = {}
    units: dict[str, str] = {}
    for key, value in _flat(prices):
        if key not in _FIELDS:
            raise ConfigurationError(f"unknown cost key {key!r}; {did_you_mean(str(key), _KEYS)}")
        kind, unit = _FIELDS[key]
        units[unit] = key
        if len(units) > 1:
            raise ConfigurationError(f"cost keys of two units, {' and '.join(map(repr, units.values()))}: use one")
        if kind in found:
            raise ConfigurationError(f"cost {kind!r} is given twice, once as {key!r}: use one")
        found[kind] = _usd(key, value) * _PER_MILLION[unit] * share
    return found


def _flat(prices: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The items, with `cost_per_token: {"input": ...}` spelled as `input_cost_per_token`."""
    items = [(key, value) for key, value in prices.items() if key != "cost_per_token"]
    nested = prices.get("cost_per_token", {})
    if not isinstance(nested, Mapping):
        raise ConfigurationError(f"cost_per_token={nested!r}: give a mapping such as {{'input': 2.5e-06}}")
    return items + [(f"{kind}_cost_per_token", value) for kind, value in nested.items() if value is not None]


def _tiers(tiers: Any, share: float) -> tuple[CostTier, ...]:
    """Tiers given as records or as mappings of `above_tokens` and prices in one unit."""
    if not isinstance(tiers, Sequence) or isinstance(tiers, str | bytes):
        raise ConfigurationError(f"cost tiers={tiers!r}: give a list of mappings, each with 'above_tokens'")
    return tuple(_tier(tier, share) for tier in tiers)


def _tier(tier: Any, share: float) -> CostTier:
    if isinstance(tier, CostTier):
        return tier
    if not isinstance(tier, Mapping) or "above_tokens" not in tier:
        raise ConfigurationError(f"cost tier {tier!r}: give a mapping with 'above_tokens' and prices")
    prices = {key: value for key, value in tier.items() if key != "above_tokens" and value is not None}
    return CostTier(tier["above_tokens"], **_per_million(prices, share))


Cost.FREE = Cost(input=0, output=0)
