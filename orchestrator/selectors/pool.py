"""The pool: models learn from one another, and the difficulty of a category is nobody's fault."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from orchestrator.core.outcome import Objective
from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column
from orchestrator.selectors.conservative import Conservative
from orchestrator.selectors.context import Context
from orchestrator.selectors.floor import Floored
from orchestrator.selectors.kl import upper_bound
from orchestrator.selectors.member import Member
from orchestrator.selectors.optimism import OptimisticSelector
from orchestrator.selectors.pacing import Paced
from orchestrator.selectors.pool_fit import INSIDE, Evidence, Fit, fitting
from orchestrator.selectors.slate import Slate
from orchestrator.selectors.tallied import Tallied

__all__ = ["PoolSelector"]

_MANY: Final = 8  # models from which on the change test pays
_SETTLED: Final = 80  # results after which a newcomer comes to a pool that has learnt already
_GAIN: Final = (1.0, 0.25, 1.3)  # least, growth, most: 1 for ever locks in, now and then, over 20,000 calls
_GATHERED: Final = 8  # arms whose sums are read in one decision
_ABSENT: Final = (0.0, 0.0, 0.0, math.nan, math.nan)
_LEAST: Final = 1e-9
_PROBE: Final = 1e6  # lifts the score of an arm whose turn has come


class PoolSelector(Floored, Conservative, Paced, Tallied, OptimisticSelector):
    """KL-UCB over models whose qualities are drawn from one family (James and Stein 1961; Garivier and Cappe 2011).

        quality of k ~ N(m_k, spread^2),  m_k = level + slope (expected_k - mean) + price slope (ln cost_k - mean)
        d_c   = sum_k (S_ck - n_ck mu_k) / (n_c + 8), centred           the difficulty of category c, shared by all
        mu_k  = (S_k - sum_c n_ck d_c + w_k m_k) / (n_k + w_k),         w_k = noise m_k (1 - m_k) / spread^2
        N_k   = n_k + w_k + calls in flight
        index = share x max{q : N_k KL(mu_k, q) <= gain noise ln(1 + sum N / (K N_k))} + merit
        gain  = ln(1 + sum N / K) / 4, at least 1 and at most 1.3

    Level, slopes, spread and noise are learnt as results come in, so that the strength of a catalogue is no setting: a
    good one is worth hundreds of calls, one upside down turns the slope round, and dearer models are taken for somewhat
    better until the results say otherwise. Cost and latency stay out of the bound, in the merit.

    `change_test` watches each arm for a fall of its quality (None: from eight models on): what it was then is set
    aside, it is asked again now and then, and gets its past back when it has recovered. An arm that comes to a pool
    that has learnt already is asked eight times within eighty rounds, whatever is expected of it. `by_category` adds to
    the index what an arm does better in the category of the request than its mean says, as far as the variance of such
    deviations, which is learnt too, bears it out. `floor` is the probability of a choice by lot (`Floored`),
    `budget_usd` a mean cost of a call to keep to (`Paced`), `default_model` and `least_share` a quality never to fall
    below (`Conservative`).

    >>> selector = PoolSelector()
    >>> for arm, quality in (("a", 0.9), ("b", 0.6), ("c", 0.5)):
    ...     selector.enroll(arm, expected_quality=quality)
    >>> slate, rng = selector.slate(["a", "b", "c"]), np.random.default_rng(0)
    >>> selector.choose(slate, rng).arm
    'a'
    >>> for _ in range(20):
    ...     selector.settle("a", quality=0.1, cost_usd=None, latency_s=None)
    ...     selector.settle("c", quality=0.9, cost_usd=None, latency_s=None)
    >>> selector.choose(slate, rng).arm, selector.learnt.slope < 1
    ('c', True)
    """

    name = "pool"

    def __init__(
        self,
        *,
        change_test: bool | None = None,
        by_category: bool = True,
        floor: float = 0.0,
        budget_usd: float | None = None,
        default_model: str | None = None,
        least_share: float = 0.9,
        objective: Objective | None = None,
    ) -> None:
        super().__init__(objective=objective)
        self.set_floor(floor)
        self.set_budget(budget_usd)
        self.set_default(default_model, least_share=least_share)
        self.change_test = change_test
        self.contextual = self.by_category = by_category
        self._members: dict[Arm, Member] = {}
        self._visitors: set[Arm] = set()  # arms that are asked at set times: newcomers, and those that fell
        self._fit: Fit | None = None
        self._difficulty: dict[str, float] = {}
        self._shifts: dict[str, list[float]] = {}  # by category and row
        self._weights = 0.0
        self._results = 0
        self._gain = _GAIN[0]  # with the noise
        self._next_visit = math.inf

    @property
    def learnt(self) -> Fit:
        """What the pool has in common, as of now."""
        self._urgent = True
        self._freshen()
        if self._fit is None:
            raise ValueError("no models are enrolled; there is nothing to learn about yet")
        return self._fit

    # who is there

    def _seat(self, name: str) -> Arm:
        arm = super()._seat(name)
        self._members[arm] = member = Member()
        if self._results > _SETTLED:
            member.visit_at = self._next_visit = self._results
            self._visitors.add(arm)
        return arm

    def retire(self, arm: str) -> None:
        """The model leaves and is forgotten."""
        gone = self._known.get(arm)
        super().retire(arm)
        if gone is not None:
            self._visitors.discard(gone)
            del self._members[gone]

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add what another process, or an earlier run, has learnt."""
        super().merge(state)
        self._urgent = True

    # learning

    def learn(self, arm: Arm, quality: float, context: Context | None) -> None:
        """Count the result in its category, and look whether the arm has changed."""
        super().learn(arm, quality, context)
        self._results += 1
        member = self._members[arm]
        if context is not None and context.category is not None:
            member.handicap += self._difficulty.get(context.category, 0.0)
            self._shift(arm, member, context.category)
        if self.change_test or (self.change_test is None and len(self._known) >= _MANY):
            member.looks(arm, quality, at=self._results)
        if arm in self._visitors and not member.watch.fallen:
            member.auditions(arm, at=self._results)
        if member.visit_at < math.inf:
            self._visitors.add(arm)
            self._next_visit = min(self._next_visit, member.visit_at)
        elif self._visitors:
            self._visitors.discard(arm)

    # belief

    def believed(self, arm: Arm) -> tuple[float, float]:
        """The posterior mean, and results, pseudo-results and calls in flight."""
        mu, trials = self._members[arm].believed(arm)
        return mu, trials + arm.pending

    def upper(self, arm: Arm) -> float:
        """The highest plausible quality; of an arm that fell the mean, as calls at set times explore it."""
        member = self._members[arm]
        mu, trials = member.believed(arm)
        if member.watch.fallen:
            return mu
        trials += arm.pending
        ratio = (self._rated + self._weights + self._in_flight) / (len(self._known) * trials)
        return upper_bound(mu, self._gain * math.log1p(ratio) / trials)

    def gain(self, ratio: float) -> float:
        """Gain x noise x ln(1 + x): it goes on exploring arms that are above the average, where ln x stops."""
        return self._gain * math.log1p(ratio)

    def trials_of_all(self) -> float:
        """Results, pseudo-results and calls in flight."""
        return self._rated + self._weights + self._in_flight

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the arm's bound and index; who is to be asked by now comes first."""
        super().refresh(arms, arm)
        if arm in self._visitors and not arm.pending and self._results >= self._members[arm].visit_at:
            arms.extra["upper"][arm.row] += _PROBE
            arm.own = (arm.own[0] + _PROBE, arm.own[1])

    def _freshen(self) -> None:
        if self._results >= self._next_visit:
            members, now = self._members, self._results
            self._stale.update(arm for arm in tuple(self._visitors) if members[arm].visit_at <= now)
            later = (members[arm].visit_at for arm in tuple(self._visitors) if members[arm].visit_at > now)
            self._next_visit = min(later, default=math.inf)
        super()._freshen()

    def scores_in(self, context: Context, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """The scores with what each arm does better, or worse, in this category."""
        scores = self.scores(arms, objective, rng)
        shifts = self._shifts.get(context.category or "")
        if shifts is not None:
            scores[: len(shifts)] += np.array(shifts[: len(scores)]) * (objective.quality / objective.total)
        return scores

    def few_scores_in(self, context: Context, arms: Sequence[Arm]) -> list[float]:
        """The same for a few arms."""
        shifts = self._shifts.get(context.category or "")
        if shifts is None or len(shifts) < len(self._table):
            return [arm.own[0] for arm in arms]
        share = self._share
        return [arm.own[0] + share * shifts[arm.row] for arm in arms]

    def appeal(
        self, slate: Slate, context: Context | None, objective: Objective, rng: np.random.Generator
    ) -> Sequence[float]:
        """The plausible quality of each candidate, with what it does better in this category."""
        del objective, rng
        shifts = self._shifts.get((context and context.category) or "", ())
        arms = [self._known.get(name) for name in slate.arms]
        return [
            -math.inf if arm is None else arm.own[1] + (shifts[arm.row] if arm.row < len(shifts) else 0.0)
            for arm in arms
        ]

    def _shift(self, arm: Arm, member: Member, category: str) -> None:
        """Keep what this arm does better in a category: the mean miss, shrunk by what deviations are worth."""
        shifts, fit = self._shifts.get(category), self._fit
        if shifts is None or fit is None or arm.row >= len(shifts):
            return
        number, total = self._tally.at(category, arm.row)
        mu, _ = member.believed(arm)
        missed = total - number * (mu + self._difficulty[category])
        shifts[arm.row] = missed / (number + max(fit.noise * mu * (1 - mu), _LEAST) / max(fit.deviation, _LEAST))

    # the shared part

    def renewed(self) -> Iterator[None]:
        """Fit the family to all results, a piece at a time, and put every arm's part in place at once."""
        known = tuple(self._known.values())
        if not known:
            return
        evidence = yield from self._evidence(known)
        fit: Fit = yield from fitting(evidence)
        yield
        self._fit = fit
        self._difficulty = dict(zip(self._tally.row_of, fit.difficulty.tolist(), strict=False))
        self._weights = float(fit.weight.sum())
        least, growth, most = _GAIN
        self._gain = fit.noise * min(max(least, growth * math.log1p(self.trials_of_all() / len(known))), most)
        yield
        self._place(known, fit)
        yield
        if self.by_category:
            self._shift_all(known, fit)

    def _shift_all(self, known: tuple[Arm, ...], fit: Fit) -> None:
        """What each arm does better in each category, in one go."""
        used, rows = len(fit.difficulty), [arm.row for arm in known]
        mu = np.zeros(self._tally.columns)
        mu[rows] = np.clip(fit.mu, *INSIDE)
        number, total = self._tally.number[:used], self._tally.total[:used]
        missed = total - number * (mu + fit.difficulty[:, None])
        largest = np.maximum(fit.noise * mu * (1 - mu), _LEAST)
        shifts = missed / (number + largest / max(fit.deviation, _LEAST))
        self._shifts = dict(zip(self._tally.row_of, shifts.tolist(), strict=False))

    def _place(self, known: tuple[Arm, ...], fit: Fit) -> None:
        owed = (fit.difficulty @ self._tally.number[: len(fit.difficulty)]).tolist()
        for arm, mean, weight in zip(known, fit.mean.tolist(), fit.weight.tolist(), strict=True):
            member = self._members.get(arm)
            if member is not None:  # else it left while this was worked out
                member.mean, member.weight, member.handicap = mean, weight, owed[arm.row]

    def _evidence(self, known: tuple[Arm, ...]) -> Generator[None, None, Evidence]:
        """What has been seen of every arm, read a few arms at a time."""
        gathered: list[tuple[float, ...]] = []
        for start in range(0, len(known), _GATHERED):
            for arm in known[start : start + _GATHERED]:
                member = self._members.get(arm)  # none, if it left while this was worked out
                gathered.append(member.sums(arm) if member is not None else _ABSENT)
            yield
        rows = [arm.row for arm in known]
        rated, scored, squares, listed, cost_usd = np.array(gathered).T
        number, total = (grid.take(rows, axis=1) for grid in (self._tally.number, self._tally.total))
        yield
        return Evidence(rated, scored, squares, listed, cost_usd, number, total)

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The quality believed in, the plausible one, and what the pool's prior counts."""
        member = self._members[arm]
        mu, trials = self.believed(arm)
        return {
            **super().facts(arm),
            "believed_quality": mu,
            "prior_quality": member.mean,
            "prior_weight": member.weight,
            "trials": trials,
            "fallen": int(member.watch.fallen),
        }
