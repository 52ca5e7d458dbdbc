"""What a decision costs: choice, begin and settle together, in microseconds, by selector and number of models.

    python benchmarks/selection.py [--peers] [--json] [--rounds 9] [--calls 2000] [--only ucb pool] [--single]

The candidates are all models, and once all but one, as when one is refused. Rounds of the subjects alternate, so that
a busy machine disturbs all alike; shown are the median of the rounds and their quartiles, in CPU time. `--peers` adds
MABWiser and river where they are installed, and the floor row is the bare numpy expression of UCB1.

`--single` tells how decisions differ from one another: the same calls are made in every run, and of the runs' times for
one decision the median counts, so that what is shown is the policy's own work and not who else used the machine. Models
answer right or wrong, at prices that differ a hundredfold, in seven kinds of request.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from orchestrator.selectors import SELECTORS, Context, selector_named

SIZES = (10, 100, 1_000)
WARM_UP = 3  # calls a model before anything is timed
SINGLE = ((25, 8_000), (100, 5_000), (1_000, 2_500))  # models, and calls of which the first tenth do not count
KINDS = [Context(f"kind {number}") for number in range(7)]

Step = Callable[[], None]


class Subject(NamedTuple):
    """One row's worker at one size: `step` decides once and learns once."""

    name: str
    models: int
    step: Step


def ours(name: str, models: int, *, refused: int = 0) -> Subject:
    """A selector of the engine, as the engine uses it; `refused` models are masked out."""
    selector, rng = selector_named(name), np.random.default_rng(0)
    arms = [f"model-{number}" for number in range(models)]
    selector.enroll_many({arm: {"expected_cost_usd": 0.01} for arm in arms})
    for arm in arms:
        for number in range(WARM_UP):
            selector.settle(arm, quality=number % 2, cost_usd=0.01, latency_s=1.0)
    slate = selector.slate(arms[refused:])

    def step() -> None:
        arm = selector.choose(slate, rng).arm
        selector.begin(arm)
        selector.settle(arm, quality=0.5, cost_usd=0.01, latency_s=1.0)

    return Subject(f"{name}, one refused" if refused else name, models, step)


def floor(models: int) -> Subject:
    """UCB1 in one numpy expression with two counters: no names, no bounds, no cost, nothing in flight."""
    trials, means = np.full(models, float(WARM_UP)), np.full(models, 0.5)
    total = models * WARM_UP

    def step() -> None:
        nonlocal total
        arm = int((means + np.sqrt(2 * math.log(total) / trials)).argmax())
        trials[arm] += 1
        means[arm] += (0.5 - means[arm]) / trials[arm]
        total += 1

    return Subject("floor: bare numpy UCB1", models, step)


def mabwiser(policy: str, models: int) -> Subject:
    """MABWiser, learning from each result as it comes."""
    from mabwiser.mab import MAB, LearningPolicy

    arms = list(range(models))
    peer = MAB(arms, LearningPolicy.UCB1(alpha=1.0) if policy == "UCB1" else LearningPolicy.ThompsonSampling())
    peer.fit(arms * WARM_UP, [0] * models + [1] * models * (WARM_UP - 1))

    def step() -> None:
        peer.partial_fit([peer.predict()], [1])

    return Subject(f"MABWiser {policy}", models, step)


def river(policy: str, models: int) -> Subject:
    """river.bandit, with its own counts."""
    from river import bandit

    arms = list(range(models))
    peer = bandit.UCB(delta=1.0, seed=0) if policy == "UCB" else bandit.ThompsonSampling(seed=0, reward_obj=_beta())
    for arm in arms * WARM_UP:
        peer.update(arm, 0.5 if policy == "UCB" else 1)

    def step() -> None:
        peer.update(peer.pull(arms), 0.5 if policy == "UCB" else 1)

    return Subject(f"river {policy}", models, step)


def _beta():
    from river import proba

    return proba.Beta()


def subjects(names: Sequence[str], *, peers: bool) -> Iterator[Subject]:
    """Every row at every size."""
    for models in SIZES:
        for name in names:
            yield ours(name, models)
            yield ours(name, models, refused=1)
        yield floor(models)
        if peers and importlib.util.find_spec("mabwiser"):
            yield from (mabwiser(policy, models) for policy in ("UCB1", "ThompsonSampling"))
        if peers and importlib.util.find_spec("river"):
            yield from (river(policy, models) for policy in ("UCB", "ThompsonSampling"))


def calls_that_fit(subject: Subject, most: int) -> int:
    """How many steps make a round of at most some 50 ms: slow peers get fewer."""
    subject.step()  # the first builds what the others only keep up to date
    start = time.perf_counter()
    subject.step()
    return max(3, min(most, int(0.05 / (time.perf_counter() - start))))


