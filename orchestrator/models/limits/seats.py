"""The places that one request holds: taken when a model is chosen, handed over when its call begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.errors import CapacityError
from orchestrator.models.limits.entrances import FREE, Permit

if TYPE_CHECKING:
    from orchestrator.models.admission import Admission

__all__ = ["Seats"]


class Seats:
    """A request at the door of admission; what it holds and never uses goes back when it leaves (`with`).

    With `waits`, it queues where every fitting model is at its limits, else it is told when to come again.
    """

    __slots__ = ("_admission", "_held", "_priority", "_request", "_waits")

    def __init__(self, admission: Admission, request: Request, *, waits: bool | None, priority: int) -> None:
        self._admission = admission
        self._request = request
        self._waits = admission.wait_for_capacity if waits is None else waits
        self._priority = priority
        self._held: dict[str, Permit] = {}

    def take(self, model: Model, *, pressing: bool = False) -> bool:
        """True when the model has room for this request, which is then kept for it."""
        permit = self._admission.admit(model, self._request, pressing=pressing)
        if permit is None:
            return False
        if permit is not FREE:
            self._held[model.id] = permit
        return True

    async def wait(
        self, full: Sequence[Model], *, ends_at: float, cause: Exception | None, in_turn: bool = False
    ) -> Model:
        """The first of these models that has room, now or within the time; CapacityError says when to come again.

        Only the user's own limits turn away who does not wait; where there is but a queue, it is one more in it.
        """
        pressing = not (self._waits or in_turn)
        for model in full:
            if self.take(model, pressing=pressing):
                return model
        if pressing and not self._admission.queues_alone_hold(full, self._request):
            raise self._no_room(full) from cause
        model, permit = await self._admission.wait(full, self._request, priority=self._priority, ends_at=ends_at)
        self._held[model.id] = permit
        return model

    def _no_room(self, full: Sequence[Model]) -> CapacityError:
        soonest_s = min(self._admission.retry_after_s(model, self._request) for model in full)
        who = f"{full[0].id!r} is at its" if len(full) == 1 else f"all {len(full)} fitting models are at their"
        return CapacityError(f"{who} limits; retry in {soonest_s:.1f} s", retry_after_s=soonest_s)

    def begun(self, model: Model) -> Permit:
        """The call begins; who settles it gives the permit back."""
        return self._held.pop(model.id, FREE) if self._held else FREE

    def give_back(self, model: Model) -> None:
        """This model is not going to be called."""
        self._admission.cancel(self.begun(model))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        while self._held:
            self._admission.cancel(self._held.popitem()[1])
