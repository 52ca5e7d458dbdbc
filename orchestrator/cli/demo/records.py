"""What the demo writes down while it runs: one record a prompt and policy, and one for the outage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from orchestrator.core.outcome import Attempt

__all__ = ["POLICIES", "Outage", "Phase", "PolicyName", "Sent", "phase_of"]

PolicyName = Literal["engine", "best", "random"]
Phase = Literal["before", "during", "after"]
POLICIES: tuple[PolicyName, ...] = ("engine", "best", "random")


class Sent(NamedTuple):
    """One prompt, sent under one policy, and what became of it.

    `number` counts prompts from 0, `at_s` is seconds since the start, `quality` what the task's own check made of the
    answer (0.0 where there was none), `own_s` the engine's part of `took_s`, `error` the class of the caller's error.
    """

    policy: PolicyName
    number: int
    category: str
    at_s: float
    took_s: float
    model_id: str | None
    quality: float
    attempts: Sequence[Attempt]
    own_s: float | None = None
    error: str | None = None

    @property
    def cost_usd(self) -> float:
        """What all attempts together cost; the demo's prices are all known."""
        return sum(attempt.cost_usd or 0.0 for attempt in self.attempts)

    @property
    def failed_over(self) -> bool:
        """True when an answer came, but not from the model that was asked first."""
        return self.model_id is not None and self.attempts[0].model_id != self.model_id


class Outage(NamedTuple):
    """Which provider was broken, for which prompts (from one number up to, not including, another) and when."""

    provider: str
    from_number: int
    to_number: int
    from_s: float
    to_s: float


def phase_of(number: int, outage: Outage) -> Phase:
    """Where a prompt stands to the outage.

    >>> outage = Outage("openai", 40, 65, 4.0, 6.5)
    >>> [phase_of(number, outage) for number in (39, 40, 64, 65)]
    ['before', 'during', 'during', 'after']
    """
    if number < outage.from_number:
        return "before"
    return "during" if number < outage.to_number else "after"
