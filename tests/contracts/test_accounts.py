"""What accounts have to do, wherever they are kept."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.models.money.accounts import Hold, MemoryAccounts, Standing
from orchestrator.models.money.bookkeeper import Bookkeeper
from orchestrator.state.accounts import SharedAccounts
from orchestrator.state.memory import MemoryState
from orchestrator.state.sqlite import SQLiteState
from orchestrator.testing import FakeClock


@pytest.fixture(params=["memory", "memory with a ledger", "shared", "shared in SQLite"])
def accounts(request, tmp_path):
    """Each implementation, empty."""
    if request.param == "memory":
        yield MemoryAccounts()
        return
    if request.param.startswith("shared"):
        store = SQLiteState(tmp_path / "state.db") if "SQLite" in request.param else MemoryState()
        yield SharedAccounts(store, FakeClock())
        store.close()
        return
    keeper = Bookkeeper(tmp_path / "state" / "ledger.sqlite3")
    yield MemoryAccounts(keeper)
    keeper.close()


def test_an_account_that_nobody_has_used_stands_at_zero(accounts):
    """And asking makes none."""
    assert accounts.standing("day 1") == Standing(0.0, 0.0)
    assert accounts.names() == ()


def test_what_is_set_aside_is_given_back_when_it_is_booked(accounts):
    """In every account that was named."""
    assert accounts.reserve([Hold("a", 1.0), Hold("b", 1.0)], 0.5) is None
    assert accounts.standing("a") == Standing(0.0, 0.5)
    accounts.settle(["a", "b"], 0.5, 0.25)
    assert accounts.standing("a") == accounts.standing("b") == Standing(0.25, 0.0)


def test_all_or_nothing(accounts):
    """The first without room is named, and nobody is charged."""
    assert accounts.reserve([Hold("wide", 9.0), Hold("narrow", 0.1), Hold("none", 0.0)], 0.5) == "narrow"
    assert accounts.standing("wide") == Standing(0.0, 0.0)


def test_exactly_what_fits_fits(accounts):
    """To the last cent, though not to the last bit."""
    for _ in range(10):
        assert accounts.reserve([Hold("a", 1.0)], 0.1) is None
    assert accounts.reserve([Hold("a", 1.0)], 0.000001) == "a"


def test_threads_never_set_aside_more_than_there_is(accounts):
    """Sixteen at once."""
    with ThreadPoolExecutor(16) as pool:
        refused = list(pool.map(lambda _: accounts.reserve([Hold("a", 1.0)], 0.01), range(1000)))
    assert refused.count(None) == 100


def test_periods_that_are_over_are_let_go(accounts):
    """Unless something is still set aside."""
    accounts.settle(["day 1", "day 1 acme", "day 2", "total"], 0.0, 1.0)
    accounts.reserve([Hold("day 1 held", 1.0)], 0.5)
    accounts.keep(["day 2", "total"])
    assert sorted(accounts.names()) == ["day 1 held", "day 2", "total"]
