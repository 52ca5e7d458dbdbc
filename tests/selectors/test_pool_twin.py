"""The pool model against a twin that keeps every result and works everything out from scratch, one number at a time."""

import json
import math
from itertools import product

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.selectors import Context, PoolSelector
from orchestrator.selectors.kl import divergence

ARMS = ("a", "b", "c", "d")
SPREADS = (0.03, 0.06, 0.11, 0.18, 0.28)


class NaiveArm:
    """What was listed of an arm, every result with its category, and the costs."""

    def __init__(self, listed, price):
        self.listed, self.price = listed, price
        self.results, self.costs, self.pending = [], [], 0

    @property
    def cost(self):
        weight = 0 if self.price is None else 10
        number = len(self.costs) + weight
        return (sum(self.costs) + weight * (self.price or 0.0)) / number if number else None


def inside(number, low=0.02, high=0.98):
    return min(max(number, low), high)


def offsets(values):
    """How far each is from the mean of those that are known."""
    known = [value for value in values if value is not None]
    return [0.0 if value is None else value - sum(known) / len(known) for value in values]


def facts_and_prior(arms):
    """A row of facts for each arm, the expected line with its deviations, and the hypotheses' spread."""
    listed = [arm.listed for arm in arms]
    prices = [math.log(arm.cost) if arm.cost else None for arm in arms]
    rows = [(1.0, o, inside(p, -4, 4)) for o, p in zip(offsets(listed), offsets(prices), strict=True)]
    known = [value for value in listed if value is not None]
    if not known:
        return rows, ((0.6, 0.25), (1.0, 1.0), (0.04, 0.04)), (0.2, 0.6), 0.25
    return rows, ((sum(known) / len(known), 0.1), (1.0, 1.0), (0.0, 0.02)), (0.08, 0.7), 0.1


def difficulty_of(arms, mu):
    """By category: what its results miss, shrunk by eight, centred over the results."""
    names = sorted({category for arm in arms for category, _ in arm.results if category is not None})
    missed, number = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    for arm, belief in zip(arms, mu, strict=True):
        for category, quality in arm.results:
            if category is not None:
                missed[category] += quality - belief
                number[category] += 1
    shrunk = {name: missed[name] / (number[name] + 8) for name in names}
    centre = sum(number[name] * shrunk[name] for name in names) / sum(number.values()) if names else 0.0
    return {name: shrunk[name] - centre for name in names} if len(names) > 1 else dict.fromkeys(names, 0.0)


def noise_of(arms, mu):
    """The variance within arms by that of right-or-wrong results, both with ten results of a typical arm."""
    largest = [belief * (1 - belief) for belief in mu]
    prior = 10 * sum(largest) / len(largest)
    within = prior
    for qualities in ([quality for _, quality in arm.results] for arm in arms):
        within += sum((q - sum(qualities) / len(qualities)) ** 2 for q in qualities)
    allowed = prior + sum(max(len(arm.results) - 1, 0) * most for arm, most in zip(arms, largest, strict=True))
    return inside(within / allowed, 0.05, 1.0)


def hypothesis_of(spread, rows, prior, tried):
    """Under one spread: log evidence, and the mean of each arm's quality (a ridge regression)."""
    expected, firmness = np.array([mean for mean, _ in prior]), np.diag([sd**-2 for _, sd in prior])
    precision, right = firmness.copy(), firmness @ expected
    for place, (mean, variance) in tried.items():
        row, pull = np.array(rows[place]), 1 / (spread**2 + variance)
        precision, right = precision + pull * np.outer(row, row), right + pull * mean * row
    line = np.linalg.solve(precision, right)
    evidence = -0.5 * math.log(np.linalg.det(precision)) - 0.5 * (line - expected) @ firmness @ (line - expected)
    for place, (mean, variance) in tried.items():
        pull = 1 / (spread**2 + variance)
        evidence += 0.5 * math.log(pull) - 0.5 * pull * (mean - line @ rows[place]) ** 2
    return evidence, [float(line @ row) for row in rows]


