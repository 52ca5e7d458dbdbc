"""How much time and how many attempts one request has left, and how much of it the next attempt may take."""

from __future__ import annotations

from orchestrator.core.clock import Clock
from orchestrator.core.model import Model

__all__ = ["Leeway"]

_ROOM = 1.25  # times what a model usually takes, to be sure that it can
_AMPLE_S = 10.0  # for one attempt: from here on nobody looks how long the model usually takes


class Leeway:
    """The limits of one request: `max_attempts`, and a deadline that begins to run now.

    A `strict` deadline was set by the caller, and bounds a stream that flows as well.
    """

    __slots__ = ("_clock", "_deadline_s", "_left", "ends_at", "strict")

    def __init__(self, clock: Clock, *, deadline_s: float, strict: bool, max_attempts: int) -> None:
        self._clock = clock
        self._deadline_s = deadline_s
        self._left = max_attempts
        self.strict = strict
        self.ends_at = clock.monotonic() + deadline_s

    @property
    def left_s(self) -> float:
        """Seconds until the deadline of the whole request."""
        return max(0.0, self.ends_at - self._clock.monotonic())

    @property
    def is_over(self) -> bool:
        """True when no attempt or no time is left for anything more."""
        return self._left <= 0 or self._clock.monotonic() >= self.ends_at

    def share_s(self, model: Model, *, streamed: bool) -> float:
        """Seconds for one attempt among others: an equal share of what is left, so that all get their turn.

        Where that is less than the model usually takes, which would be too little for anybody, as long as that.
        """
        left_s = self.left_s
        if self._left <= 1:
            return left_s
        share_s = left_s / self._left
        if share_s >= _AMPLE_S:
            return share_s
        usual_s = model.metrics.ttft_p95 if streamed else model.metrics.latency_p95
        return share_s if usual_s is None else min(left_s, max(share_s, _ROOM * usual_s))

    def may_go_on(self) -> bool:
        """True when one more attempt is left for a stream that broke in the middle."""
        return self._left > 1 and not (self.strict and self._clock.monotonic() >= self.ends_at)

    def begin_anew(self) -> None:
        """Give a stream that is gone on with as long to speak again as it had at first, unless the caller said when."""
        if not self.strict:
            self.ends_at = self._clock.monotonic() + self._deadline_s
