"""What passed in the last minutes and hours, model by model, in bounded memory."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.errors import Blame

__all__ = ["COLUMNS", "OTHERS", "SPANS", "History", "Point", "Span"]

OTHERS = "(others)"  # whoever comes after the first `most_models`: names from discovery know no bound
_MOST_MODELS = 200
_ACCURACY = 1.1  # a bucket of latencies is so much wider than the one before: quantiles within 5 %
_PER_LOG = 1 / math.log(_ACCURACY)
_SHORTEST_S = 1e-6


class Span(NamedTuple):
    """How long a point is, and how many are kept."""

    step_s: float
    points: int


SPANS = {"minutes": Span(5.0, 180), "hours": Span(300.0, 96)}


class Point(NamedTuple):
    """One model in one step: attempts, those that failed, USD as far as prices are known, seconds, quality believed."""

    calls: int
    errors: int
    cost_usd: float
    p50_s: float | None
    p95_s: float | None
    belief: float | None


COLUMNS = Point._fields
_UNKNOWN = (None,) * len(COLUMNS)


class _Cell:
    """A step that is not over yet."""

    __slots__ = ("calls", "cost_usd", "errors", "latencies")

    def __init__(self) -> None:
        self.calls = self.errors = 0
        self.cost_usd = 0.0
        self.latencies: dict[int, int] = {}

    def add(self, other: _Cell) -> None:
        """Take in a shorter step."""
        self.calls += other.calls
        self.errors += other.errors
        self.cost_usd += other.cost_usd
        for bucket, count in other.latencies.items():
            self.latencies[bucket] = self.latencies.get(bucket, 0) + count

    def closed(self, belief: float | None) -> Point:
        """The step as it will be remembered."""
        p50_s, p95_s = _quantile(self.latencies, 0.50), _quantile(self.latencies, 0.95)
        return Point(self.calls, self.errors, rounded(self.cost_usd) or 0.0, rounded(p50_s), rounded(p95_s), belief)


class History:
    """A ring of points for each span, fed by `registry.subscribe`.

    An outcome costs a look-up and five additions; steps end when `turn` is called, every five seconds.

    >>> from orchestrator.core.outcome import Outcome
    >>> history, model = History(), Model(id="m", provider="custom")
    >>> for latency_s in (0.1, 0.2, 0.3):
    ...     history.note(model, Outcome(model_id="m", latency_s=latency_s, cost_usd=0.01))
    >>> history.turn(at_s=5.0, beliefs={"m": 0.9})
    >>> point = history.last()["m"]
    >>> point.calls, round(point.cost_usd, 2), round(point.p50_s, 1), point.belief
    (3, 0.03, 0.2, 0.9)
    """

    def __init__(self, *, most_models: int = _MOST_MODELS, began_s: float = 0.0) -> None:
        self.totals: dict[str, _Cell] = {}
        self.turned_at_s = began_s
        self._most_models = most_models
        self._live: dict[str, _Cell] = {}
        self._longer: dict[str, _Cell] = {}
        self._rings: dict[str, deque[dict[str, Point]]] = {
            name: deque(maxlen=span.points) for name, span in SPANS.items()
        }
        self._turns = int(began_s // SPANS["minutes"].step_s)  # long steps then end at the same time everywhere
        self._lock = threading.Lock()

    def note(self, model: Model, outcome: Outcome) -> None:  # noqa: ARG002 - a subscriber's signature
        """Count one attempt; calls that were called off and the caller's own mistakes are no errors."""
        error, latency_s = outcome.error, outcome.latency_s
        with self._lock:
            cell = self._live.get(outcome.model_id) or self._cell(outcome.model_id)
            cell.calls += 1
            if outcome.cost_usd is not None:
                cell.cost_usd += outcome.cost_usd
            if error is None:
                bucket = math.ceil(math.log(latency_s) * _PER_LOG) if latency_s > _SHORTEST_S else -145
                cell.latencies[bucket] = cell.latencies.get(bucket, 0) + 1
            elif error.blame is not Blame.CALLER:
                cell.errors += 1

    def turn(self, *, at_s: float, beliefs: Mapping[str, float | None]) -> None:
        """End the step that is running, `at_s` on the calendar; `beliefs` are remembered with it."""
        with self._lock:
            live, self._live = self._live, {}
        _pour(live, self.totals)
        _pour(live, self._longer)
        self._rings["minutes"].append(_closed(live, beliefs))
        self.turned_at_s = at_s
        self._turns += 1
        if self._turns % round(SPANS["hours"].step_s / SPANS["minutes"].step_s) == 0:
            longer, self._longer = self._longer, {}
            self._rings["hours"].append(_closed(longer, beliefs))

    def last(self) -> dict[str, Point]:
        """The step that ended last."""
        ring = self._rings["minutes"]
        return ring[-1] if ring else {}

    def so_far(self, model_id: str) -> tuple[int, int, float]:
        """Attempts, errors and USD since the start."""
        total, live = self.totals.get(model_id), self._live.get(model_id)
        parts = [cell for cell in (total, live) if cell is not None]
        return sum(c.calls for c in parts), sum(c.errors for c in parts), sum(c.cost_usd for c in parts)

    def series(self, span: str) -> dict[str, Any]:
        """One list a column and model, oldest first; None where a model had nothing to tell."""
        ring = list(self._rings[span])
        names = dict.fromkeys(name for step in ring for name in step)
        models = {name: _columns([step.get(name) for step in ring]) for name in names}
        return {"step_s": SPANS[span].step_s, "points": SPANS[span].points, "at": self.turned_at_s, "models": models}

    def forget(self, known: Mapping[str, object]) -> None:
        """Drop the totals of models that have left; their past in the rings runs out by itself."""
        for name in [name for name in self.totals if name not in known and name != OTHERS]:
            del self.totals[name]

    def _cell(self, model_id: str) -> _Cell:
        """The running step of a model, under the lock."""
        if model_id not in self.totals and len(self.totals) + len(self._live) >= self._most_models:
            model_id = OTHERS
        return self._live.setdefault(model_id, _Cell())


def _pour(live: Mapping[str, _Cell], into: dict[str, _Cell]) -> None:
    for name, cell in live.items():
        into.setdefault(name, _Cell()).add(cell)


def _closed(cells: Mapping[str, _Cell], beliefs: Mapping[str, float | None]) -> dict[str, Point]:
    idle = Point(0, 0, 0.0, None, None, None)
    points = {name: idle._replace(belief=belief) for name, belief in beliefs.items() if belief is not None}
    return points | {name: cell.closed(beliefs.get(name)) for name, cell in cells.items()}


def _columns(points: list[Point | None]) -> dict[str, list[Any]]:
    rows = [_UNKNOWN if point is None else point for point in points]
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


def rounded(number: float | None) -> float | None:
    """Four digits: more of them would only make every frame longer."""
    if number is None or isinstance(number, int):
        return number
    return float(f"{number:.4g}")


def _quantile(buckets: Mapping[int, int], share: float) -> float | None:
    if not buckets:
        return None
    rank, seen = share * (sum(buckets.values()) - 1), 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen > rank:
            break
    return float(2 * _ACCURACY**bucket / (_ACCURACY + 1))