def naive_beliefs(arms):
    """Mean and pseudo-results of every arm's prior, the difficulties, and the noise."""
    rows, prior, (median, sd), first = facts_and_prior(arms)
    means = [inside(sum(mean * fact for (mean, _), fact in zip(prior, row, strict=True))) for row in rows]
    mu = []
    for arm, mean in zip(arms, means, strict=True):
        weight = mean * (1 - mean) / first**2
        mu.append((sum(q for _, q in arm.results) + weight * mean) / (len(arm.results) + weight))
    difficulty, noise = difficulty_of(arms, mu), noise_of(arms, mu)
    owed = [sum(difficulty.get(category, 0.0) for category, _ in arm.results) for arm in arms]
    tried = {
        place: (
            (sum(q for _, q in arm.results) - owed[place]) / len(arm.results),
            noise * b * (1 - b) / len(arm.results),
        )
        for place, (arm, b) in enumerate(zip(arms, mu, strict=True))
        if arm.results
    }
    under = [hypothesis_of(spread, rows, prior, tried) for spread in SPREADS]
    logs = [e - 0.5 * ((math.log(s) - math.log(median)) / sd) ** 2 for (e, _), s in zip(under, SPREADS, strict=True)]
    chances = [math.exp(log - max(logs)) for log in logs]
    chances = [chance / sum(chances) for chance in chances]
    priors = []
    for place in range(len(arms)):
        mean = sum(c * m[place] for c, (_, m) in zip(chances, under, strict=True))
        variance = sum(
            c * (s**2 + (m[place] - mean) ** 2) for c, s, (_, m) in zip(chances, SPREADS, under, strict=True)
        )
        mean = inside(mean)
        priors.append((mean, max(noise * mean * (1 - mean) / variance, 0.5)))
    return priors, owed, noise


def naive_figures(arms):
    """Of each arm: believed quality, trials, and the nats its bound lies away."""
    priors, owed, noise = naive_beliefs(arms)
    everything = sum(len(arm.results) + arm.pending + weight for arm, (_, weight) in zip(arms, priors, strict=True))
    breadth = inside(everything / (100 * len(arms)), 1.0, 4.0)
    for arm, (mean, weight), due in zip(arms, priors, owed, strict=True):
        trials = len(arm.results) + weight
        mu = inside((sum(q for _, q in arm.results) - due + weight * mean) / trials, 0.002, 0.998)
        trials += arm.pending
        yield mu, trials, noise * math.log1p(breadth * everything / (len(arms) * trials)) / trials


names = st.sampled_from(ARMS)
qualities = st.floats(0, 1) | st.sampled_from([0.0, 1.0])


class PoolAndItsNaiveTwin(RuleBasedStateMachine):
    """Any life of a pool, refitted piece by piece, gives the figures of a twin that is refitted from raw results."""

    @initialize()
    def start(self):
        self.selector, self.twin = PoolSelector(change_test=False), {}
        self.enroll("a", None, 0.02)
        self.enroll("b", 0.7, None)

    @rule(name=names, listed=st.none() | st.floats(0, 1), price=st.sampled_from([None, 0.0, 0.001, 0.02, 5.0]))
    def enroll(self, name, listed, price):
        if name not in self.twin:
            self.selector.enroll(name, expected_quality=listed, expected_cost_usd=price)
            self.twin[name] = NaiveArm(listed, price)

    @rule(name=names)
    def retire(self, name):
        if len(self.twin) > 1:
            self.selector.retire(name)
            self.twin.pop(name, None)

    @rule(name=names, calls=st.integers(1, 40))
    def begin(self, name, calls):
        for _ in range(calls):
            self.selector.begin(name)
        if name in self.twin:
            self.twin[name].pending += calls

    @rule(name=names, quality=qualities, category=st.sampled_from([None, "x", "y"]), times=st.integers(1, 6))
    def settle(self, name, quality, category, times):
        context = Context(category) if category else None
        for _ in range(times):
            self.selector.settle(name, quality=quality, cost_usd=0.01, latency_s=None, context=context)
        if name in self.twin:
            arm = self.twin[name]
            arm.pending = max(0, arm.pending - times)
            arm.results += [(category, quality)] * times
            arm.costs += [0.01] * times

    @rule(name=names, quality=qualities)
    def revise(self, name, quality):
        if name in self.twin and self.twin[name].results:
            category, old = self.twin[name].results.pop()
            context = Context(category) if category else None
            self.selector.revise(name, old_quality=old, new_quality=quality, context=context)
            self.twin[name].results.append((category, quality))

    @rule(rounds=st.integers(1, 5))
    def choose(self, rounds):
        slate = self.selector.slate(tuple(self.twin))
        assert all(self.selector.choose(slate, np.random.default_rng(0)).arm in self.twin for _ in range(rounds))

    @rule()
    def restart(self):
        """A new process takes over from what the old one wrote down; calls in flight are lost."""
        state = json.loads(json.dumps(self.selector.state()))
        self.selector = PoolSelector(change_test=False)
        self.selector.merge(state)
        for name, arm in self.twin.items():
            self.selector.enroll(name, expected_quality=arm.listed, expected_cost_usd=arm.price)
            arm.pending = 0

    @invariant()
    def the_figures_agree(self):
        fit, figures = self.selector.learnt, self.selector.statistics()
        assert math.isfinite(fit.spread)
        for name, (mu, trials, nats) in zip(self.twin, naive_figures(list(self.twin.values())), strict=True):
            told = figures[name]
            assert math.isclose(told["believed_quality"], mu, abs_tol=1e-6), name
            assert math.isclose(told["trials"], trials, rel_tol=1e-6), name
            reached = divergence(mu, told["optimistic_quality"])
            assert math.isclose(told["optimistic_quality"], 1.0, abs_tol=1e-4) or abs(reached - nats) < 1e-2 + nats / 20


