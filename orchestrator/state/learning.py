"""What selectors have learnt, as news for others and from them."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from orchestrator.state.store import Sums

if TYPE_CHECKING:
    from orchestrator.models.road.settlement import Settlement
    from orchestrator.selectors.selector import ModelSelector

__all__ = ["Learning", "flat", "unflat"]

_DOUBT = 10.0  # calls that have to be told of before the figures weigh as much as the guess
_LATELY = 0.8  # of what is remembered of a round, in the next
_NOISE = 1e-9  # differences that are only rounding
_Row = dict[str, float]


class Learning:
    """The sums of the selector's arms: what has come since the last time is news, and the others' news are counted in.

    Every built-in policy is made of sums. One that forgets (`half_life`) lets the others' results age with its own, and
    takes no more of the past than it would still remember. What is known of a model waits until it is registered here.
    """

    kind = "arm"

    def __init__(self, settlement: Settlement, models: Container[object]) -> None:
        self._settlement = settlement
        self._models = models
        self._told: dict[str, _Row] = {}
        self._half_lives = 0.0
        self._waiting: dict[str, _Row] = {}
        self._selector: ModelSelector | None = None  # whose arms with news are known
        self._here = self._elsewhere = 0.0  # calls that were told of lately

    def news(self) -> Sums:
        """Differences of the sums, arm by arm."""
        return self._settlement.study(self._news)

    def arrived(self) -> None:
        """Nothing is held back for it."""

    def absorb(self, changes: Sums) -> None:
        """Count in what others have seen."""
        for record, row in changes.items():
            name = record.partition(":")[2]
            waiting = self._waiting.setdefault(name, {})
            for path, number in row.items():
                if math.isfinite(number):
                    waiting[path] = waiting.get(path, 0.0) + number
        self._elsewhere += sum(max(0.0, row.get("pulls", 0.0)) for row in changes.values())
        ready = {name: self._waiting.pop(name) for name in tuple(self._waiting) if name in self._models}
        if ready:
            self._settlement.study(lambda selector: self._absorb(selector, ready))

    def among(self, processes: int) -> None:
        """A round is over: so many processes share, and each call here stands for as many as they make meanwhile."""
        others = processes - 1
        busier = (self._elsewhere + _DOUBT * others) / (self._here + _DOUBT)  # alike, until the figures say otherwise
        self._settlement.study(lambda selector: selector.among(min(others, round(busier))))
        self._here, self._elsewhere = _LATELY * self._here, _LATELY * self._elsewhere

    def _news(self, selector: ModelSelector) -> dict[str, _Row]:
        aged = 2.0 ** (self._half_lives - selector.half_lives)
        self._half_lives = selector.half_lives
        found = {}
        for name, record in selector.shared_state(only=self._touched(selector))["arms"].items():
            if name not in self._models:
                continue
            sums = dict(flat(record))
            told = self._told.get(name, {})
            if sums["pulls"] < told.get("pulls", 0.0):  # it had left, was forgotten, and has come again
                told = {}
            row = _difference(sums, told, aged)
            if row:
                found[f"{self.kind}:{name}"] = row
                self._here += max(0.0, row.get("pulls", 0.0))
            self._told[name] = sums
        for gone in [name for name in self._told if name not in self._models]:
            del self._told[gone]
        return found

    def _touched(self, selector: ModelSelector) -> set[str] | None:
        """The arms with new results; None the first time, when any may have some, and where all of them age."""
        touched = selector.touched if selector is self._selector and selector.half_life is None else None
        self._selector, selector.touched = selector, set()
        return touched

    def _absorb(self, selector: ModelSelector, rows: dict[str, _Row]) -> None:
        share = _share(selector, rows)
        scaled = {name: {path: share * number for path, number in row.items()} for name, row in rows.items()}
        selector.absorb({name: unflat(row) for name, row in scaled.items()})
        for name, row in scaled.items():
            told = self._told.setdefault(name, {})
            for path, number in row.items():
                told[path] = told.get(path, 0.0) + number


def _share(selector: ModelSelector, rows: Mapping[str, _Row]) -> float:
    """How much of so many results a policy that forgets would remember: at most the weight of an endless stream."""
    if selector.half_life is None:
        return 1.0
    rated = sum(row.get("rated", 0.0) for row in rows.values())
    return min(1.0, selector.half_life / math.log(2) / rated) if rated > 0 else 1.0


def _difference(sums: _Row, told: _Row, aged: float) -> _Row:
    """What is new; a list is told as a whole, so that nobody has to guess its length."""
    row = {path: number - aged * told.get(path, 0.0) for path, number in sums.items()}
    if all(abs(change) <= _NOISE * max(1.0, abs(sums[path])) for path, change in row.items()):
        return {}
    return {path: change for path, change in row.items() if change or path[0] == "["}


def flat(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a nested record by their paths.

    >>> dict(flat({"pulls": 2, "by_category": {"maths": [1.0, 0.5]}}))
    {'pulls': 2, '["by_category", "maths", 0]': 1.0, '["by_category", "maths", 1]': 0.5}
    """
    for name, value in record.items():
        if isinstance(value, int | float):
            yield name, value
        else:
            yield from ((_text(path), number) for path, number in _leaves((name,), value))


_Path = tuple[str | int, ...]


@lru_cache(maxsize=65_536)
def _text(path: _Path) -> str:
    return json.dumps(path)


@lru_cache(maxsize=65_536)
def _path(text: str) -> _Path:
    return tuple(json.loads(text)) if text[0] == "[" else (text,)


def _leaves(path: _Path, value: Any) -> Iterator[tuple[_Path, float]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves((*path, name), inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _leaves((*path, place), inner)
    elif isinstance(value, int | float):
        yield path, value


def unflat(row: Mapping[str, float]) -> dict[str, Any]:
    """The nested record of these paths.

    >>> unflat({"pulls": 2, '["by_category", "maths", 0]': 1.0, '["by_category", "maths", 1]': 0.5})
    {'pulls': 2, 'by_category': {'maths': [1.0, 0.5]}}
    """
    made: dict[Any, Any] = {}
    for path, number in row.items():
        *steps, last = _path(path)
        inner = made
        for step in steps:
            inner = inner.setdefault(step, {})
        inner[last] = number
    return {name: _listed(value) for name, value in made.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if all(isinstance(key, int) for key in value):
        return [_listed(value.get(place, 0.0)) for place in range(max(value) + 1)]
    return {key: _listed(inner) for key, inner in value.items()}
