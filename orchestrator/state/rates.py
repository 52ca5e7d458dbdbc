"""Limits by the minute that hold over all processes: leave is drawn in pieces and used up from memory."""

from __future__ import annotations

from orchestrator.core.info import ModelConstraints
from orchestrator.integrations.rate_headers import Allowance, Allowances
from orchestrator.models.limits.buckets import CoupledBuckets
from orchestrator.models.limits.entrances import RatesMaker
from orchestrator.state.store import Flow, StateStore, StateUnavailableError

__all__ = ["SharedBuckets", "SharedRates"]

_AHEAD = 4  # calls of this size that are drawn for at once, where there is plenty
_HAIR = 1e-9  # share of a bucket that rounding may lose


class SharedRates:
    """Every limit by the minute of this process that others share."""

    def __init__(self, store: StateStore) -> None:
        self.store = store
        self.processes = 1  # that are alive, as heard last
        self._pots: dict[str, _Pot] = {}

    def maker(self, name: str) -> RatesMaker:
        """What makes the limits of one model or account."""
        return lambda limits, now: SharedBuckets(self, name, limits, now)

    def pot(self, name: str, per_minute: float, burst_s: float, now: float) -> _Pot:
        """The pot of one limit, which is the only one of its name."""
        pot = self._pots[name] = _Pot(name, per_minute, max(1.0, per_minute * burst_s / 60), now)
        return pot

    def returned(self) -> dict[str, float]:
        """What was drawn and is not needed: all but what a second like the last one may want."""
        return {name: spare for name, pot in self._pots.items() if (spare := pot.give_up()) > 0}

    def lowered(self) -> dict[str, float]:
        """The levels that providers have told since the last time."""
        found = {name: pot.told for name, pot in self._pots.items() if pot.told is not None}
        for pot in self._pots.values():
            pot.told = None
        return found


class _Pot:
    """What this process has drawn of one limit and not used, and what was left for everybody when it asked last."""

    __slots__ = ("capacity", "level", "name", "per_minute", "seen", "seen_at", "told", "used")

    def __init__(self, name: str, per_minute: float, capacity: float, now: float) -> None:
        self.name, self.per_minute, self.capacity = name, per_minute, capacity
        self.level, self.used = 0.0, 0.0
        self.seen, self.seen_at = capacity, now
        self.told: float | None = None

    def missing(self, amount: float) -> float:
        """How much has to be drawn; an amount that no full bucket could hold counts as a full one."""
        short = min(amount, self.capacity) - self.level
        return short if short > _HAIR * self.capacity else 0.0

    def spend(self, amount: float) -> None:
        """Use what is known to be there."""
        amount = min(amount, self.capacity)
        self.level = max(0.0, self.level - amount)
        self.used += amount

    def draw(self, amount: float, left: float, now: float) -> None:
        """So much was granted, and so much is left."""
        self.level += amount
        self.seen, self.seen_at = left, now

    def put_back(self, amount: float, now: float) -> None:
        """What was taken and not used; a negative amount is a debt, of one bucket at most."""
        self.level = max(-self.capacity, min(self.level + amount, self.capacity - self.shared(now)))

    def shared(self, now: float) -> float:
        """What is left for everybody, as far as is known."""
        return min(self.capacity, self.seen + max(0.0, now - self.seen_at) * self.per_minute / 60)

    def correct(self, told: Allowance | None, now: float) -> None:
        """The provider says what is left; the smaller figure holds."""
        if told is None or told.remaining is None or told.remaining >= self.left(now):
            return
        self.level = min(self.level, float(told.remaining))
        self.told = self.seen = max(0.0, told.remaining - self.level)
        self.seen_at = now

    def left(self, now: float) -> float:
        """What could leave now."""
        return self.level + self.shared(now)

    def give_up(self) -> float:
        """What is not needed, taken out."""
        spare = max(0.0, self.level - self.used)
        self.level -= spare
        self.used = 0.0
        return spare


class SharedBuckets:
    """`RateLimits` over all processes: it asks the store only when its own pots are empty, and not in vain twice.

    While the store does not answer, each process keeps to its share: the limit by the number of processes.
    """

    __slots__ = ("_alone", "_closed", "_limits", "_pots", "_rates")

    def __init__(self, rates: SharedRates, name: str, limits: ModelConstraints, now: float) -> None:
        self._rates = rates
        self._limits = limits
        per_minute = (limits.max_requests_per_minute, limits.max_tokens_per_minute)
        self._pots = [
            None if pace is None else rates.pot(f"{name} {what}", pace, limits.burst_s, now)
            for what, pace in zip(("requests", "tokens"), per_minute, strict=True)
        ]
        self._alone: CoupledBuckets | None = None
        self._closed = (now, 0.0)  # until when, for how many tokens and more

    def take(self, tokens: float, now: float) -> float:
        """Take one request and so many tokens and return 0, or take nothing and tell the seconds to wait."""
        pairs = [(pot, amount) for pot, amount in zip(self._pots, (1.0, tokens), strict=True) if pot is not None]
        lacking = [(pot, amount, short) for pot, amount in pairs if (short := pot.missing(amount))]
        if lacking:
            until, least = self._closed
            if now < until and tokens >= least:
                return until - now
            flows = [_flow(pot, amount, short) for pot, amount, short in lacking]
            try:
                grant = self._rates.store.draw_flow(flows)
            except StateUnavailableError:
                return self._take_alone(tokens, now)
            if grant.wait_s:
                self._closed = (now + grant.wait_s, tokens)
                for (pot, _, _), level in zip(lacking, grant.levels, strict=True):
                    pot.draw(0.0, level, now)
                return grant.wait_s
            for (pot, _, _), amount, level in zip(lacking, grant.amounts, grant.levels, strict=True):
                pot.draw(amount, level, now)
        self._alone = None
        for pot, amount in pairs:
            pot.spend(amount)
        return 0.0

    def _take_alone(self, tokens: float, now: float) -> float:
        if self._alone is None:
            per_minute = {
                name: None if pace is None else pace / self._rates.processes
                for name, pace in (
                    ("max_requests_per_minute", self._limits.max_requests_per_minute),
                    ("max_tokens_per_minute", self._limits.max_tokens_per_minute),
                )
            }
            self._alone = CoupledBuckets(self._limits.model_copy(update=per_minute), now)
        return self._alone.take(tokens, now)

    def put_back(self, tokens: float, now: float, *, requests: int = 0) -> None:
        """Return what was not used; fewer than none when more was used than taken."""
        if self._alone is not None:
            self._alone.put_back(tokens, now, requests=requests)
            return
        self._closed = (now, 0.0)
        for pot, amount in zip(self._pots, (requests, tokens), strict=True):
            if pot is not None and amount:
                pot.put_back(amount, now)

    def correct(self, told: Allowances, now: float) -> None:
        """Each limit by its own figure."""
        for pot, allowance in zip(self._pots, (told.requests, told.tokens), strict=True):
            if pot is not None:
                pot.correct(allowance, now)

    def left(self, now: float) -> tuple[float | None, float | None]:
        """As far as is known here."""
        requests, tokens = (None if pot is None else pot.left(now) for pot in self._pots)
        return requests, tokens


def _flow(pot: _Pot, amount: float, short: float) -> Flow:
    wanted = max(short, min(pot.capacity, _AHEAD * amount) - pot.level, pot.used)
    return Flow(pot.name, pot.per_minute, pot.capacity, short, wanted)
