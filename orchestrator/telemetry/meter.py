"""From what happens to figures: one attempt, one request, one change of health at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.passage import PASSAGE, Operation, Passage
from orchestrator.telemetry import facts
from orchestrator.telemetry.cells import Cell, Lane, Row
from orchestrator.telemetry.figures import Figures, Names
from orchestrator.telemetry.names import (
    CALL_DURATION,
    CALL_FIRST_CHUNK,
    CALL_OUTPUT_CHUNK,
    CALL_TOKENS,
    COST,
    DECISIONS,
    ERROR_TYPE,
    FAILOVERS,
    HEALTH_CHANGES,
    HITS,
    MODEL,
    OVERHEAD,
    REQUEST_DURATION,
)

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["Meter"]


K = TypeVar("K")
L = TypeVar("L")
V = TypeVar("V")


class _CallCells(NamedTuple):
    """Where one model's calls of one kind and one end are counted."""

    duration: Cell
    first: Cell
    gap: Cell
    tokens_in: Cell
    tokens_out: Cell
    cost: Cell


class _RequestCells(NamedTuple):
    """Where requests of one kind and one end are counted."""

    duration: Cell
    overhead: Cell


class Meter:
    """Counts what one registry does; found cells are kept, so that a call costs a few additions.

    Most requests go one way: one model is asked, and answers. Such a request is one row in a lane.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self.figures = Figures()
        self.registry = registry
        self._models, self._kinds = Names(), Names()
        self._calls: dict[tuple[Model, str, str | None], _CallCells] = {}
        self._requests: dict[tuple[str, str | None], _RequestCells] = {}
        self._lanes: dict[tuple[Model, str, bool], Lane] = {}
        self._chosen: dict[str, Cell] = {}
        self._single: dict[tuple[str, ...], Cell] = {}

    def start(self) -> None:
        """Watch from now on."""
        self.registry.subscribe(self.settled)
        self.registry.observe(self)
        self.registry.health.subscribe(self.changed)

    def stop(self) -> None:
        """Watch no more; the figures stay as they are."""
        self.registry.unsubscribe(self.settled)
        self.registry.unsubscribe(self)
        self.registry.health.unsubscribe(self.changed)

    # what happens

    def began(self, passage: Passage) -> None:
        """A request has come in: counted when it ends, with its attempts."""

    def settled(self, model: Model, outcome: Outcome) -> None:
        """An attempt has ended: of a stream it is counted now, and so is what no request under way has asked for."""
        passage = PASSAGE.get()
        if passage is None or passage.streamed or passage.duration_s is not None:
            self._count_call(model, outcome, passage)

    def ended(self, passage: Passage) -> None:
        """A request is answered, or has failed."""
        attempts = passage.attempts
        if len(attempts) == 1:
            model, outcome, _ = attempts[0]
            if (lane := self._lane_of(passage, model, outcome)) is not None:
                usage, whole_s = outcome.usage, passage.duration_s
                asked, written = usage.prompt_tokens, usage.completion_tokens
                lane.add((outcome.latency_s, asked, written, outcome.cost_usd, whole_s))
                return
        if not passage.streamed:
            for model, outcome, _ in attempts:
                self._count_call(model, outcome, passage)
        elif attempts:  # what the reader had after the last call was over, because somebody reads ahead of it
            model, outcome, _ = attempts[-1]
            self._pace(passage, self._cells_for(model, outcome, passage.operation).gap)
        self._count_request(passage)

    def changed(self, model_id: str, old: str, new: str) -> None:  # noqa: ARG002 - a listener's signature
        """A model's health has changed."""
        self._one("health", self._models.bounded(model_id), new).add()

    def _count_call(self, model: Model, outcome: Outcome, passage: Passage | None) -> None:
        cells = self._cells_for(model, outcome, "chat" if passage is None else passage.operation)
        cells.duration.add(outcome.latency_s)
        usage = outcome.usage
        if (asked := usage.prompt_tokens) is not None:
            cells.tokens_in.add(asked)
        if (written := usage.completion_tokens) is not None:
            cells.tokens_out.add(written)
        if outcome.cost_usd is not None:
            cells.cost.add(outcome.cost_usd)
        if outcome.ttft_s is not None:
            cells.first.add(outcome.ttft_s)
            if passage is not None:
                self._pace(passage, cells.gap)

    def _count_request(self, passage: Passage) -> None:
        end = facts.error_type_of(passage.error)
        cells = self._requests.get((passage.operation, end)) or self._request_cells(passage.operation, end)
        cells.duration.add(passage.duration_s or 0.0)
        if (overhead_s := passage.overhead_s) is not None:
            cells.overhead.add(overhead_s)
        for model_id in passage.chosen:
            (self._chosen.get(model_id) or self._decided(model_id)).add()
        level = getattr(passage.response, "cached", None)
        if level is not None:
            self._one("hit", level).add()
        if len(passage.attempts) > 1:
            self._count_failovers(passage)

    def _count_failovers(self, passage: Passage) -> None:
        for before, after in zip(passage.attempts, passage.attempts[1:], strict=False):
            error = before.outcome.error
            if error is not None and error.error_type != "cancelled" and before.model is not after.model:
                self._one("failover", self._models.bounded(before.model.id), error.error_type).add()

    @staticmethod
    def _pace(passage: Passage, cell: Cell) -> None:
        """Count the gaps between the pieces so far; of a stream that is gone on with, each once."""
        gaps, passage.gaps_s = passage.gaps_s, []
        for gap_s in gaps:
            cell.add(gap_s)

    # where it is counted

    def _cells_for(self, model: Model, outcome: Outcome, operation: Operation) -> _CallCells:
        end = None if outcome.error is None else outcome.error.error_type
        return self._calls.get((model, operation, end)) or self._cells_of(model, operation, end)

    def _cells_of(self, model: Model, operation: Operation, end: str | None) -> _CallCells:
        name, figures = self._models.bounded(model.id), self.figures
        known = name == model.id
        labels = {MODEL: name, **facts.of_model(model, operation)} if known else _nobody(operation)
        ended = labels if end is None else {**labels, ERROR_TYPE: end}
        cells = _CallCells(
            figures.cell(CALL_DURATION, ended),
            figures.cell(CALL_FIRST_CHUNK, ended),
            figures.cell(CALL_OUTPUT_CHUNK, labels),
            figures.cell(CALL_TOKENS, {**labels, "gen_ai.token.type": "input"}),
            figures.cell(CALL_TOKENS, {**labels, "gen_ai.token.type": "output"}),
            figures.cell(COST, {MODEL: name, "gen_ai.provider.name": labels["gen_ai.provider.name"]}),
        )
        if known:  # those of everybody else are found anew each time: what is kept must not grow without end
            self._calls = {**_without_former(self._calls, model), (model, operation, end): cells}
        return cells

    def _request_cells(self, operation: Operation, end: str | None) -> _RequestCells:
        labels = {"orchestrator.operation": operation}
        told = None if end is None else self._kinds.bounded(end)
        ended = labels if told is None else {**labels, ERROR_TYPE: told}
        cells = _RequestCells(self.figures.cell(REQUEST_DURATION, ended), self.figures.cell(OVERHEAD, labels))
        if told == end:
            self._requests[operation, end] = cells
        return cells

    def _lane_of(self, passage: Passage, model: Model, outcome: Outcome) -> Lane | None:
        """Where a request is counted whole whose one model, named or chosen, has answered; None for all others."""
        chosen, level = passage.chosen, getattr(passage.response, "cached", None)
        failed = outcome.error is not None or passage.error is not None
        if failed or passage.streamed or level is not None or (chosen and chosen != [model.id]):
            return None
        key = (model, passage.operation, not chosen)
        return self._lanes.get(key) or self._new_lane(model, passage.operation, key)

    def _new_lane(self, model: Model, operation: Operation, key: tuple[Model, str, bool]) -> Lane | None:
        if self._models.bounded(model.id) != model.id:
            return None
        call, request = self._cells_of(model, operation, None), self._request_cells(operation, None)
        cells = [call.duration, call.tokens_in, call.tokens_out, call.cost, request.duration, request.overhead]
        chosen = [] if key[2] else [self._decided(model.id)]
        lane = self.figures.lane([*cells, *chosen], _columns)
        self._lanes = {**_without_former(self._lanes, model), key: lane}
        return lane

    def _decided(self, model_id: str) -> Cell:
        selector = type(self.registry.selector).__name__
        name = self._models.bounded(model_id)
        cell = self._one("decision", name, selector)
        if name == model_id:
            self._chosen[model_id] = cell
        return cell

    def _one(self, *key: str) -> Cell:
        found = self._single.get(key)
        if found is None:
            metric, names = _SINGLE[key[0]]
            found = self._single[key] = self.figures.cell(metric, dict(zip(names, key[1:], strict=True)))
        return found


