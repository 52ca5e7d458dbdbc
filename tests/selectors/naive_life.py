"""Any life of a selector beside a twin that keeps every single result and works everything out from scratch."""

import json
import math
from typing import ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.selectors import Context
from orchestrator.testing.contracts.selector_play import ARMS, BAD_QUALITIES, numbers_in

FIRST = None  # the score of an arm that comes before all that are known
CONTEXTS = (
    Context(category="x", features=(1.0, 0.0)),
    Context(category="x", features=(0.5, -2.0)),
    Context(category="y", features=(0.0, 0.25)),
)

names = st.sampled_from(ARMS)
qualities = st.none() | st.floats(0, 1) | st.sampled_from([0.0, 1.0])
measures = st.none() | st.floats(0, 1e6) | st.sampled_from([math.nan, math.inf, -1.0, 0.0, 1e-300])
facts = st.fixed_dictionaries(
    {
        "expected_cost_usd": st.sampled_from([None, 0.0, 0.001, 0.02, 5.0]),
        "expected_latency_s": st.sampled_from([None, 0.4, 30.0]),
        "expected_quality": st.none() | st.floats(0, 1),
        "is_local": st.booleans(),
        "streams": st.booleans(),
    }
)


class Middle:
    """A generator whose every draw is where the distribution says, so that a draw can be written down as a formula."""

    def normal(self, mean, sd):
        """One standard deviation above the mean."""
        return mean + sd

    def beta(self, successes, failures):
        """The mean, and what one more success would count."""
        return (successes + 1) / (successes + failures)

    def gumbel(self, *, size):
        """No noise."""
        return np.zeros(size)

    def random(self):
        """Never a choice by lot."""
        return 1.0


class NaiveArm:
    """What was said of an arm, and every number that was heard of it."""

    def __init__(self, place):
        self.place = place
        self.price = self.latency = self.listed = None
        self.local = self.streams = False
        self.results, self.costs, self.latencies, self.speeds = [], [], [], []
        self.pulls = self.pending = 0

    def told(self, facts):
        """What was seen is rescaled by a new price, as if it had been in force from the start."""
        new = facts["expected_cost_usd"]
        if new is not None and self.price is not None and new != self.price:
            self.costs = [cost * new / self.price for cost in self.costs] if self.price else []
        self.price, self.latency, self.listed = new, facts["expected_latency_s"], facts["expected_quality"]
        self.local, self.streams = facts["is_local"], facts["streams"]

    @property
    def facts(self):
        """What `told` was last told."""
        return {
            "expected_cost_usd": self.price,
            "expected_latency_s": self.latency,
            "expected_quality": self.listed,
            "is_local": self.local,
            "streams": self.streams,
        }

    def heard(self, quality, context, cost_usd, latency_s, tokens_per_s):
        """Keep what can be true."""
        self.pending = max(0, self.pending - 1)
        self.pulls += 1
        start = 0.5 if self.listed is None else self.listed
        self.results += [(quality, context, start)] if quality is not None else []
        for number, kept in ((cost_usd, self.costs), (latency_s, self.latencies), (tokens_per_s, self.speeds)):
            kept += [number] if number is not None and 0 <= number < math.inf else []

    @property
    def qualities(self):
        return [quality for quality, _, _ in self.results]

    @property
    def mean(self):
        return sum(self.qualities) / len(self.results) if self.results else 0.5

    @property
    def cost(self):
        return with_ten(self.price, self.costs)

    @property
    def latency_s(self):
        return with_ten(self.latency, self.latencies)

    @property
    def speed(self):
        return sum(self.speeds) / len(self.speeds) if self.speeds else None

    @property
    def trials(self):
        return len(self.results) + self.pending

    def posterior(self, weight, unknown=(0.5, 2.0)):
        """Mean and number of the results and of what was expected, which counts as so many."""
        listed, weight = unknown if self.listed is None else (self.listed, weight)
        number = len(self.results) + weight
        return (sum(self.qualities) + weight * listed) / number if number else 0.5, number


def with_ten(expected, seen):
    """The mean of what was seen, with the expectation as ten more; None where nothing is known."""
    number = len(seen) + (0 if expected is None else 10)
    return (sum(seen) + (0 if expected is None else 10 * expected)) / number if number else None


def valued(quality, arm):
    """A quality together with the arm's mean cost and latency, by the weights of the default objective."""
    merit = 0.1 / (1 + (arm.cost or 0.0) / 0.01) + 0.05 / (1 + (arm.latency_s or 0.0) / 5.0)
    return (quality + merit) / 1.15


