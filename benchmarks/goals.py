"""What a selector reaches on recorded outcomes: regret, catalogues, delay, change, budgets and speed, with intervals.

    python benchmarks/goals.py --data FOLDER [--selector default] [--seeds 20] [--only cold catalogue delay gap ...]
                               [--half even|odd]

A folder holds sets as `<set>.prompts.csv.gz` and `<set>.outcomes.csv.gz`. Cold runs use whole sets. Catalogues and
price lists come from a fifth of the prompts (by their id) and are judged on the other four, so that a run is about as
long as a cold one. Shown are means over pairs of a set and a weight of cost, the 95 % Student interval over seeds, and
the worst single run. A pair is a near tie when telling its two best models apart takes more paired comparisons (two
standard errors) than there are rounds. A setting that was chosen on one half of the prompts is judged on the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from orchestrator.evaluation import Falls, Outage, OutcomeTable, Replayed, Reprices, datasets, load, replay
from orchestrator.evaluation.lai_robbins import POOLS, long_run
from orchestrator.evaluation.reward import Reward

WEIGHTS = (0.0, 0.1, 0.3, 1.0)
MANY = 4  # models from which a set is worth a run with late feedback or a change
STUDENT = {2: 12.7, 3: 4.30, 4: 3.18, 5: 2.78, 10: 2.26, 20: 2.09, 100: 1.98}

Pair = tuple[OutcomeTable, float]
Setup = Mapping[str, Any]


def parted(table: OutcomeTable) -> tuple[OutcomeTable, OutcomeTable]:
    """A fifth of the prompts and the rest, by the prompt's id, which is a hash of its text."""
    fifth = np.array([int(one[:8], 16) % 5 for one in table.prompt_ids])
    return table.taking(np.flatnonzero(fifth == 0)), table.taking(np.flatnonzero(fifth))


def halved(table: OutcomeTable, half: str) -> OutcomeTable:
    """The prompts of one half, by digits of their id that have no say in which fifth they are of."""
    if half == "both":
        return table
    odd = np.array([int(one[8:], 16) % 2 for one in table.prompt_ids])
    return table.taking(np.flatnonzero(odd == (half == "odd")))


def is_tie(table: OutcomeTable, weight: float) -> bool:
    """Whether the two best models cannot be told apart on as many prompts."""
    rewards = Reward.over(table, cost_weight=weight).over_grid(table.score, table.cost_usd)
    second, best = rewards.mean(axis=0).argsort()[-2:]
    gap = rewards[:, best] - rewards[:, second]
    return bool((2 * gap.std() / max(gap.mean(), 1e-12)) ** 2 > min(len(table), 5_000))


def show(name: str, runs: np.ndarray, *, percent: bool = False, more_is_better: bool = False) -> None:
    """One line: the mean over pairs (rows), its interval over seeds (columns), and the worst run."""
    if not runs.size:
        return
    by_seed, scale = runs.mean(axis=0) * (100 if percent else 1), 100 if percent else 1
    count, worst = len(by_seed), runs.min() if more_is_better else runs.max()
    margin = STUDENT.get(count, 2.1) * by_seed.std(ddof=1) / count**0.5 if count > 1 else float("nan")
    print(f"{name:58s} {by_seed.mean():8.3f} ± {margin:.3f}   worst run {worst * scale:.3f}", flush=True)