def time_us(subject: Subject, calls: int) -> float:
    """Mean microseconds of a step in one round."""
    step = subject.step
    start = time.process_time()
    for _ in range(calls):
        step()
    return (time.process_time() - start) / calls * 1e6


def measure(running: Sequence[Subject], *, rounds: int, calls: int) -> list[dict[str, object]]:
    """Median and quartiles of every subject, in microseconds."""
    fitting = [calls_that_fit(subject, calls) for subject in running]
    times: list[list[float]] = [[] for _ in running]
    for _ in range(rounds + 1):
        for subject, count, seen in zip(running, fitting, times, strict=True):
            seen.append(time_us(subject, count))
    results = []
    for subject, seen in zip(running, times, strict=True):
        low, median, high = statistics.quantiles(seen[1:], n=4)  # the first round warms up
        results.append(dict(name=subject.name, models=subject.models, us=median, quartiles_us=(low, high)))
    return results


def table(results: list[dict[str, object]]) -> str:
    """The results as text, one line a subject, one column a size."""
    rows: dict[str, dict[object, str]] = {}
    for result in results:
        low, high = result["quartiles_us"]
        cell = f"{result['us']:,.1f} ({low:,.1f}-{high:,.1f})"
        rows.setdefault(str(result["name"]), {})[result["models"]] = cell
    lines = [f"{'us a decision, median (quartiles)':34}" + "".join(f"{size:>28,}" for size in SIZES)]
    lines += [f"{name:34}" + "".join(f"{cells[size]:>28}" for size in SIZES) for name, cells in rows.items()]
    return "\n".join(lines)


def decisions_us(name: str, models: int, calls: int) -> list[float]:
    """What each of so many calls takes, of which every run makes the same."""
    selector, rng = selector_named(name), np.random.default_rng(0)
    arms = [f"model-{number}" for number in range(models)]
    quality, cost_usd = rng.beta(6, 3, models), np.exp(rng.normal(-5, 1.5, models))
    known = dict(zip(arms, zip(quality.tolist(), cost_usd.tolist(), strict=True), strict=True))
    selector.enroll_many({arm: {"expected_cost_usd": usd} for arm, (_, usd) in known.items()})
    slate, luck, clock, times = selector.slate(arms), rng.random(calls).tolist(), time.thread_time_ns, []
    for call in range(calls):
        context = KINDS[call % len(KINDS)]
        start = clock()
        arm = selector.choose(slate, rng, context=context).arm
        selector.begin(arm)
        chosen = clock()
        chance, usd = known[arm]
        answered = float(luck[call] < chance)
        again = clock()
        selector.settle(arm, quality=answered, cost_usd=usd, latency_s=1.0, context=context)
        times.append((clock() - again + chosen - start) / 1e3)
    return times


def single(name: str, *, runs: int) -> Iterator[dict[str, object]]:
    """How one decision differs from another, at every size."""
    clock_us = min(-(time.thread_time_ns() - time.thread_time_ns()) for _ in range(1_000)) / 1e3
    for models, calls in SINGLE:
        own = np.median([decisions_us(name, models, calls) for _ in range(runs)], axis=0) - 2 * clock_us
        p50, p99 = np.percentile(own[calls // 10 :], (50, 99)).tolist()
        yield dict(name=name, models=models, p50_us=p50, p99_us=p99, most_us=float(own[calls // 10 :].max()))


def table_of_singles(results: Sequence[dict[str, object]]) -> str:
    """One line a selector and size."""
    lines = [f"{'us, one decision beside another':34}{'models':>10}{'p50':>10}{'p99':>10}{'most':>10}"]
    for one in results:
        figures = "".join(f"{one[figure]:>10,.1f}" for figure in ("p50_us", "p99_us", "most_us"))
        lines.append(f"{one['name']:34}{one['models']:>10,}{figures}")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="also MABWiser and river, where installed")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=2_000, help="most steps a round")
    parser.add_argument("--only", nargs="*", choices=sorted(SELECTORS), default=list(SELECTORS), help="these selectors")
    parser.add_argument("--single", action="store_true", help="p50 and p99 of single decisions, with answers")
    options = parser.parse_args(arguments)
    if options.single:
        results = [line for name in options.only for line in single(name, runs=options.rounds)]
    else:
        results = measure(list(subjects(options.only, peers=options.peers)), rounds=options.rounds, calls=options.calls)
    shown = table_of_singles if options.single else table
    print(json.dumps(results, indent=1) if options.json else shown(results))


if __name__ == "__main__":
    main(sys.argv[1:])
