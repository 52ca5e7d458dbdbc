"""What clients wait for, by the names that OpenTelemetry's conventions have for servers."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from orchestrator.core.messages import ChatResponse, Embeddings
from orchestrator.core.passage import Operation
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.refusals import refusal_of
from orchestrator.gateway.settings import AUTO
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.telemetry import meter_of
from orchestrator.telemetry.cells import Cell
from orchestrator.telemetry.figures import Names
from orchestrator.telemetry.names import (
    ERROR_TYPE,
    PROVIDERS,
    SERVED_DURATION,
    SERVED_FIRST_TOKEN,
    SERVED_OUTPUT_TOKEN,
)

__all__ = ["Served", "Serving"]

_NOBODY = "orchestrator"  # who stands behind an answer that no provider gave


class _Cells(NamedTuple):
    """Where answers of one kind, from one model and with one end are counted."""

    duration: Cell
    first: Cell
    each: Cell


class Served:
    """The clients of one gateway, each counted when it has its answer or its refusal."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self._figures = meter_of(registry).figures
        self._names, self._kinds = Names(), Names()
        self._cells: dict[tuple[str, ...], _Cells] = {}

    def serving(self, operation: Operation) -> Serving:
        """One client, from now until the end of the `with`."""
        return Serving(self, operation)

    def count(self, one: Serving, error_type: str | None) -> None:
        """One client is served, or has been told why not."""
        cells = self._cells_of(one, error_type)
        whole_s = self.registry.clock.monotonic() - one.began_s
        cells.duration.add(whole_s)
        if one.first_s is None or error_type is not None:
            return
        cells.first.add(one.first_s)
        tokens = sum(answer.usage.completion_tokens or 0 for answer in one.answers)  # of all choices
        if tokens > 1:
            cells.each.add((whole_s - one.first_s) / (tokens - 1))

    def _cells_of(self, one: Serving, error_type: str | None) -> _Cells:
        said = self._asked_for(one.asked)
        answered = (one.answers[0].model_id or "") if one.answers else ""
        provider = self.registry[answered].provider if answered in self.registry else _NOBODY
        end = "" if error_type is None else self._kinds.bounded(error_type)
        key = one.operation, said, self._names.bounded(answered) if answered else "", provider, end
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = self._new_cells(*key)
        return found

    def _asked_for(self, asked: Asked | None) -> str:
        """The model as the client named it; a name that nobody knows is one of many."""
        if asked is None:
            return ""
        if asked.model is None:
            return AUTO
        return self._names.bounded(asked.model) if asked.model in self.registry else "other"

    def _new_cells(self, operation: str, said: str, answered: str, provider: str, end: str) -> _Cells:
        told = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDERS.get(provider, provider),
            "gen_ai.request.model": said,
            "gen_ai.response.model": answered,
        }
        labels = {name: value for name, value in told.items() if value}
        ended = {**labels, ERROR_TYPE: end} if end else labels
        cell = self._figures.cell
        return _Cells(cell(SERVED_DURATION, ended), cell(SERVED_FIRST_TOKEN, labels), cell(SERVED_OUTPUT_TOKEN, labels))


class Serving:
    """One client: what it asked and got is filled in as it comes to be known; an error that leaves is its end."""

    __slots__ = ("_served", "answers", "asked", "began_s", "error_type", "first_s", "operation")

    def __init__(self, served: Served, operation: Operation) -> None:
        self._served = served
        self.operation = operation
        self.began_s = served.registry.clock.monotonic()
        self.asked: Asked | None = None
        self.answers: Sequence[ChatResponse | Embeddings] = ()
        self.first_s: float | None = None
        self.error_type: str | None = None

    def speaks(self) -> None:
        """The first piece of a stream is there."""
        self.first_s = self._served.registry.clock.monotonic() - self.began_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.error_type = refusal_of(error).kind if isinstance(error, Exception) else "cancelled"
        self._served.count(self, self.error_type)
