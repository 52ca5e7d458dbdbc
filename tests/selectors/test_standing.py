"""Standings and backlogs beside naive twins."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms
from orchestrator.selectors.backlog import Backlog
from orchestrator.selectors.slate import FEW, Slate
from orchestrator.selectors.standing import Standing

NUMBERS = st.floats(-10, 10)


class StandingMachine(RuleBasedStateMachine):
    """Puts and moves in any order, where arms are few and where they are many."""

    @initialize(rows=st.sampled_from([1, 3, FEW, FEW + 1]), reach=NUMBERS)
    def begin(self, rows, reach):
        names = tuple(f"arm {row}" for row in range(rows))
        table = Arms(names)
        self.standing = Standing(table, reach=reach)
        self.all, self.last_first = Slate(names, table), Slate(names[-1:] + names[:-1], table)
        self.lines, self.reach = [(0.0, 0.0)] * rows, reach

    @rule(data=st.data(), floor=NUMBERS, slope=NUMBERS)
    def put(self, data, floor, slope):
        row = data.draw(st.integers(0, len(self.lines) - 1))
        self.standing.put(row, floor, slope)
        self.lines[row] = floor, slope

    @rule(reach=NUMBERS)
    def move(self, reach):
        self.standing.move(reach)
        self.reach = reach

    @invariant()
    def agrees(self):
        scores = [floor + self.reach * slope for floor, slope in self.lines]
        assert self.standing.scores.tolist() == scores
        assert self.standing.slopes.tolist() == [slope for _, slope in self.lines]
        for slate, wanted in ((self.all, scores), (self.last_first, scores[-1:] + scores[:-1])):
            place, score, seen = self.standing.first(slate)
            assert (place, score, list(seen)) == (wanted.index(max(wanted)), max(wanted), wanted)


StandingMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestStanding = StandingMachine.TestCase


def test_what_first_returns_stays_as_it_was():
    """A choice keeps its scores for an explanation, whatever comes later."""
    table = Arms(("a", "b"))
    standing = Standing(table, reach=1.0)
    _, _, scores = standing.first(Slate(("a", "b"), table))
    standing.put(0, 1.0, 1.0)
    assert scores == [0.0, 0.0]


class BacklogMachine(RuleBasedStateMachine):
    """A backlog is a set, whatever is done to it."""

    def __init__(self):
        super().__init__()
        self.arms = [Arm(f"arm {row}", row=row) for row in range(6)]
        self.backlog, self.twin = Backlog(), set()

    @rule(row=st.integers(0, 5))
    def add(self, row):
        self.backlog.add(self.arms[row])
        self.twin.add(self.arms[row])

    @rule(rows=st.lists(st.integers(0, 5)))
    def extend(self, rows):
        self.backlog.extend(self.arms[row] for row in rows)
        self.twin.update(self.arms[row] for row in rows)

    @rule(row=st.integers(0, 5))
    def discard(self, row):
        self.backlog.discard(self.arms[row])
        self.twin.discard(self.arms[row])

    @rule()
    def take(self):
        if self.twin:
            self.twin.remove(self.backlog.popitem()[0])
        else:
            with pytest.raises(KeyError):
                self.backlog.popitem()

    @invariant()
    def agrees(self):
        assert set(self.backlog) == self.twin


BacklogMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestBacklog = BacklogMachine.TestCase
