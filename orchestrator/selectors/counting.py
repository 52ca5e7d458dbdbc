"""How a selector counts: arms come and go, calls begin and end, sums grow, what is derived from them follows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any, ClassVar

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import LARGEST, Arm
from orchestrator.selectors.arms import Arms
from orchestrator.selectors.backlog import Backlog
from orchestrator.selectors.context import Context
from orchestrator.selectors.state import add_sums

__all__ = ["Counting"]

_RENORMALIZE_AT = 1e12


class Counting:
    """The half of a selector's memory that counts.

    A call is begun once and ends once, in `settle` or `release`. Bad numbers never enter: a quality outside
    [0, 1] is refused (`refused` counts them), an impossible cost, latency or speed is dropped (`dropped`), and
    news of an arm that is not enrolled is ignored (`ignored`), as it may have left while its call was under way.

    `half_life` makes older results count less: a result weighs half as much after so many later ones, of any arm
    (discounting: Garivier and Moulines 2011). None never forgets.
    """

    name: ClassVar[str] = "custom"
    columns: ClassVar[tuple[str, ...]] = ()  # extra columns of the table, for the policy's own use
    attentive: ClassVar[bool] = False  # True where `learn` wants to hear of every result
    contextual: bool = False  # True where a choice depends on the request's context
    by_features: bool = True  # False where its category is all that counts: the numbers are then not worked out

    def __init__(self, *, objective: Objective | None = None, half_life: float | None = None) -> None:
        if half_life is not None and not 1 <= half_life < math.inf:
            raise ConfigurationError(f"half_life={half_life!r}: a number of results from 1 up, or None")
        self.objective = Objective.of(objective) or Objective()
        self.half_life = half_life
        self.refused = self.dropped = self.ignored = 0
        self._cost_scale_usd, self._latency_scale_s = self.objective.cost_scale_usd, self.objective.latency_scale_s
        self._cost_share = self.objective.cost / self.objective.total
        self._latency_share = self.objective.latency / self.objective.total
        self._free_merit = self._cost_share + self._latency_share
        self._known: dict[str, Arm] = {}
        self._table = Arms(extra=self.columns)
        self._early: dict[str, dict[str, float]] = {}  # merged sums of arms that have not come yet
        self._stale = Backlog()  # arms whose columns lag behind their sums
        self._seats: dict[int, str | None] | None = None  # of arms that come together, until their table is made
        self._free_rows: Iterator[int] = iter(())
        self._in_flight = 0
        self._rated = 0.0
        self._weight = 1.0  # of a result that comes in now; it grows, so that all older ones need no touch
        self._growth = 1.0 if half_life is None else 2 ** (1 / half_life)
        self.half_lives = 0.0  # that have passed so far
        self._others = 0  # calls that other processes are taken to make for each one here
        self._supposed: dict[Arm, int] = {}  # calls in flight that are theirs
        self._keeps_accounts = False  # True where `_opened`, `_withdrawn` and `_paid` want to hear of every call
        self.touched: set[str] | None = None  # arms with new results, for who wants to know; they are taken out there

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Bring the policy's own columns up to date in `arm.row`; called before a choice if this arm changed."""

    def learn(self, arm: Arm, quality: float, context: Context | None) -> None:
        """A call of this arm was rated; called once a result, after the sums, if the policy is `attentive`."""

    def charge(self, arm: Arm, cost_usd: float, context: Context | None) -> None:
        """A call of this arm cost so much; called once a known and possible cost, if the policy is `attentive`."""

    def relearn(self, arm: Arm, old_quality: float, new_quality: float, context: Context | None) -> None:
        """A late rating takes the place of what `learn` was told."""

    def facts(self, arm: Arm) -> dict[str, float | int | None]:  # noqa: ARG002 - for policies that say more
        """What the policy adds to the statistics of an arm."""
        return {}

    # who is there

    def enroll(
        self,
        arm: str,
        *,
        expected_cost_usd: float | None = None,
        expected_latency_s: float | None = None,
        expected_quality: float | Mapping[str, float] | None = None,
        is_local: bool = False,
        streams: bool = False,
    ) -> None:
        """Make a row for a model or correct its facts; an expected cost or latency counts as ten seen ones.

        What an `expected_quality` in [0, 1] counts is the policy's affair; some take no notice of it. Of one by
        category most know the mean.
        """
        known = self._known.get(arm) or self._seat(arm)
        known.expect_cost(self._possible(expected_cost_usd))
        known.expected_latency_s = self._possible(expected_latency_s)
        known.expected_quality, known.expected_in = self._expected(expected_quality)
        known.is_local = is_local
        known.streams = streams
        self._stale.add(known)

    def _expected(self, quality: float | Mapping[str, float] | None) -> tuple[float | None, dict[str, float] | None]:
        """The quality in the mean, and by category where it is known by category."""
        if not isinstance(quality, Mapping):
            return self._possible(quality, most=1.0), None
        possible = {category: self._possible(one, most=1.0) for category, one in quality.items()}
        known = {category: one for category, one in possible.items() if one is not None}
        return (sum(known.values()) / len(known), known) if known else (None, None)

    def enroll_many(self, arms: Mapping[str, Mapping[str, Any]]) -> None:
        """Enroll each arm with its facts; one new table serves them all, where `enroll` makes one for each."""
        newcomers = [name for name in arms if name not in self._known]
        if len(newcomers) > 1:
            self._seat_together(newcomers)
        for name, facts in arms.items():
            self.enroll(name, **facts)

    def _seat_together(self, names: Sequence[str]) -> None:
        taken = self._table.names
        self._seats = {}
        self._free_rows = chain((row for row, name in enumerate(taken) if name is None), count(len(taken)))
        seated: dict[str, Arm] = {}
        try:
            for name in names:
                seated[name] = self._seat(name)
        finally:
            seats, self._seats, self._free_rows = self._seats, None, iter(())
            self._move_to(self._table.with_rows(seats))
            self._known.update(seated)  # after the table, as a choice in another thread may look for their rows

    def _seat(self, name: str) -> Arm:
        """A row of the next table, and the sums that were merged before the arm came."""
        taken = self._table.names
        if self._seats is not None:
            arm = Arm(name, row=next(self._free_rows))
            self._seats[arm.row] = name
        else:
            arm = Arm(name, row=taken.index(None) if None in taken else len(taken))
        early = self._early.pop(name, None)
        if early is not None:
            self._add(arm, early)
        if self._seats is None:
            self._move_to(self._table.with_row(arm.row, name))
            self._known[name] = arm
        return arm

    def retire(self, arm: str) -> None:
        """The model leaves and is forgotten; what still comes of its calls is ignored."""
        gone = self._known.pop(arm, None)
        if gone is None:
            self.ignored += 1
            return
        self._stale.discard(gone)
        self._in_flight -= gone.pending
        self._supposed.pop(gone, None)
        self._rated = sum(known.rated for known in self._known.values())
        self._move_to(self._table.with_row(gone.row, None))

    def _move_to(self, table: Arms) -> None:
        """From now on this table counts; what another thread still writes into the last one is written here anew."""
        self._table = table
        self._stale.extend(self._known.values())

    # calls

    def begin(self, arm: str) -> None:
        """A call leaves."""
        known = self._known.get(arm)
        if known is None:
            self.ignored += 1
            return
        known.pending += 1
        self._in_flight += 1
        if self._keeps_accounts:
            self._opened()
        if self._others:
            self._suppose(known, self._others)
        self._stale.add(known)

    def among(self, others: int) -> None:
        """From now on, and until this is told anew, each call here stands for so many more of other processes.

        Who knows the same chooses alike: without this, several processes that cannot see each other's calls under way
        would all try the same arm, where one would have spread its trials. What they have sent before is known by now,
        or still under way as the calls of this process are.
        """
        self._others = others
        for arm in tuple(self._known.values()):
            calls = self.own_pending(arm) * others - self._supposed.get(arm, 0)
            if calls:
                self._suppose(arm, calls)
                self._stale.add(arm)
        self._supposed = {arm: calls for arm, calls in self._supposed.items() if calls}

    def _suppose(self, arm: Arm, calls: int) -> None:
        arm.pending += calls
        self._in_flight += calls
        self._supposed[arm] = self._supposed.get(arm, 0) + calls

    def own_pending(self, arm: Arm) -> int:
        """Calls of this process that are under way."""
        return arm.pending - self._supposed.get(arm, 0) if self._supposed else arm.pending

    def release(self, arm: str) -> None:
        """A call came to nothing that teaches."""
        known = self._known.get(arm)
        if known is None:
            self.ignored += 1
            return
        if self.own_pending(known):
            known.pending -= 1
            self._in_flight -= 1
            if self._keeps_accounts:
                self._withdrawn()
        self._stale.add(known)

    def settle(
        self,
        arm: str,
        *,
        quality: float | None,
        cost_usd: float | None,
        latency_s: float | None,
        tokens_per_s: float | None = None,
        context: Context | None = None,
    ) -> None:
        """A call ended; a quality outside [0, 1] raises ValueError, and None teaches nothing about quality."""
        known = self._known.get(arm)
        if known is None:
            self.ignored += 1
            return
        if quality is not None and not 0.0 <= quality <= 1.0:
            self.release(arm)
            self._refuse(arm, quality)
        if known.pending and (not self._supposed or self.own_pending(known)):
            known.pending -= 1
            self._in_flight -= 1
        if impossible := known.count(self._weight, quality, cost_usd, latency_s, tokens_per_s):
            self.dropped += impossible
        if quality is not None:
            self._rated += self._weight
        if self.attentive:
            self._attend(known, quality, cost_usd, context)
        if self._keeps_accounts:
            self._paid(known, cost_usd)
        if self.touched is not None:
            self.touched.add(arm)
        self._stale.add(known)  # last, as a choice in another thread may take it at once
        if self._growth != 1.0:
            self._age()

    def _attend(self, arm: Arm, quality: float | None, cost_usd: float | None, context: Context | None) -> None:
        if quality is not None:
            self.learn(arm, quality, context)
        if cost_usd is not None and 0.0 <= cost_usd <= LARGEST:
            self.charge(arm, cost_usd, context)

    def revise(self, arm: str, *, old_quality: float, new_quality: float, context: Context | None = None) -> None:
        """A late rating replaces the quality that stood in for it; one outside [0, 1] raises ValueError."""
        for quality in (old_quality, new_quality):
            if not 0.0 <= quality <= 1.0:
                self._refuse(arm, quality)
        known = self._known.get(arm)
        if known is None:
            self.ignored += 1
            return
        known.revise(self._weight, old_quality, new_quality)
        if self.attentive:
            self.relearn(known, old_quality, new_quality, context)
        if self.touched is not None:
            self.touched.add(arm)
        self._stale.add(known)

    def _refuse(self, arm: str, quality: float) -> None:
        self.refused += 1
        raise ValueError(f"quality {quality!r} for {arm!r}: a number from 0 to 1, or None when unknown")

    def _possible(self, number: float | None, most: float = LARGEST) -> float | None:
        """The number if it can be true, else None; NaN, negative and absurd ones are counted and dropped."""
        if number is None or 0.0 <= number <= most:
            return number
        self.dropped += 1
        return None

    def _opened(self) -> None:
        """A call has left."""

    def _withdrawn(self) -> None:
        """A call that had left came to nothing, and costs nothing."""

    def _paid(self, arm: Arm, cost_usd: float | None) -> None:
        """A call ended and has its price, known or not."""

    # derived figures

    def _freshen(self) -> None:
        """Let the columns catch up: work put off until a choice needs it, and done once for many changes."""
        stale = self._stale
        while stale:
            try:
                arm, _ = stale.popitem()
            except KeyError:  # a choice in another thread was quicker
                break
            table = self._table
            if self._known.get(arm.name) is not arm:  # it left in another thread, and its row may be another's by now
                continue
            arm.weigh(self._weight)
            merit, cost_usd, latency_s = self._free_merit, arm.cost_usd, arm.latency_s
            if cost_usd is not None:
                merit -= self._cost_share * cost_usd / (cost_usd + self._cost_scale_usd)
            if latency_s is not None:
                merit -= self._latency_share * latency_s / (latency_s + self._latency_scale_s)
            arm.merit = merit
            table.lagging.add(arm)
            self.refresh(table, arm)
            if table is not self._table:  # somebody came or went meanwhile
                stale.add(arm)

    def _age(self) -> None:
        """Let the next result weigh more than all before it; now and then scale everything back."""
        self._weight *= self._growth
        self.half_lives += math.log2(self._growth)
        if self._weight >= _RENORMALIZE_AT:
            for arm in self._known.values():
                arm.scale(1 / self._weight)
            self._rated /= self._weight
            self._weight = 1.0
            self._stale.extend(self._known.values())

    def _add(self, arm: Arm, sums: Mapping[str, float]) -> None:
        add_sums(arm, sums, weight=self._weight)
        self._rated += self._weight * sums["rated"]
