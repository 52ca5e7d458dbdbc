"""Calls that have begun: counted when a model is chosen, settled once, and forgotten if they never come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestrator.core.clock import Clock
from orchestrator.core.model import Model
from orchestrator.selectors.selector import ModelSelector

if TYPE_CHECKING:
    from orchestrator.models.roster.selection import Selection

__all__ = ["Pulls"]

_EXPIRES_S = 60.0  # a model chosen and not called within a minute is not going to be


class _Reservation:
    __slots__ = ("expires_at", "model_id", "open", "selection")

    def __init__(self, model_id: str, expires_at: float, selection: Selection | None) -> None:
        self.model_id = model_id
        self.expires_at = expires_at
        self.selection = selection
        self.open = True


class Pulls:
    """Tells the selector which arms are in flight, so that concurrent choices spread.

    A choice handed out by `select_model` counts at once, and the next call of that model takes its place.
    """

    def __init__(self, selector: ModelSelector, clock: Clock) -> None:
        self._selector = selector
        self._clock = clock
        self._by_model: dict[str, deque[_Reservation]] = {}
        self._by_age: deque[_Reservation] = deque()

    def reserve(self, model: Model, selection: Selection | None = None) -> None:
        """This model was handed to a caller, who will call it soon."""
        self._drop_expired()
        reservation = _Reservation(model.id, self._clock.monotonic() + _EXPIRES_S, selection)
        self._by_model.setdefault(model.id, deque()).append(reservation)
        self._by_age.append(reservation)
        self._selector.begin(model.id)

    def begin(self, model: Model) -> Selection | None:
        """A call leaves; the choice that it was reserved for, if that is known."""
        if self._by_age:
            self._drop_expired()
        model.metrics.in_flight += 1
        waiting = self._by_model.get(model.id)
        if not waiting:
            self._selector.begin(model.id)
            return None
        reservation = waiting.popleft()
        reservation.open = False
        return reservation.selection

    def _drop_expired(self) -> None:
        now = self._clock.monotonic()
        while self._by_age and (not self._by_age[0].open or self._by_age[0].expires_at <= now):
            oldest = self._by_age.popleft()
            if oldest.open:
                self._by_model[oldest.model_id].popleft()
                self._selector.release(oldest.model_id)
