"""Who goes next: a bounded queue with priorities, fair between tenants, first come first served within one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar

__all__ = ["PRIORITIES", "Waiter", "WaitingRoom", "priority_named", "priority_of"]

PRIORITIES: Mapping[str, int] = {"low": -1, "normal": 0, "high": 1}
_NAMES = {number: name for name, number in PRIORITIES.items()}
_FURTHEST = 9  # numbers from -9 to 9


def priority_of(value: object) -> int:
    """The number of a priority, from its name or as it is, also in a text: the higher goes first.

    >>> priority_of("high"), priority_of(None), priority_of(-3), priority_of("2")
    (1, 0, -3, 2)
    >>> priority_of("urgent")
    Traceback (most recent call last):
    ValueError: priority='urgent': give 'low', 'normal', 'high' or a whole number from -9 to 9
    """
    if value is None:
        return 0
    number = value
    if isinstance(value, str):
        number = PRIORITIES[value] if value in PRIORITIES else _number_in(value)
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) > _FURTHEST:
        raise ValueError(f"priority={value!r}: give 'low', 'normal', 'high' or a whole number from -9 to 9")
    return number


def _number_in(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def priority_named(number: int) -> str:
    """The name of a priority, if it has one."""
    return _NAMES.get(number, str(number))


class Waiter(Protocol):
    """Who waits: for whom, how urgently, and how much of the way it will take (its `weight`, in any one unit)."""

    @property
    def tenant(self) -> str | None:
        """Who shares with others."""

    @property
    def priority(self) -> int:
        """The higher goes first."""

    @property
    def weight(self) -> float:
        """Its share of the way once it goes; above 0."""


W = TypeVar("W", bound=Waiter)


class _Queue(Generic[W]):
    """One tenant's waiters in the order they came, and the turn it has next."""

    __slots__ = ("serial", "start", "waiters")

    def __init__(self) -> None:
        self.start = 0.0
        self.serial = -1
        self.waiters: OrderedDict[W, None] = OrderedDict()


class _Line(Generic[W]):
    """All waiters of one priority, one queue a tenant.

    Fair queueing (Demers, Keshav, Shenker: SIGCOMM 1989): a tenant's next turn comes later by the weight of its last
    one. Time here goes by what was served, shared among those who wait; who was away joins at the present.
    """

    __slots__ = ("_now", "_serial", "_turns", "_until", "queues", "size")

    def __init__(self) -> None:
        self.size = 0
        self.queues: dict[str | None, _Queue[W]] = {}
        self._turns: list[tuple[float, int, str | None]] = []  # a heap; turns that are void are passed over
        self._until: dict[str | None, float] = {}  # where the last turn ends, of tenants who just left
        self._now = 0.0
        self._serial = count()

    def add(self, waiter: W) -> None:
        queue = self.queues.get(waiter.tenant)
        if queue is None:
            queue = self.queues[waiter.tenant] = _Queue()
            self._give_turn(waiter.tenant, max(self._now, self._until.pop(waiter.tenant, 0.0)))
        queue.waiters[waiter] = None
        self.size += 1

    def _give_turn(self, tenant: str | None, start: float) -> None:
        queue = self.queues[tenant]
        queue.start, queue.serial = start, next(self._serial)
        heappush(self._turns, (start, queue.serial, tenant))

    def first(self) -> W:
        while not self._holds(self._turns[0]):
            heappop(self._turns)
        return next(iter(self.queues[self._turns[0][2]].waiters))

    def _holds(self, turn: tuple[float, int, str | None]) -> bool:
        queue = self.queues.get(turn[2])
        return queue is not None and queue.serial == turn[1]

    def remove(self, waiter: W) -> None:
        queue = self.queues[waiter.tenant]
        del queue.waiters[waiter]
        self.size -= 1
        if not queue.waiters:
            self._dismiss(waiter.tenant, queue.start)

    def serve(self, waiter: W) -> None:
        tenant, queue = waiter.tenant, self.queues[waiter.tenant]
        self._now = max(self._now, queue.start) + waiter.weight / len(self.queues)
        del queue.waiters[waiter]
        self.size -= 1
        if queue.waiters:
            self._give_turn(tenant, queue.start + waiter.weight)
        else:
            self._dismiss(tenant, queue.start + waiter.weight)

    def _dismiss(self, tenant: str | None, until: float) -> None:
        """A tenant without waiters; its last turn is remembered until it is over, so that coming back gains nothing."""
        del self.queues[tenant]
        self._until[tenant] = until
        most = 2 * len(self.queues) + 16
        if len(self._until) > most:
            self._until = {one: end for one, end in self._until.items() if end > self._now}
        if len(self._turns) > most:
            self._turns = [turn for turn in self._turns if self._holds(turn)]
            heapify(self._turns)


class WaitingRoom(Generic[W]):
    """A queue of at most `most` waiters; where it is full, the least entitled has to go.

    >>> from collections import namedtuple
    >>> Someone = namedtuple("Someone", "name tenant priority weight")
    >>> room = WaitingRoom(most=2)
    >>> crowd = [Someone(name, "a", 0, 1) for name in ("a1", "a2", "a3")]
    >>> [waiter and waiter.name for waiter in map(room.join, crowd)]
    [None, None, 'a3']
    >>> room.join(Someone("b1", "b", 1, 1)).name, room.first().name
    ('a2', 'b1')
    """

    __slots__ = ("_lines", "_size", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._size = 0
        self._lines: dict[int, _Line[W]] = {}

    def __len__(self) -> int:
        return self._size

    def __contains__(self, waiter: W) -> bool:
        line = self._lines.get(waiter.priority)
        queue = None if line is None else line.queues.get(waiter.tenant)
        return queue is not None and waiter in queue.waiters

    @property
    def lengths(self) -> dict[int, int]:
        """How many wait, by priority, the highest first."""
        return {priority: self._lines[priority].size for priority in sorted(self._lines, reverse=True)}

    def join(self, waiter: W) -> W | None:
        """Let someone in; returns who has to go for it: nobody, another, or the newcomer itself."""
        outcast = self._outcast(waiter) if self._size >= self.most else None
        if outcast is waiter:
            return waiter
        if outcast is not None:
            self.leave(outcast)
        line = self._lines.get(waiter.priority)
        if line is None:
            line = self._lines[waiter.priority] = _Line()
        line.add(waiter)
        self._size += 1
        return outcast

    def _outcast(self, newcomer: W) -> W:
        """The last to come of the tenant who fills the lowest line most, if that makes room for the more entitled."""
        lowest = min(self._lines, default=newcomer.priority)
        if not self._lines or lowest > newcomer.priority:
            return newcomer
        queues = self._lines[lowest].queues
        crowd = max((queue.waiters for queue in queues.values()), key=len)
        own = queues.get(newcomer.tenant)
        if lowest == newcomer.priority and len(crowd) < (0 if own is None else len(own.waiters)) + 2:
            return newcomer
        return next(reversed(crowd))

    def first(self) -> W | None:
        """Who goes next; stays where it is."""
        return self._lines[max(self._lines)].first() if self._lines else None

    def serve(self, waiter: W) -> None:
        """It goes now, at its tenant's expense."""
        self._lines[waiter.priority].serve(waiter)
        self._one_less(waiter.priority)

    def leave(self, waiter: W) -> None:
        """It waits no longer, at nobody's expense; nothing happens where it does not wait."""
        if waiter in self:
            self._lines[waiter.priority].remove(waiter)
            self._one_less(waiter.priority)

    def _one_less(self, priority: int) -> None:
        self._size -= 1
        if not self._lines[priority].size:
            del self._lines[priority]