class Life(RuleBasedStateMachine):
    """A twin says in `scores_of` what each arm must score; the rest of a selector's life is here."""

    make: ClassVar
    asked: ClassVar = None  # the context of every choice
    near: ClassVar = 1e-6

    @staticmethod
    def scores_of(arms):
        """By name: a number, -inf for a refusal, FIRST for who comes before all others."""
        raise NotImplementedError

    def made(self):
        """A selector; an arm that left again has made a category and the number of features known to it."""
        selector = type(self).make()
        if self.asked is not None:
            selector.enroll("a")
            selector.settle("a", quality=1.0, cost_usd=None, latency_s=None, context=CONTEXTS[0])
            selector.retire("a")
        return selector

    def begun(self, arm):
        """A twin may want to know."""

    def now(self):
        """Bring about what the selector would do by and by."""

    def price_of(self, name, drawn):
        """A twin may want an arm to cost always the same."""
        return drawn

    @initialize()
    def start(self):
        self.selector, self.twin, self.turns = self.made(), {}, 0

    @rule(name=names, facts=facts)
    def enroll(self, name, facts):
        facts = {**facts, "expected_cost_usd": self.price_of(name, facts["expected_cost_usd"])}
        self.selector.enroll(name, **facts)
        taken = {arm.place for arm in self.twin.values()}
        if name not in self.twin:
            self.twin[name] = NaiveArm(min(set(range(len(ARMS))) - taken))
        self.twin[name].told(facts)

    @rule(name=names)
    def retire(self, name):
        self.selector.retire(name)
        self.twin.pop(name, None)

    @rule(name=names, calls=st.integers(1, 5))
    def begin(self, name, calls):
        for _ in range(calls):
            self.selector.begin(name)
            if name in self.twin:
                self.twin[name].pending += 1
                self.begun(self.twin[name])

    @rule(name=names)
    def release(self, name):
        self.selector.release(name)
        if name in self.twin:
            self.twin[name].pending = max(0, self.twin[name].pending - 1)

    @rule(
        name=names,
        quality=qualities,
        context=st.sampled_from(CONTEXTS),
        cost_usd=measures,
        latency_s=measures,
        tokens_per_s=measures,
        times=st.integers(1, 6),
    )
    def settle(self, name, quality, times, context, cost_usd, **measured):
        measured["cost_usd"] = self.price_of(name, cost_usd)
        for _ in range(times):
            self.selector.settle(name, quality=quality, context=context, **measured)
            if name in self.twin:
                self.twin[name].heard(quality, context, **measured)

    @rule(name=names, quality=st.sampled_from(BAD_QUALITIES))
    def settle_badly(self, name, quality):
        refused = False
        try:
            self.selector.settle(name, quality=quality, cost_usd=1.0, latency_s=1.0)
        except ValueError:
            refused = True
        assert refused == (name in self.twin)
        if name in self.twin:
            self.twin[name].pending = max(0, self.twin[name].pending - 1)

    @rule(name=names, new=st.floats(0, 1))
    def revise(self, name, new):
        arm = self.twin.get(name)
        if arm is not None and arm.results:
            old, context, start = arm.results.pop()
            self.selector.revise(name, old_quality=old, new_quality=new, context=context)
            arm.results.append((new, context, start))

    @rule()
    def restart(self):
        """A new process takes over from what the old one wrote down; calls in flight and turns are lost."""
        state = json.loads(json.dumps(self.selector.state()))
        self.selector, self.turns = self.made(), 0
        self.selector.merge(state)
        for place, (name, arm) in enumerate(self.twin.items()):
            arm.place, arm.pending, arm.turn = place, 0, 0
            self.selector.enroll(name, **arm.facts)

    @invariant()
    def the_figures_agree(self):
        statistics = self.selector.statistics()
        assert statistics.keys() == self.twin.keys()
        for name, arm in self.twin.items():
            told = statistics[name]
            assert (told["pulls"], told["pending"]) == (arm.pulls, arm.pending)
            assert same(told["mean_quality"], arm.mean if arm.results else None)
            assert same(told["mean_cost_usd"], arm.cost)
            assert same(told["mean_latency_s"], arm.latency_s)
            assert same(told["tokens_per_s"], arm.speed)

    @invariant()
    def the_scores_agree(self):
        self.now()
        expected = self.scores_of(self.twin)
        if all(score == -math.inf for score in expected.values()):
            return
        choice = self.selector.choose(self.selector.slate(tuple(self.twin)), Middle(), context=self.asked)
        for name, score in zip(self.twin, choice.scores, strict=True):
            wanted = expected[name]
            assert score > 1e6 if wanted is FIRST else score == wanted or math.isclose(score, wanted, abs_tol=self.near)
        self.the_choice_is_the_best(choice)

    def the_choice_is_the_best(self, choice):
        """Of those that score best, where the score leaves it open, the least tried."""
        best = [name for name, score in zip(self.twin, choice.scores, strict=True) if score == max(choice.scores)]
        assert choice.arm in best
        if self.selector.breaks_ties:
            assert self.twin[choice.arm].trials == min(self.twin[name].trials for name in best)

    @invariant()
    def the_state_is_finite(self):
        assert all(math.isfinite(number) for number in numbers_in(self.selector.state()))


def same(told, wanted):
    """Both unknown, or one number up to rounding."""
    if told is None or wanted is None:
        return told is wanted
    return math.isclose(told, wanted, rel_tol=1e-6, abs_tol=1e-9)
