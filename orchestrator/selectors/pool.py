"""The pool: models learn from one another, and the difficulty of a category is nobody's fault."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
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
from orchestrator.selectors.pool_category import Niche, firmness, merit_offset, niches
from orchestrator.selectors.pool_deviation import listed_by_category
from orchestrator.selectors.pool_evidence import Rows, gathered, slices
from orchestrator.selectors.pool_fit import Fit, fitting
from orchestrator.selectors.slate import Slate
from orchestrator.selectors.tallied import Tallied

__all__ = ["PoolSelector"]

_MANY: Final = 8  # models from which on the change test pays
_SETTLED: Final = 80  # results after which a newcomer comes to a pool that has learnt already
_BREADTH: Final = (1.0, 100.0, 4.0)  # least, calls a model for one more, most: the least alone locks in in the long run
_PLACED: Final = 32  # arms that get their part of the family in one decision
_PROBE: Final = 1e6  # lifts the score of an arm whose turn has come
_NOBODY: Final = Member()  # in the place of one that has left while another thread was choosing


class PoolSelector(Floored, Conservative, Paced, Tallied, OptimisticSelector):
    """KL-UCB over models whose qualities are drawn from one family (James and Stein 1961; Garivier and Cappe 2011).

        quality of k ~ N(m_k, spread^2),  m_k = level + slope (expected_k - mean) + price slope (ln cost_k - mean)
        d_c   = sum_k (S_ck - n_ck mu_k) / (n_c + 8), centred           the difficulty of category c, shared by all
        mu_k  = (S_k - sum_c n_ck d_c + w_k m_k) / (n_k + w_k),         w_k = noise m_k (1 - m_k) / spread^2
        N_k   = n_k + w_k + calls in flight
        index = share x max{q : N_k KL(mu_k, q) <= noise ln(1 + breadth sum N / (K N_k))} + merit
        breadth = sum N / (100 K), at least 1 and at most 4

    Level, slopes, spread and noise are learnt as results come in, so that the strength of a catalogue is no setting: a
    good one is worth hundreds of calls, one upside down turns the slope round, and dearer models are taken for somewhat
    better until the results say otherwise. Cost and latency stay out of the bound, in the merit.

    `change_test` watches each arm for a fall of its quality (None: from eight models on): what it was then is set
    aside, it is asked again now and then, and gets its past back when it has recovered. An arm that comes to a pool
    that has learnt already is asked eight times within eighty rounds, whatever is expected of it. `by_category` adds to
    the index what an arm does better in the category of the request than its mean says, shrunk by noise / deviation
    results, where the variance of deviations is learnt from all arms together, and takes the cost from what calls cost
    there. An expected quality may be one by category; how much of it holds is learnt, too. `floor` is the probability
    of a choice by lot (`Floored`), `budget_usd` a mean cost of a call to keep to (`Paced`), `default_model` and
    `least_share` a quality never to fall below (`Conservative`).

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
        self.by_features = False
        self._members: dict[Arm, Member] = {}
        self._agenda: list[tuple[float, int, Arm]] = []  # heap of who is asked when, and since which result
        self._fit: Fit | None = None
        self._difficulty: dict[str, float] = {}
        self._niches: dict[str, Niche] = {}
        self._weights = 0.0
        self._results = 0
        self._noise, self._breadth = 1.0, _BREADTH[0]

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
            member.visit_at = self._results  # it comes first from its first bound on, so the agenda need not tell
        return arm

    def enroll(self, arm: str, **facts: object) -> None:
        """Make a row for a model or correct its facts, as `Memory.enroll` says."""
        super().enroll(arm, **facts)
        for category in self._known[arm].expected_in or ():
            self._tally.open(category)

    def retire(self, arm: str) -> None:
        """The model leaves and is forgotten."""
        gone = self._known.get(arm)
        super().retire(arm)
        if gone is not None:
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
        visiting = member.visit_at < math.inf
        if context is not None and context.category is not None:
            niche = self._niches.get(context.category)
            member.handicap += self._difficulty.get(context.category, 0.0)
            if niche is not None and arm.row < len(niche.quality):
                self._shift(arm, member, context.category, niche)
        if self.change_test or (self.change_test is None and len(self._known) >= _MANY):
            member.looks(arm, quality, at=self._results)
        if visiting and not member.watch.fallen:
            member.auditions(arm, at=self._results)
        if member.visit_at < math.inf:
            heappush(self._agenda, (member.visit_at, self._results, arm))

    # belief

    def believed(self, arm: Arm) -> tuple[float, float]:
        """The posterior mean, and results, pseudo-results and calls in flight."""
        mu, trials = self._members.get(arm, _NOBODY).believed(arm)
        return mu, trials + arm.pending

    def upper(self, arm: Arm) -> float:
        """The highest plausible quality; of an arm that fell the mean, as calls at set times explore it."""
        member = self._members.get(arm, _NOBODY)
        mu, trials = member.believed(arm)
        if member.watch.fallen:
            return mu
        trials += arm.pending
        ratio = (self._rated + self._weights + self._in_flight) / ((len(self._known) or 1) * trials)
        return upper_bound(mu, self._noise * math.log1p(self._breadth * ratio) / trials)

    def gain(self, ratio: float) -> float:
        """Noise x ln(1 + breadth x): it goes on exploring arms that are above the average, where ln x stops."""
        return self._noise * math.log1p(self._breadth * ratio)

    def trials_of_all(self) -> float:
        """Results, pseudo-results and calls in flight."""
        return self._rated + self._weights + self._in_flight

    def refresh(self, arms: Arms, arm: Arm) -> None:
        """Keep the arm's bound and index; who is to be asked by now comes first."""
        super().refresh(arms, arm)
        if self._is_due(arm):
            arms.extra["upper"][arm.row] += _PROBE
            arm.index += _PROBE

    def _freshen(self) -> None:
        agenda = self._agenda
        while agenda and agenda[0][0] <= self._results:
            try:
                arm = heappop(agenda)[-1]
            except IndexError:  # a choice in another thread was quicker
                break
            if arm in self._members:
                self._stale.add(arm)
        super()._freshen()

    def scores_in(self, context: Context, arms: Arms, objective: Objective, rng: np.random.Generator) -> Column:
        """The scores with what each arm does better, or dearer, in this category."""
        scores, niche = self.scores(arms, objective, rng), self._niches.get(context.category or "")
        if niche is None:
            return scores
        known = slice(min(len(niche.index), len(scores)))
        if objective is self.objective:
            scores[known] += np.asarray(niche.index[known])
            return scores
        scores[known] += np.asarray(niche.quality[known]) * (objective.quality / objective.total)
        dearer = merit_offset(np.nan_to_num(arms.cost_usd[known]), np.asarray(niche.cost[known]), objective)
        scores[known] += np.asarray(niche.heard[known]) * dearer
        return scores

    def few_scores_in(self, context: Context, arms: Sequence[Arm]) -> list[float]:
        """The same for a few arms."""
        niche = self._niches.get(context.category or "")
        if niche is None or len(niche.index) < len(self._table):
            return [arm.index for arm in arms]
        offsets = niche.index
        return [arm.index + offsets[arm.row] for arm in arms]

    def appeal(
        self, slate: Slate, context: Context | None, objective: Objective, rng: np.random.Generator
    ) -> Sequence[float]:
        """The plausible quality of each candidate, with what it does better in this category."""
        del objective, rng
        niche = self._niches.get((context and context.category) or "")
        shifts = () if niche is None else niche.quality
        arms = [self._known.get(name) for name in slate.arms]
        return [
            -math.inf if arm is None else arm.upper + (shifts[arm.row] if arm.row < len(shifts) else 0.0)
            for arm in arms
        ]

    def is_due(self, name: str) -> bool:
        """True of a newcomer, or of a model that fell, when its turn has come."""
        arm = self._known.get(name)
        return arm is not None and self._is_due(arm)

    def _is_due(self, arm: Arm) -> bool:
        return self._results >= self._members.get(arm, _NOBODY).visit_at and not arm.pending

    def cost_in(self, arm: Arm, context: Context | None) -> float:
        """The mean cost of a call in its category."""
        niche, usual_usd = self._niches.get((context and context.category) or ""), arm.cost_usd or 0.0
        return usual_usd * niche.cost[arm.row] if niche is not None and arm.row < len(niche.cost) else usual_usd

    def _shift(self, arm: Arm, member: Member, category: str, niche: Niche) -> None:
        """Keep what this arm does better in a category: the mean miss, shrunk by what deviations are worth."""
        fit = self._fit
        if fit is None:
            return
        number, total = self._tally.at(category, arm.row)
        mu, _ = member.believed(arm)
        listed = 0.0 if niche.listed is None else niche.listed[arm.row]
        member.handicap += listed
        missed = total - number * (mu + self._difficulty[category] + listed)
        shift = listed + missed / (number + firmness(fit))
        niche.index[arm.row] += self._share * (shift - niche.quality[arm.row])
        niche.quality[arm.row] = shift

    # the shared part

    def renewed(self) -> Iterator[None]:
        """Fit the family to all results, a piece at a time, and put every arm's part in place."""
        known = tuple(self._known.values())
        if not known:
            return
        rows, evidence = yield from gathered(known, self._members, self._tally)
        listed = yield from listed_by_category(known, self._tally.row_of, evidence.number_by_category)
        if listed is not None:
            level = np.where(np.isnan(listed.level), evidence.listed, listed.level)
            evidence = evidence._replace(listed=level, by_category=listed)
        yield
        fit: Fit = yield from fitting(evidence)
        yield
        self._fit = fit
        self._difficulty = dict(zip(self._tally.row_of, fit.difficulty.tolist(), strict=False))
        self._weights = float(np.add.reduce(fit.weight))
        least, calls, most = _BREADTH
        self._noise, self._breadth = fit.noise, min(max(least, self.trials_of_all() / (calls * len(known))), most)
        yield from self._place(known, rows, fit)
        yield
        if self.by_category and len(fit.difficulty):
            costs_usd = [arm.cost_usd or 0.0 for arm in known]
            self._niches = yield from niches(self._tally, rows, costs_usd, fit, self.objective)
            yield

    def _place(self, known: tuple[Arm, ...], rows: Rows, fit: Fit) -> Iterator[None]:
        """Give every arm its part, some at a time; who has left meanwhile needs none."""
        used = len(fit.difficulty)
        for some in slices(len(known), _PLACED):
            yield
            owed = fit.difficulty @ self._tally.number[:used].take(rows[some], axis=1)
            if fit.listed is not None:
                owed += np.add.reduce(fit.listed[:, some] * self._tally.number[:used].take(rows[some], axis=1))
            parts = np.array((fit.mean[some], fit.weight[some], owed)).T.tolist()
            for arm, part in zip(known[some], parts, strict=True):
                member = self._members.get(arm)
                if member is not None:
                    member.mean, member.weight, member.handicap = part

    def facts(self, arm: Arm) -> dict[str, float | int | None]:
        """The quality believed in, the plausible one, and what the pool's prior counts."""
        member = self._members.get(arm, _NOBODY)
        mu, trials = self.believed(arm)
        return {
            **super().facts(arm),
            "believed_quality": mu,
            "prior_quality": member.mean,
            "prior_weight": member.weight,
            "trials": trials,
            "fallen": int(member.watch.fallen),
        }