_SINGLE = {
    "decision": (DECISIONS, (MODEL, "orchestrator.selector")),
    "failover": (FAILOVERS, (MODEL, ERROR_TYPE)),
    "health": (HEALTH_CHANGES, (MODEL, "orchestrator.status")),
    "hit": (HITS, ("orchestrator.cache.level",)),
}


def _without_former(kept: Mapping[tuple[Model, K, L], V], model: Model) -> dict[tuple[Model, K, L], V]:
    """What is kept, but for a model that had this one's id before: its labels were others."""
    return {key: value for key, value in kept.items() if key[0] is model or key[0].id != model.id}


def _columns(rows: Sequence[Row]) -> Iterable[Sequence[float | None]]:
    """Of requests that one model answered at once: its time, tokens in and out, cost, the whole time, ours, and one."""
    calls_s, asked, written, costs_usd, wholes_s = zip(*rows, strict=True)
    ours_s = [whole_s - call_s if whole_s > call_s else 0.0 for whole_s, call_s in zip(wholes_s, calls_s, strict=True)]
    return calls_s, asked, written, costs_usd, wholes_s, ours_s, [1.0] * len(rows)


def _nobody(operation: Operation) -> dict[str, str]:
    """The labels of all models beyond those that are told apart."""
    return {
        MODEL: "other",
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "other",
        "gen_ai.request.model": "other",
    }
