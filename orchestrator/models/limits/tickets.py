"""Someone who waits for a place at any of several models."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.requirements import most_output_tokens, prompt_tokens
from orchestrator.errors import CapacityError
from orchestrator.models.limits.entrances import Entrance, Permit

__all__ = ["Ticket"]

_USUAL_OUTPUT = 500  # tokens of an answer whose length nobody bounds


class Ticket:
    """A place in the queue of every model that would do; the first one free takes it.

    Belongs to the event loop it was made in, and may be called from any thread. Its `weight` is in tokens.
    """

    __slots__ = ("_call", "loop", "model", "models", "permit", "priority", "refusal", "request", "tenant", "weight")

    def __init__(self, request: Request, priority: int, models: dict[Entrance, Model]) -> None:
        self.loop = asyncio.get_running_loop()
        self.request = request
        self.tenant = request.tenant
        self.priority = priority
        self.weight = float(prompt_tokens(request) + (most_output_tokens(request) or _USUAL_OUTPUT))
        self.models = models
        self.model: Model | None = None
        self.permit: Permit | None = None
        self.refusal: CapacityError | None = None
        self._call: asyncio.Future[None] | None = None

    @property
    def waits(self) -> bool:
        """True while it stands in any queue."""
        return any(self in entrance.room for entrance in self.models)

    def next_call(self) -> asyncio.Future[None]:
        """Done when something has happened to it."""
        self._call = self.loop.create_future()
        return self._call

    def call(self) -> None:
        """Wake who waits with it."""
        if self._call is not None:
            with suppress(RuntimeError):  # its loop has closed meanwhile
                self.loop.call_soon_threadsafe(_wake, self._call)

    def grant(self, entrance: Entrance, permit: Permit) -> None:
        """Its turn has come."""
        self.model, self.permit = self.models[entrance], permit
        self.call()

    def refuse(self, why: CapacityError) -> None:
        """It is sent away."""
        self.refusal = why
        self.call()


def _wake(call: asyncio.Future[None]) -> None:
    if not call.done():
        call.set_result(None)
