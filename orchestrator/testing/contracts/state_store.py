"""What every place where processes meet promises, as tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from orchestrator.state.store import DRAWN_LIFE_S, Delivery, Flow, Limit, Parcel, StateStore
from orchestrator.testing.clock import FakeClock

__all__ = ["StateStoreContract"]

CENT = 0.01


def bring(state: StateStore, process: str = "a", sequence: int = 1, **more: Any) -> Delivery:
    """One visit."""
    return state.exchange(Parcel(process, sequence, drawer=process, **more))


def day(usd: float, *, of: float = 1.0, account: str = "day") -> Limit:
    """A wish for money."""
    return Limit(account, of, usd, usd)


class StateStoreContract:
    """The suite for a store of shared state: `make(clock=...)` returns an empty one that goes by that clock.

    A store that needs a folder or a server comes from a fixture of your own by the name of `new_state`.

    >>> from orchestrator.state.memory import MemoryState
    >>> class TestMemory(StateStoreContract):
    ...     make = MemoryState
    """

    make: ClassVar[Callable[..., StateStore]]

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The one clock of all who meet."""
        return FakeClock()

    @pytest.fixture
    def new_state(self, clock: FakeClock) -> StateStore:
        """An empty store."""
        return self.make(clock=clock)

    @pytest.fixture
    def state(self, new_state: StateStore) -> Iterator[StateStore]:
        """The same, closed after the test."""
        yield new_state
        new_state.close()

    def test_numbers_of_several_processes_add_up(self, state: StateStore) -> None:
        """Field by field, exactly, whatever the names."""
        bring(state, "a", added={"arm:x/{y}\n*": {"pulls": 2.0, '["a", 0]': 0.1}})
        found = bring(state, "b", added={"arm:x/{y}\n*": {"pulls": 3.0, "cost": -1.5}})
        assert found.totals == {"arm:x/{y}\n*": {"pulls": 5.0, '["a", 0]': 0.1, "cost": -1.5}}

    def test_a_parcel_that_is_brought_twice_counts_once(self, state: StateStore) -> None:
        """By process and sequence, as its first answer may have been lost on the way."""
        for _ in range(3):
            bring(state, "a", 7, added={"arm:m": {"pulls": 1.0}})
        bring(state, "b", 7, added={"arm:m": {"pulls": 1.0}})
        bring(state, "a", 6, added={"arm:m": {"pulls": 1.0}})
        assert bring(state, "c").totals == {"arm:m": {"pulls": 2.0}}

    def test_only_what_changed_since_is_told(self, state: StateStore) -> None:
        """A visitor who has seen a version gets later ones, with the whole total of each record."""
        first = bring(state, "a", added={"arm:m": {"pulls": 1.0}, "arm:n": {"pulls": 1.0}})
        assert bring(state, "a", 2, era=first.era, since=first.version).totals == {}
        bring(state, "b", added={"arm:n": {"pulls": 4.0}})
        later = bring(state, "a", 3, era=first.era, since=first.version)
        assert later.totals == {"arm:n": {"pulls": 5.0}}
        assert later.version > first.version

    def test_a_visitor_from_another_life_of_the_data_is_told_so_and_takes_everything_home(
        self, state: StateStore
    ) -> None:
        """Nothing of its parcel is taken: what it counted on is gone."""
        here = bring(state, "a", added={"arm:m": {"pulls": 1.0}})
        found = bring(state, "b", era="another", since=99, added={"arm:m": {"pulls": 50.0}})
        assert (found.era, found.totals) == (here.era, {"arm:m": {"pulls": 1.0}})
        assert bring(state, "b", era=here.era, added={"arm:m": {"pulls": 1.0}}).totals == {"arm:m": {"pulls": 2.0}}

    def test_notes_are_replaced_and_run_out(self, state: StateStore, clock: FakeClock) -> None:
        """Each process has one."""
        bring(state, "a", note="first", note_life_s=10)
        bring(state, "a", 2, note="second word", note_life_s=10)
        assert bring(state, "b", note="", note_life_s=60).notes == {"a": "second word", "b": ""}
        clock.jump(11)
        assert bring(state, "c").notes == {"b": "", "c": ""}

    def test_processes_never_draw_more_money_than_there_is(self, state: StateStore) -> None:
        """What is plenty is drawn in larger pieces, what is scarce to the last cent."""
        drawn = {"a": 0.0, "b": 0.0}
        for number in range(400):
            process = "ab"[number % 2]
            grant = state.draw_usd(process, [Limit("day", 1.0, CENT, 10 * CENT)])
            drawn[process] += sum(grant.amounts)
        assert grant.refused == "day"
        assert sum(drawn.values()) == pytest.approx(1.0, abs=CENT)
        assert sum(drawn.values()) <= 1.0 + 1e-9

    def test_money_is_drawn_from_all_accounts_or_from_none(self, state: StateStore) -> None:
        """The first without room is named."""
        holds = [Limit("wide", 9.0, 0.5, 0.5), Limit("narrow", 0.1, 0.5, 0.5), Limit("none", 0.0, 0.5, 0.5)]
        grant = state.draw_usd("a", holds)
        assert (grant.refused, grant.amounts) == ("narrow", ())
        assert state.draw_usd("a", [day(9.0, of=9.0, account="wide")]).refused is None

    def test_booked_money_is_gone_and_returned_money_is_free(self, state: StateStore) -> None:
        """A visit says what was spent and what of the drawn is not needed; once, however often it comes."""
        state.draw_usd("a", [day(0.8)])
        for _ in range(2):
            bring(state, "a", added={"money:day": {"spent_usd": 0.5}}, released={"day": 0.7})
        assert state.draw_usd("b", [day(0.41)]).refused == "day"
        assert state.draw_usd("b", [day(0.4)]).refused is None

    def test_money_of_a_process_that_is_not_heard_of_is_free_again(self, state: StateStore, clock: FakeClock) -> None:
        """A crash must not eat the budget; who is heard of holds on to what it has drawn."""
        state.draw_usd("dead", [day(1.0)])
        assert state.draw_usd("b", [day(0.5)]).refused == "day"
        clock.jump(DRAWN_LIFE_S - 1)
        bring(state, "dead", released={"day": 0.0})
        clock.jump(DRAWN_LIFE_S - 1)
        assert state.draw_usd("b", [day(0.5)]).refused == "day"
        clock.jump(2)
        assert state.draw_usd("b", [day(0.5)]).refused is None

    def test_a_limit_by_the_minute_holds_for_all(self, state: StateStore, clock: FakeClock) -> None:
        """Its pace is let in as time goes by, and what is plenty is drawn ahead."""
        minute = [Flow("m", per_minute=60, capacity=60, needed=1, wanted=5)]
        taken = 0.0
        while not (grant := state.draw_flow(minute)).wait_s:
            taken += grant.amounts[0]
        assert taken == pytest.approx(60, abs=1)
        assert 0 < grant.wait_s <= 1
        clock.jump(grant.wait_s)
        assert state.draw_flow(minute).amounts == pytest.approx((1,))

    def test_two_limits_are_drawn_together_or_not_at_all(self, state: StateStore) -> None:
        """The longest wait is told."""
        requests, tokens = Flow("r", 60, 60, 1, 1), Flow("t", 600, 600, 500, 500)
        assert state.draw_flow([requests, tokens]).amounts == (1, 500)
        grant = state.draw_flow([requests, tokens])
        assert grant.amounts == ()
        assert grant.wait_s == pytest.approx(40)
        assert state.draw_flow([requests._replace(needed=59)]).wait_s == 0

    def test_what_was_drawn_and_not_used_comes_back_once(self, state: StateStore) -> None:
        """Up to a full bucket; and a provider that has less for us is believed."""
        full = [Flow("m", per_minute=60, capacity=60, needed=60, wanted=60)]
        state.draw_flow(full)
        for _ in range(2):
            bring(state, "a", 1, returned={"m": 20.0})
        assert state.draw_flow([full[0]._replace(needed=21)]).wait_s == pytest.approx(1)
        bring(state, "a", 2, returned={"m": 999.0})
        bring(state, "a", 3, lowered={"m": 30.0})
        assert state.draw_flow([full[0]._replace(needed=31)]).wait_s == pytest.approx(1)
