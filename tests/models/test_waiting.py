"""The waiting room: priorities first, tenants alike, first come first served, and never more than it holds."""

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.models.limits.waiting import WaitingRoom, priority_named, priority_of


class Someone(NamedTuple):
    """A waiter."""

    number: int
    tenant: str | None
    priority: int
    weight: float = 1


def served(room, count):
    """The next so many, in their order."""
    for _ in range(count):
        someone = room.first()
        room.serve(someone)
        yield someone


def test_priorities_go_first():
    """High before normal before low, and in the order of arrival within each."""
    room = WaitingRoom(most=10)
    for number, priority in enumerate([-1, 0, 1, 0, 1]):
        room.join(Someone(number, None, priority))
    assert [one.number for one in served(room, 5)] == [2, 4, 1, 3, 0]
    assert not room
    assert room.first() is None


@pytest.mark.parametrize(("value", "number"), [("high", 1), ("normal", 0), ("low", -1), (None, 0), (7, 7)])
def test_a_priority_has_a_name_or_a_number(value, number):
    """Both ways say the same."""
    assert priority_of(value) == number
    assert priority_of(priority_named(number) if abs(number) < 2 else number) == number


@pytest.mark.parametrize("value", ["urgent", 10, -10, 1.5, True, [1]])
def test_what_is_no_priority_is_refused(value):
    """With the accepted values in the message."""
    with pytest.raises(ValueError, match=r"give 'low', 'normal', 'high' or a whole number from -9 to 9"):
        priority_of(value)


def test_a_flood_does_not_starve_a_late_tenant():
    """After a thousand of one tenant, another's five are served every second turn."""
    room = WaitingRoom(most=2_000)
    for number in range(1_000):
        room.join(Someone(number, "flood", 0))
    list(served(room, 100))
    for number in range(5):
        room.join(Someone(number, "late", 0))
    assert Counter(one.tenant for one in served(room, 11))["late"] == 5


def test_coming_back_again_and_again_gains_nothing():
    """A tenant that always has just one waiting gets its half, and no more."""
    room = WaitingRoom(most=2_000)
    for number in range(1_000):
        room.join(Someone(number, "many", 0))
    turns = Counter()
    for number in range(400):
        if number == 0 or last.tenant == "one":  # noqa: F821 - set at the end of each round
            room.join(Someone(10_000 + number, "one", 0))
        last = next(served(room, 1))
        turns[last.tenant] += 1
    assert turns == {"many": pytest.approx(200, abs=1), "one": pytest.approx(200, abs=1)}


def test_ever_new_tenants_do_not_starve_an_old_one():
    """While a new tenant comes for every one that goes, whoever has been there goes on being served."""
    room = WaitingRoom(most=100)
    for number in range(20):
        room.join(Someone(number, "old", 0))
    turns = Counter()
    for number in range(200):
        room.join(Someone(number, f"new {number}", 0))
        turns[next(served(room, 1)).tenant] += 1
    assert turns["old"] >= 10


def test_shares_are_by_weight():
    """Who asks for three times as much has a third of the turns."""
    room = WaitingRoom(most=1_000)
    for number in range(400):
        room.join(Someone(number, "heavy", 0, 300))
        room.join(Someone(number, "light", 0, 100))
    turns = Counter(one.tenant for one in served(room, 400))
    assert turns["light"] == pytest.approx(300, abs=2)


def test_a_full_room_makes_place_for_the_more_entitled():
    """The last of the tenant who fills it most goes, and nobody for one of that tenant's own."""
    room = WaitingRoom(most=3)
    crowd = [Someone(number, "flood", 0) for number in range(4)]
    assert [room.join(one) for one in crowd] == [None, None, None, crowd[3]]
    assert room.join(Someone(9, "other", 0)) is crowd[2]
    assert room.join(Someone(10, "third", 0)) is crowd[1]
    late = Someone(11, "other", 0)
    assert room.join(late) is late
    assert room.join(Someone(12, "flood", 1)).priority == 0
    low = Someone(13, "new", -1)
    assert room.join(low) is low