class Goals:
    """The sets, and one method a goal."""

    def __init__(self, tables: list[OutcomeTable], selector: str, seeds: int) -> None:
        self.tables = tables
        self.selector = selector
        self.seeds = range(seeds)

    def each(self, table: OutcomeTable, measure: Callable[[Replayed], float], **setup: Any) -> list[float]:
        """One figure of a run, by seed."""
        return [measure(replay(table, self.selector, seed=seed, **setup)) for seed in self.seeds]

    def shares(self, name: str, pairs: list[Pair], setup: Callable[[OutcomeTable], Setup]) -> None:
        """The share of random choice's regret, over all pairs and without near ties."""
        rows = [self.each(table, _share, cost_weight=weight, **setup(table)) for table, weight in pairs]
        show(name, np.array(rows))
        kept = [row for row, pair in zip(rows, pairs, strict=True) if not is_tie(*pair)]
        if len(kept) < len(rows):
            show(f"{name}, {len(rows) - len(kept)} near ties apart", np.array(kept))

    def pairs(self) -> list[Pair]:
        return [(table, weight) for table in self.tables for weight in WEIGHTS]

    def judged(self) -> Iterator[tuple[OutcomeTable, OutcomeTable]]:
        for table in self.tables:
            yield parted(table)

    def cold(self) -> None:
        self.shares("share of random's regret, cold", self.pairs(), lambda _: {})

    def catalogue(self) -> None:
        sides = list(self.judged())
        pairs = [(other, weight) for _, other in sides for weight in WEIGHTS]
        lists = {id(other): own for own, other in sides}
        self.shares("four fifths: cold", pairs, lambda _: {})
        priced = {key: {"prices": own.price_list()} for key, own in lists.items()}
        self.shares("four fifths: prices alone", pairs, lambda table: priced[id(table)])
        for kind in ("right", "reversed", "shuffled 1", "shuffled 2", "shuffled 3"):
            made = {key: turned(own.catalogue(), kind) for key, own in lists.items()}
            self.shares(
                f"four fifths: catalogue {kind}, and prices",
                pairs,
                lambda table, made=made: {"prior": made[id(table)], **priced[id(table)]},
            )

    def delay(self) -> None:
        many = [table for table in self.tables if len(table.models) >= MANY]
        for rounds in (50, 200):
            self.shares(f"feedback {rounds} late, cold", [(t, 0.1) for t in many], lambda _, d=rounds: {"delay": d})
            sides = [parted(table) for table in many]
            known = {id(o): {"prior": own.catalogue(), "prices": own.price_list()} for own, o in sides}
            self.shares(
                f"four fifths: feedback {rounds} late, catalogue and prices",
                [(other, 0.1) for _, other in sides],
                lambda table, d=rounds, known=known: {"delay": d, **known[id(table)]},
            )

    def gap(self) -> None:
        for table in self.tables:
            row = self.each(table, _gap, cost_weight=0.1)
            show(f"gap closed %, {table.name}, cold", np.array([row]), percent=True, more_is_better=True)
            own, other = parted(table)
            known = {"prior": own.catalogue(), "prices": own.price_list()}
            row = self.each(other, _gap, cost_weight=0.1, **known)
            name = f"gap closed %, {other.name}, catalogue and prices"
            show(name, np.array([row]), percent=True, more_is_better=True)

    def change(self) -> None:
        for table in (table for table in self.tables if len(table.models) >= MANY):
            rewards = Reward.over(table, cost_weight=0.1).over_grid(table.score, table.cost_usd)
            best, at = table.models[int(rewards.mean(axis=0).argmax())], min(len(table), 5_000) // 2
            price, outage = Reprices(model=best, at=at, factor=50.0), Outage(model=best, at=at, until=at + 200)
            fell = self.each(table, _calls_after, changes=[Falls(model=best, at=at)])
            show(f"calls to a fallen model in 100 rounds, {table.name}", np.array([fell]))
            dear = self.each(table, _calls_after, changes=[price], prices=table.price_list())
            show(f"calls after an announced price x 50, {table.name}", np.array([dear]))
            show(f"failures in an outage, {table.name}", np.array([self.each(table, _failures, changes=[outage])]))
            later = partial(_calls_from, model=best, start=outage.until + 50)
            back, without = self.each(table, later, changes=[outage]), self.each(table, later)
            name = f"calls 50 to 100 rounds after recovery, {table.name}"
            print(f"{name}: {sum(back):.0f}, without the outage {sum(without):.0f}", flush=True)

    def budget(self) -> None:
        for own, other in self.judged():
            known = {"prior": own.catalogue(), "prices": own.price_list()}
            for share in (0.1, 0.25, 0.5):
                runs = [
                    replay(other, self.selector, seed=seed, cost_weight=0.0, budget=share, **known).spending
                    for seed in self.seeds
                ]
                if min(other.price_list().values()) >= runs[0].budget_usd:
                    continue  # even the cheapest model costs more
                name = f"{other.name}, budget {share:.0%}"
                show(f"overspend %, {name}", np.array([[run.overspend for run in runs]]), percent=True)
                scores = np.array([[run.score_of_best_mixture for run in runs]])
                show(f"score % of the best mixture, {name}", scores, percent=True, more_is_better=True)

    def long(self) -> None:
        for pool, qualities in POOLS.items():
            runs = [long_run(self.selector, qualities=qualities, seed=seed) for seed in self.seeds]
            show(f"20,000 rounds: regret / Lai-Robbins, {pool}", np.array([[run.share_of_bound for run in runs]]))
            regrets = np.array([[run.regret for run in runs]])
            show(f"20,000 rounds: regret (95 % quantile {np.quantile(regrets, 0.95):.0f}), {pool}", regrets)

    def speed(self) -> None:
        for table in (table for table in self.tables if len(table.models) > MANY):
            runs = [replay(table, self.selector, seed=seed) for seed in self.seeds]
            name = f"{len(table.models)} models, {table.name}"
            show(f"us a decision with its update, p50, {name}", np.array([[run.decision_s_p50 * 1e6 for run in runs]]))
            show(f"us a decision with its update, p99, {name}", np.array([[run.decision_s_p99 * 1e6 for run in runs]]))


def turned(catalogue: Mapping[str, float], kind: str) -> dict[str, float]:
    """The catalogue as it is, upside down, or dealt out by lot."""
    names, scores = sorted(catalogue, key=lambda name: catalogue[name]), sorted(catalogue.values())
    if kind == "right":
        return dict(catalogue)
    if kind == "reversed":
        return dict(zip(names, reversed(scores), strict=True))
    return dict(zip(names, np.random.default_rng(int(kind[-1])).permutation(scores).tolist(), strict=True))


def _share(run: Replayed) -> float:
    return run.share_of_random or 0.0


def _gap(run: Replayed) -> float:
    return run.gap_closed or 0.0


def _calls_after(run: Replayed) -> float:
    return float(run.aftermath[0].calls_after)


def _calls_from(run: Replayed, *, model: str, start: int) -> float:
    return float(sum(chosen == model for _, chosen in run.choices[start : start + 50]))


def _failures(run: Replayed) -> float:
    return float(run.failures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    goals = ("cold", "catalogue", "delay", "gap", "change", "budget", "speed", "long")
    parser.add_argument("--data", required=True)
    parser.add_argument("--selector", default="default")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=goals, default=goals)
    parser.add_argument("--half", choices=("both", "even", "odd"), default="both")
    asked = parser.parse_args()
    tables = [halved(load(asked.data, dataset=name), asked.half) for name in datasets(asked.data)]
    for name in asked.only:
        getattr(Goals(tables, asked.selector, asked.seeds), name)()


if __name__ == "__main__":
    main()
