"""Speed: the model that gets a good answer soonest."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import LARGEST, PRIOR_WEIGHT, Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.selector import ModelSelector

__all__ = ["PerformanceSelector"]

_ANSWER_TOKENS = 256  # the answer whose time stands for throughput
_ENOUGH = 5  # seen calls before a measured limit refuses: one slow start is no verdict


class PerformanceSelector(ModelSelector):
    """Takes the arm with the shortest expected time to a good answer, from live latency, throughput and success.

    The time of one call is its mean latency (s), averaged with the time of a 256-token answer once the throughput
    is known, so that long answers do not make a quick model look slow; divided by the share of good answers, as a
    bad one has to be asked for again. Untried arms come first. `max_response_time` (s) and `min_tokens_per_second`
    refuse arms that were measured five times or announced to miss them; what is not known is not refused.
    `prefer_streaming` puts the models that stream before those that do not. Equals take turns.

    >>> selector = PerformanceSelector(max_response_time=5.0)
    >>> selector.enroll("quick", expected_latency_s=0.4)
    >>> selector.enroll("slow", expected_latency_s=9.0)
    >>> selector.choose(selector.slate(["slow", "quick"]), np.random.default_rng(0)).arm
    'quick'
    >>> selector.refuses("slow")
    'it answers in 9 s, above max_response_time=5'
    """

    name = "performance"
    deterministic = True
    columns: ClassVar[tuple[str, ...]] = ("speed",)

    def __init__(
        self,
        min_tokens_per_second: float | None = None,
        max_response_time: float | None = None,
        prefer_streaming: bool = False,  # noqa: FBT001, FBT002 - a published signature
        *,
        objective: Objective | None = None,
    ) -> None:
        if min_tokens_per_second is not None and not 0 <= min_tokens_per_second < math.inf:
            raise ConfigurationError(f"min_tokens_per_second={min_tokens_per_second!r}: a number from 0 up, or None")
        if max_response_time is not None and not 0 < max_response_time < math.inf:
            raise ConfigurationError(f"max_response_time={max_response_time!r}: seconds above 0, or None")
        super().__init__(objective=objective)
        self.min_tokens_per_second = min_tokens_per_second
        self.max_response_time = max_response_time
        self.prefer_streaming = prefer_streaming

    def scores(self, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:  # noqa: ARG002 - no draws
        """The sooner the better; the objective's weights do not matter here."""
        return arms.extra["speed"].copy()

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the arm's place: its time squeezed into [0, 1), streaming ones two places up."""
        time_s = self.time_to_answer_s(arm)
        bonus = 2.0 if self.prefer_streaming and arm.streams else 0.0
        place = bonus - time_s / (1 + time_s)
        arms.extra["speed"][arm.row] = place if self._why_not(arm) is None else -math.inf

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The expected time to a good answer."""
        return {"time_to_answer_s": self.time_to_answer_s(arm)}

    def time_to_answer_s(self, arm: Arm) -> float:
        """Expected seconds to a good answer; 0 for an arm never heard of, so that it gets tried."""
        call_s = arm.latency_s
        if arm.tokens_per_s:
            answer_s = min(_ANSWER_TOKENS / arm.tokens_per_s, LARGEST)
            call_s = answer_s if call_s is None else (call_s + answer_s) / 2
        if call_s is None:
            call_s = self.objective.latency_scale_s if arm.rated else 0.0
        return call_s * (arm.rated + 1) / (arm.quality_sum + 1)  # one good call of credit

    def refuses(self, arm: str) -> str | None:
        """The limit this arm breaks, or None."""
        self._freshen()
        known = self._known.get(arm)
        return None if known is None else self._why_not(known)

    def _why_not(self, arm: Arm) -> str | None:
        limit_s, floor = self.max_response_time, self.min_tokens_per_second
        announced = PRIOR_WEIGHT if arm.expected_latency_s is not None else 0
        latency_s = arm.latency_s if arm.latencies + announced >= _ENOUGH else None
        speed = arm.tokens_per_s if arm.speeds >= _ENOUGH else None
        if limit_s is not None and latency_s is not None and latency_s > limit_s:
            return f"it answers in {latency_s:.3g} s, above max_response_time={limit_s:g}"
        if floor is not None and speed is not None and speed < floor:
            return f"it writes {speed:.3g} tokens a second, below min_tokens_per_second={floor:g}"
        return None