def test_what_is_remembered_of_those_who_left_is_bounded():
    """A hundred thousand tenants, one request each, leave no pile of notes behind."""
    room = WaitingRoom(most=10)
    room.join(Someone(-1, "stays", 0, 1e9))
    room.join(Someone(-2, "stays", 0, 1e9))
    for number in range(5_000):
        room.join(Someone(number, f"tenant {number}", 0))
        if number:
            room.serve(room.first())
    line = room._lines[0]
    assert len(line._until) < 100
    assert len(line._turns) < 100


class RoomTwin:
    """The same rules, worked out anew each time from a plain list."""

    def __init__(self, most):
        self.most, self.waiting = most, []
        self.now, self.turn, self.serial = Counter(), {}, 0

    def queue(self, priority, tenant):
        return [one for one in self.waiting if (one.priority, one.tenant) == (priority, tenant)]

    def tenants(self, priority):
        return list(dict.fromkeys(one.tenant for one in self.waiting if one.priority == priority))

    def give_turn(self, line, start):
        self.turn[line] = (start, self.serial)
        self.serial += 1

    def join(self, one):
        gone = None
        if len(self.waiting) == self.most:
            lowest = min(other.priority for other in self.waiting)
            sizes = {tenant: len(self.queue(lowest, tenant)) for tenant in self.tenants(lowest)}
            worst = max(sizes.values())
            own = sizes.get(one.tenant, 0) if lowest == one.priority else -1
            if lowest > one.priority or (lowest == one.priority and worst < own + 2):
                return {one}
            gone = {self.queue(lowest, tenant)[-1] for tenant, size in sizes.items() if size == worst}
        return gone

    def enter(self, one):
        line = (one.priority, one.tenant)
        if not self.queue(*line):
            start, _ = self.turn.get(line, (0.0, 0))
            self.give_turn(line, max(start, self.now[one.priority]))
        self.waiting.append(one)

    def first(self):
        highest = max(one.priority for one in self.waiting)
        tenant = min(self.tenants(highest), key=lambda tenant: self.turn[highest, tenant])
        return self.queue(highest, tenant)[0]

    def serve(self, one):
        line = (one.priority, one.tenant)
        start = self.turn[line][0]
        self.now[one.priority] = max(self.now[one.priority], start) + one.weight / len(self.tenants(one.priority))
        self.give_turn(line, start + one.weight)
        self.leave(one)

    def leave(self, one):
        self.waiting.remove(one)
        if not any(other.priority == one.priority for other in self.waiting):  # nobody there, nothing owed
            self.now.pop(one.priority, None)
            self.turn = {line: turn for line, turn in self.turn.items() if line[0] != one.priority}


class RoomMachine(RuleBasedStateMachine):
    """Room and twin agree on who goes next and on who has to go."""

    def __init__(self):
        super().__init__()
        self.real, self.twin, self.number = WaitingRoom(most=8), RoomTwin(8), 0

    @rule(tenant=st.sampled_from("abc"), priority=st.integers(-1, 1), weight=st.sampled_from([1, 2, 4]))
    def someone_comes(self, tenant, priority, weight):
        """The room may be full."""
        one = Someone(self.number, tenant, priority, weight)
        self.number += 1
        candidates, gone = self.twin.join(one), self.real.join(one)
        assert gone in (candidates or {None})
        if gone is not None and gone is not one:
            self.twin.leave(gone)
        if gone is not one:
            self.twin.enter(one)

    @precondition(lambda self: self.twin.waiting)
    @rule()
    def the_first_is_served(self):
        """The same one in both."""
        one = self.real.first()
        assert one == self.twin.first()
        self.real.serve(one)
        self.twin.serve(one)

    @precondition(lambda self: self.twin.waiting)
    @rule(data=st.data())
    def someone_gives_up(self, data):
        """From anywhere in the queue; once more does no harm."""
        one = data.draw(st.sampled_from(self.twin.waiting))
        self.real.leave(one)
        self.real.leave(one)
        self.twin.leave(one)

    @invariant()
    def the_counts_agree(self):
        """By priority, the highest first."""
        counts = Counter(one.priority for one in self.twin.waiting)
        assert list(self.real.lengths.items()) == sorted(counts.items(), reverse=True)
        assert len(self.real) == len(self.twin.waiting) <= 8
        assert all(one in self.real for one in self.twin.waiting)


RoomMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestWaitingRoom = RoomMachine.TestCase
