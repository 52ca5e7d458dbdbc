"""The order before the doors: who waits where, who moves up, and who looks at the clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from orchestrator.errors import CapacityError
from orchestrator.models.limits.entrances import Entrance, Permit
from orchestrator.models.limits.tickets import Ticket

__all__ = ["Queues"]


class Queues:
    """The queues of all entrances; whoever calls holds the lock of admission, and says what time it is.

    Places that come free move the queues up at once. Where only time opens a door, the first in the queue wakes up for
    it; nobody else needs an alarm, and none rings for a place that is not there.
    """

    __slots__ = ("busy",)

    def __init__(self) -> None:
        self.busy: dict[Entrance, None] = {}  # those where someone waits, the one served last at the end

    def join(self, ticket: Ticket, now: float) -> None:
        """Into the queue of every model that would do, and through at once where there is a place."""
        for entrance in ticket.models:
            outcast = entrance.room.join(ticket)
            if outcast is not ticket:
                self.busy[entrance] = None
            if outcast is not None and outcast is not ticket:
                _send_away(outcast, entrance, "the queue is full of requests that go first", now)
        if not ticket.waits:
            raise _no_place(ticket, "the queue is full", now)
        self.advance(ticket.models, now)

    def leave(self, ticket: Ticket, now: float) -> None:
        """Out of every queue it still stands in; whoever is first there now looks at the clock."""
        left = [entrance for entrance in ticket.models if ticket in entrance.room]
        for entrance in left:
            entrance.room.leave(ticket)
        self.advance(left, now)

    def alarm_s(self, ticket: Ticket, ends_at: float, now: float) -> float:
        """Seconds until it is worth trying again without being called; CapacityError when no time is left for it."""
        if now >= ends_at:
            raise _no_place(ticket, "none came free within the deadline", now)
        if all(entrance.opens_at >= ends_at for entrance in ticket.models):  # such moments never move closer
            raise _no_place(ticket, "none wants to be asked within the deadline", now)
        first_at = (entrance for entrance in ticket.models if entrance.room.first() is ticket and not entrance.full)
        opens_s = min((entrance.flow_s(ticket.request, now) for entrance in first_at), default=math.inf)
        return min(opens_s, ends_at - now)

    def freed(self, entrance: Entrance, now: float) -> None:
        """A place was given back here: it may serve this queue, or that of another model of the account."""
        account = entrance.account
        shared = [one for one in self.busy if account is not None and one.account is account]
        self.advance(shared or (entrance,), now)

    def close(self, entrance: Entrance, why: str) -> None:
        """Send away who waits here alone."""
        self.busy.pop(entrance, None)
        while (ticket := entrance.room.first()) is not None:
            _send_away(ticket, entrance, why, None)

    def advance(self, entrances: Iterable[Entrance], now: float, *, awake: Ticket | None = None) -> None:
        """Let in all whose turn it is, one queue after the other, and wake the first who cannot go yet."""
        queues = deque(entrances)
        while queues:
            entrance = queues.popleft()
            ticket: Ticket | None = entrance.room.first()
            if ticket is None:
                self.busy.pop(entrance, None)
            elif ticket.loop.is_closed():  # nobody is there any more
                entrance.room.leave(ticket)
                queues.append(entrance)
            elif (permit := entrance.enter(ticket.request, now)) is not None:
                queues += self._let_in(ticket, entrance, permit)
            elif ticket is not awake and not entrance.full:
                ticket.call()  # time will open the door: it has to set its alarm

    def _let_in(self, ticket: Ticket, entrance: Entrance, permit: Permit) -> list[Entrance]:
        """One goes; returns the queues that have moved up."""
        entrance.room.serve(ticket)
        self.busy.pop(entrance, None)
        self.busy[entrance] = None
        others = [other for other in ticket.models if other is not entrance and ticket in other.room]
        for other in others:
            other.room.leave(ticket)
        ticket.grant(entrance, permit)
        return [*others, entrance]


def _send_away(ticket: Ticket, entrance: Entrance, why: str, now: float | None) -> None:
    """Out of this queue; told so where it waits in no other."""
    entrance.room.leave(ticket)
    if not ticket.waits:
        ticket.refuse(_no_place(ticket, why, now))


def _no_place(ticket: Ticket, why: str, now: float | None) -> CapacityError:
    names = ", ".join(repr(entrance.model_id) for entrance in ticket.models)
    if now is None:
        return CapacityError(f"no place at {names}: {why}")
    wait_s = min(entrance.told_s(ticket.request, now) for entrance in ticket.models)
    return CapacityError(f"no place at {names}: {why}; retry in {wait_s:.1f} s", retry_after_s=wait_s)
