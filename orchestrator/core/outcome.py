"""What became of an attempt, and what a good outcome is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from orchestrator.core.clock import TICK_S
from orchestrator.core.tries import Attempt
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError, ProviderAPIError

__all__ = ["Attempt", "Objective", "ObjectiveLike", "Outcome"]

_NO_USAGE = UsageStats()


class Outcome:
    """One settled attempt: the only record that metrics, selector, health, usage and telemetry learn from.

    `error` is None on success. `latency_s` and `ttft_s` (time to first content) are seconds; `quality` is in
    [0, 1] and None until someone rates the answer; `cost_usd` is None when a price is unknown. `decided` says by what
    the model was chosen and what was known of the request, where anybody wants to know.
    """

    __slots__ = (
        "cost_usd",
        "decided",
        "error",
        "latency_s",
        "model_id",
        "quality",
        "response_id",
        "streamed",
        "tags",
        "tenant",
        "ttft_s",
        "usage",
    )

    def __init__(
        self,
        *,
        model_id: str,
        latency_s: float,
        error: ProviderAPIError | None = None,
        usage: UsageStats = _NO_USAGE,
        cost_usd: float | None = None,
        ttft_s: float | None = None,
        quality: float | None = None,
        response_id: str = "",
        tenant: str | None = None,
        streamed: bool = False,
        tags: tuple[str, ...] = (),
    ) -> None:
        self.model_id = model_id
        self.latency_s = latency_s
        self.error = error
        self.usage = usage
        self.cost_usd = cost_usd
        self.ttft_s = ttft_s
        self.quality = quality
        self.response_id = response_id
        self.tenant = tenant
        self.streamed = streamed
        self.tags = tags
        self.decided: Any = None  # set on the road while the attempt is settled, and not after

    @property
    def success(self) -> bool:
        """True when the caller got an answer."""
        return self.error is None

    @property
    def consumed(self) -> bool:
        """True when the attempt is on somebody's bill: it was answered, or it broke off after tokens had flowed."""
        return self.error is None or self.usage is not _NO_USAGE

    @property
    def teaches(self) -> bool:
        """False when the failure says nothing about the model: the caller's own mistake, or a poor match."""
        return self.error is None or self.error.conduct.counts

    @property
    def tokens_per_s(self) -> float | None:
        """Output tokens a second while they were flowing; None where tokens or time are not known."""
        tokens = self.usage.completion_tokens
        flowing_s = self.latency_s if self.ttft_s is None else self.latency_s - self.ttft_s
        return tokens / flowing_s if tokens and flowing_s >= TICK_S else None

    @property
    def attempt(self) -> Attempt:
        """The short form that replies and errors carry."""
        return Attempt(
            self.model_id, None if self.error is None else self.error.error_type, self.latency_s, self.cost_usd
        )

    def __repr__(self) -> str:
        what = "ok" if self.error is None else self.error.error_type
        return f"<Outcome of {self.model_id!r}: {what} in {self.latency_s:.3f} s, {self.cost_usd} USD>"


@dataclass(frozen=True, slots=True)
class Objective:
    """What an answer is worth: weights for quality, cost and latency, all turned into [0, 1].

    worth = (quality x q + cost x 1/(1 + usd/cost_scale_usd) + latency x 1/(1 + s/latency_scale_s)) / (sum of weights)

    A cost or latency equal to its scale is worth one half, and nothing saturates: $3 is always worse than $0.003.
    A failure is worth 0. An unknown cost counts as free and an unknown latency as instant, so that what was never
    tried gets tried.

    >>> even = Objective(quality=1, cost=1, latency=0, cost_scale_usd=0.01)
    >>> even.worth(1.0, cost_usd=0.01, latency_s=3)
    0.75
    >>> Objective(quality=1, cost=0, latency=0).worth(0.9, cost_usd=5, latency_s=60)
    0.9
    """

    quality: float = 1.0
    cost: float = 0.1
    latency: float = 0.05
    cost_scale_usd: float = 0.01
    latency_scale_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ("quality", "cost", "latency"):
            if not (_is_number(weight := getattr(self, name)) and weight >= 0):
                raise ConfigurationError(f"objective {name}={weight!r}: a weight is a number from 0 up")
        for name in ("cost_scale_usd", "latency_scale_s"):
            if not (_is_number(scale := getattr(self, name)) and scale > 0):
                raise ConfigurationError(f"objective {name}={scale!r}: a scale is a number above 0")
        if self.quality + self.cost + self.latency <= 0:
            raise ConfigurationError("an objective needs at least one weight above 0: quality, cost or latency")

    @classmethod
    def of(cls, given: ObjectiveLike) -> Objective | None:
        """An objective as it is, or from its weights and scales by name; what is left out keeps its default.

        None stays None.

        >>> Objective.of({"quality": 1, "cost": 0.5})
        Objective(quality=1, cost=0.5, latency=0.05, cost_scale_usd=0.01, latency_scale_s=5.0)
        """
        if given is None or isinstance(given, cls):
            return given
        names = tuple(field.name for field in fields(cls))
        if not isinstance(given, Mapping) or not set(given) <= set(names):
            raise TypeError(f"objective={given!r:.80}: give an Objective, or a mapping with any of {', '.join(names)}")
        return cls(**given)

    @property
    def total(self) -> float:
        """The sum of the weights."""
        return self.quality + self.cost + self.latency

    def worth(self, quality: float, *, cost_usd: float | None, latency_s: float | None) -> float:
        """The value of one answer in [0, 1]."""
        cheap = 1.0 if cost_usd is None else 1 / (1 + cost_usd / self.cost_scale_usd)
        quick = 1.0 if latency_s is None else 1 / (1 + latency_s / self.latency_scale_s)
        return (self.quality * quality + self.cost * cheap + self.latency * quick) / self.total


ObjectiveLike = Objective | Mapping[str, float] | None  # or weights and scales by name; None: whoever is asked has one


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