PoolAndItsNaiveTwin.TestCase.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
TestPoolAgainstItsNaiveTwin = PoolAndItsNaiveTwin.TestCase


@pytest.mark.parametrize(("calls", "breadth"), [(40, 1.0), (200, 2.0), (280, 2.8), (600, 4.0)])
def test_bounds_are_wider_in_the_long_run(calls, breadth):
    """Up to a hundred calls a model they hold ln(1 + x), from four hundred on ln(1 + 4 x)."""
    selector, twin = PoolSelector(), {"a": NaiveArm(None, None), "b": NaiveArm(None, None)}
    for name, wrong in (("a", 5), ("b", 8)):
        selector.enroll(name)
        for number in range(calls):
            twin[name].results.append((None, float(number % wrong > 0)))
            selector.settle(name, quality=float(number % wrong > 0), cost_usd=None, latency_s=None)
    (mu, trials, nats), _ = naive_figures(list(twin.values()))
    noise, told = selector.learnt.noise, selector.statistics()["a"]
    everything = sum(one["trials"] for one in selector.statistics().values())
    assert nats * trials / noise == pytest.approx(math.log1p(breadth * everything / (2 * trials)), rel=0.02)
    assert divergence(mu, told["optimistic_quality"]) == pytest.approx(nats, rel=0.01)


def test_many_models_read_in_pieces_are_fitted_as_one():
    """Seventy models, five of which came into the rows of others, and forty kinds of request: the twin's figures."""
    world, selector, twin = np.random.default_rng(4), PoolSelector(change_test=False), {}
    for place in range(75):
        listed, price = (None, 0.7)[place % 2], (0.001, 0.02, None)[place % 3]
        if place >= 70:
            selector.retire(f"m{place - 70}")
            del twin[f"m{place - 70}"]
        selector.enroll(f"m{place}", expected_quality=listed, expected_cost_usd=price)
        twin[f"m{place}"] = NaiveArm(listed, price)
    names_, slate = list(twin), selector.slate(tuple(twin))
    for call in range(900):
        name, kind, quality = names_[world.integers(70)], f"kind {world.integers(40)}", float(world.random() < 0.6)
        selector.settle(name, quality=quality, cost_usd=0.01, latency_s=None, context=Context(kind))
        twin[name].results.append((kind, quality))
        twin[name].costs.append(0.01)
        if call % 3 == 0:
            assert selector.choose(slate, world, context=Context(kind)).arm in twin
    assert math.isfinite(selector.learnt.spread)
    figures = selector.statistics()
    for name, (mu, trials, _) in zip(twin, naive_figures(list(twin.values())), strict=True):
        assert math.isclose(figures[name]["believed_quality"], mu, abs_tol=1e-6), name
        assert math.isclose(figures[name]["trials"], trials, rel_tol=1e-6), name


def test_a_thousand_calls_in_flight_while_models_come_and_go():
    """Every begun call ends once, nothing is left in flight, and all figures stay finite."""
    selector, slates = PoolSelector(), np.random.default_rng(0)
    arms = [f"m{number}" for number in range(12)]
    for arm in arms:
        selector.enroll(arm)
    under_way = []
    for call in range(1_000):
        if call % 100 == 50:
            selector.retire(arms.pop(0))
            arms.append(f"m{call}")
            selector.enroll(arms[-1])
        under_way.append(selector.choose(selector.slate(arms), slates).arm)
        selector.begin(under_way[-1])
    assert sum(figures["pending"] for figures in selector.statistics().values()) == sum(a in arms for a in under_way)
    for call, arm in enumerate(slates.permutation(under_way).tolist()):
        selector.settle(arm, quality=call % 2, cost_usd=0.01, latency_s=1.0)
        assert selector.choose(selector.slate(arms), slates).arm in arms
    for figures, name in product(selector.statistics().values(), ("believed_quality", "trials", "optimistic_quality")):
        assert math.isfinite(figures[name])
        assert figures["pending"] == 0
