"""The comparison: every selector on the same streams, each run written down as soon as it is done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.candidates import Candidate, candidate_of, name_of
from orchestrator.evaluation.replaying import replay
from orchestrator.evaluation.reward import Reward
from orchestrator.evaluation.scenarios import changes_of, prior_of
from orchestrator.evaluation.table import OutcomeTable
from orchestrator.evaluation.tables import Source, datasets, table_of
from orchestrator.evaluation.world import MOST_ROUNDS

__all__ = ["FIELD", "Progress", "Run", "Setting", "bench_selectors", "read_runs"]

FIELD: Final = ("pool", "category", "kl-ucb", "thompson", "ucb", "random")  # who runs when nobody is named
_HALVES_SEED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a selector is put into: the data, the weight of cost, and the circumstances."""

    dataset: str
    cost_weight: float = 0.1
    delay: int = 0
    scenario: str = "steady"
    knowledge: str = "nothing"
    budget: float | None = None


class Run(NamedTuple):
    """One selector's run in one setting under one seed; `figures` are those of `Replayed.to_dict`."""

    setting: Setting
    selector: str
    seed: int
    figures: dict[str, Any]


class Progress(NamedTuple):
    """So many runs of so many are done, and which one was the last."""

    done: int
    total: int
    run: Run


def bench_selectors(
    data: Source,
    *,
    selectors: Sequence[str] | Mapping[str, Candidate] = FIELD,
    dataset: str | Sequence[str] = (),
    cost_weight: float | Sequence[float] = 0.1,
    delay: int | Sequence[int] = 0,
    scenarios: Sequence[str] = ("steady",),
    knowledge: Sequence[str] = ("nothing",),
    budgets: Sequence[float | None] = (None,),
    seeds: int = 5,
    rounds: int | None = None,
    results: str | os.PathLike[str] | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> list[Run]:
    """Run every selector in every combination of circumstances, under each seed from 0 on.

    All selectors see the same prompts in the same order. With a file for `results` (JSON lines), each run is appended
    when it is done, and what already stands there for the same data and the same code of selectors is not run again.
    Where anything is known beforehand, it comes from one half of the prompts and all runs are played on the other.
    A selector is named as in "ucb" or "ucb:exploration_factor=0.25", or given under a label of your own.
    """
    field = _field(selectors)
    tables = {table.name: table for table in _tables(data, dataset)}
    parts = {name: _parts(table, split=set(knowledge) != {"nothing"}) for name, table in tables.items()}
    settings = [
        Setting(dataset=name, cost_weight=weight, delay=late, scenario=scenario, knowledge=known, budget=budget)
        for name in tables
        for weight in _several(cost_weight)
        for late in _several(delay)
        for scenario in scenarios
        for known in knowledge
        for budget in budgets
    ]
    plan = [(seed, setting, label) for seed in range(seeds) for setting in settings for label in field]
    runs = []
    with ExitStack() as stack:
        book = _Book(results, stack)
        for seed, setting, label in plan:
            played, other = parts[setting.dataset]
            key = _key(setting, label, seed, rounds, played)
            figures = book.known.get(key)
            if figures is None:
                figures = _figures(setting, field[label], played, other, seed=seed, rounds=rounds)
                book.write(key, Run(setting, label, seed, figures))
            runs.append(Run(setting, label, seed, figures))
            if watch is not None:
                watch(Progress(len(runs), len(plan), runs[-1]))
    return runs


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _field(selectors: Sequence[str] | Mapping[str, Candidate]) -> dict[str, Candidate]:
    named = selectors if isinstance(selectors, Mapping) else {name_of(one): one for one in selectors}
    if not named:
        raise ConfigurationError("selectors: name at least one")
    for one in named.values():
        candidate_of(one)  # an unknown name is known to be one before an hour of runs
    return dict(named)


def _tables(data: Source, dataset: str | Sequence[str]) -> Iterator[OutcomeTable]:
    names: Sequence[str | None] = [dataset] if isinstance(dataset, str) else list(dataset)
    if not names and not isinstance(data, OutcomeTable) and Path(data).is_dir():
        names = list(datasets(data))
    for name in names or [None]:
        yield table_of(data, dataset=name)


def _parts(table: OutcomeTable, *, split: bool) -> tuple[OutcomeTable, OutcomeTable]:
    """The prompts that are played, and those that knowledge comes from."""
    if not split:
        return table, table
    known, played = table.halves(seed=_HALVES_SEED)
    return played, known


def _figures(
    setting: Setting, selector: Candidate, played: OutcomeTable, other: OutcomeTable, *, seed: int, rounds: int | None
) -> dict[str, Any]:
    length = min(len(played), rounds or MOST_ROUNDS)
    reward = Reward.over(played, cost_weight=setting.cost_weight)
    scores, costs_usd = prior_of(setting.knowledge, other, seed=seed)
    run = replay(
        played,
        selector,
        cost_weight=setting.cost_weight,
        delay=setting.delay,
        prior=scores,
        prices=costs_usd,
        seed=seed,
        rounds=length,
        changes=changes_of(setting.scenario, played, reward, rounds=length),
        budget=setting.budget,
    )
    return run.to_dict()


def _key(setting: Setting, label: str, seed: int, rounds: int | None, played: OutcomeTable) -> str:
    """What makes two runs the same run: circumstances, data and the code of the built-in selectors."""
    what = {**asdict(setting), "selector": label, "seed": seed, "rounds": rounds}
    digest = hashlib.blake2b(_code(), digest_size=8)
    for part in (json.dumps(what, sort_keys=True).encode(), played.score.tobytes(), played.cost_usd.tobytes()):
        digest.update(part)
    return digest.hexdigest()


@cache
def _code() -> bytes:
    """A fingerprint of the policies and of the replay, so that no result outlives a change of either."""
    import orchestrator.selectors

    rooms = (Path(orchestrator.selectors.__file__).parent, Path(__file__).parent)
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(path for room in rooms for path in room.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


class _Book:
    """The file of results: what stands in it, and a line more for each run."""

    def __init__(self, path: str | os.PathLike[str] | None, stack: ExitStack) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self._file: IO[str] | None = None
        if path is None:
            return
        target = Path(path)
        if target.exists():
            self.known = {record["key"]: record["figures"] for record in _records(target)}
        self._file = stack.enter_context(_appending(target))

    def write(self, key: str, run: Run) -> None:
        """Write it down at once, so that an interruption loses one run at most."""
        if self._file is not None:
            record = {"key": key, **run._asdict(), "setting": asdict(run.setting)}
            self._file.write(json.dumps(record, allow_nan=False) + "\n")
            self._file.flush()


def _appending(path: Path) -> IO[str]:
    """Open at the end; a last line that was cut off in the middle is ended, and skipped when read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    file = path.open("a", encoding="utf-8")
    if cut:
        file.write("\n")
    return file


def _records(path: Path) -> Iterable[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:  # cut off by an interruption
            continue
        if isinstance(record, dict) and {"key", "setting", "selector", "seed", "figures"} <= record.keys():
            yield record


def read_runs(path: str | os.PathLike[str]) -> list[Run]:
    """Every whole run in a file of results."""
    return [
        Run(Setting(**record["setting"]), record["selector"], record["seed"], record["figures"])
        for record in _records(Path(path))
    ]
