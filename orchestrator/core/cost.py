"""What a model's tokens cost: USD per million tokens, and nothing else is ever stored."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar

from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["Cost", "CostChange", "CostTier", "CostUnitWarning"]

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
_KEYS = (*_FIELDS, "batch", "changes", "cost_per_token", "per_request", "tiers", "unit")
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
    request once its prompt, cached tokens included, is larger than the tier's `above_tokens`. `changes` are prices of
    other hours and later dates, of which the last that holds counts; `batch` is the price of the provider's batch
    interface. Neither is part of what is shown.

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
    changes: tuple[CostChange, ...] = ()
    batch: Cost | None = None

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
        mapping; `per_request`; `tiers`; `changes` and `batch` with prices of their own; and `unit: milli_usd` where
        every figure is in thousandths of a dollar.
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
        changes, batch = prices.pop("changes", ()), prices.pop("batch", None)
        return cls(
            **_per_million(prices, share),
            per_request=None if per_request is None else _usd("per_request", per_request) * share,
            tiers=_tiers(tiers, share),
            changes=_changes(changes, share),
            batch=None if batch is None else _nested("batch", batch, share),
        )

    def at(self, at_s: float) -> Cost:
        """The prices in force at a moment (seconds since 1970)."""
        held = self
        for change in self.changes:
            if change.holds(at_s):
                held = change.cost
        return held

    def price(self, usage: UsageStats, at_s: float | None = None) -> float | None:
        """USD for these counts, at a moment where prices change; None when a count or price that matters is unknown."""
        if self.changes and at_s is not None:
            return self.at(at_s).price(usage)
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

    def to_dict(self) -> dict[str, Any]:
        """What is known, as `of` reads it back and JSON holds it.

        >>> Cost.of(Cost(input=1, batch=Cost(input=0.5)).to_dict()).batch
        Cost(input=0.5)
        """
        made: dict[str, Any] = {kind: getattr(self, kind) for kind in (*KINDS, "per_request")}
        made["tiers"] = [_known(tier, ("above_tokens", *KINDS)) for tier in self.tiers] or None
        made["changes"] = [change.to_dict() for change in self.changes] or None
        made["batch"] = None if self.batch is None else self.batch.to_dict()
        return {name: value for name, value in made.items() if value is not None}

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
        shown = (*KINDS, "per_request", "tiers")
        known = (f"{name}={value!r}" for name in shown if (value := getattr(self, name)) not in (None, ()))
        return f"Cost({', '.join(known)})"


@dataclass(frozen=True, slots=True)
class CostChange:
    """Other prices from a date on, in some hours of each day (both UTC; the hours may run over midnight), or both.

    >>> night = CostChange(Cost(input=1), hours=(time(16, 30), time(0, 30)))
    >>> night.holds(17 * 3600), night.holds(12 * 3600)
    (True, False)
    """

    cost: Cost
    from_date: date | None = None
    hours: tuple[time, time] | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is known, in JSON's types."""
        made: dict[str, Any] = {"cost": self.cost.to_dict()}
        if self.from_date is not None:
            made["from_date"] = self.from_date.isoformat()
        if self.hours is not None:
            made["hours"] = [moment.isoformat() for moment in self.hours]
        return made

    def holds(self, at_s: float) -> bool:
        """Whether these prices are in force at a moment (seconds since 1970)."""
        moment = datetime.fromtimestamp(at_s, UTC)
        if self.from_date is not None and moment.date() < self.from_date:
            return False
        if self.hours is None:
            return True
        begins, ends = self.hours
        now = moment.time()
        return begins <= now < ends if begins < ends else now >= begins or now < ends


def _known(prices: CostTier, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(prices, name)) is not None}


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


def _nested(name: str, prices: Any, share: float) -> Cost:
    """Prices inside prices, in the same share of a dollar."""
    if isinstance(prices, Cost):
        return prices
    if not isinstance(prices, Mapping):
        raise ConfigurationError(f"cost {name}={prices!r}: give a mapping of prices")
    unit = next(unit for unit, usd in _SHARE.items() if usd == share)
    return Cost.of({"unit": unit, **prices})


def _changes(changes: Any, share: float) -> tuple[CostChange, ...]:
    """Changes given as records or as mappings of `cost` and `from_date`, `hours` or both."""
    if not isinstance(changes, Sequence) or isinstance(changes, str | bytes):
        raise ConfigurationError(f"cost changes={changes!r}: give a list of mappings, each with 'cost'")
    return tuple(change if isinstance(change, CostChange) else _change(change, share) for change in changes)


def _change(change: Any, share: float) -> CostChange:
    if not isinstance(change, Mapping) or not {"cost"} <= change.keys() <= {"cost", "from_date", "hours"}:
        raise ConfigurationError(f"cost change {change!r}: give 'cost', and 'from_date', 'hours' or both")
    start, hours = change.get("from_date"), change.get("hours")
    try:
        day = date.fromisoformat(start) if isinstance(start, str) else start
        window = None if hours is None else tuple(_time(moment) for moment in hours)
    except (TypeError, ValueError):
        day = window = ()  # refused below
    if not (day is None or isinstance(day, date)) or not (window is None or len(window) == 2):
        raise ConfigurationError(
            f"cost change from_date={start!r}, hours={hours!r}: give a date such as '2027-01-01' and two times of day "
            "such as ['16:30', '00:30'], all UTC"
        )
    return CostChange(_nested("change", change["cost"], share), day, window)


def _time(moment: Any) -> time:
    return moment if isinstance(moment, time) else time.fromisoformat(moment)


Cost.FREE = Cost(input=0, output=0)
