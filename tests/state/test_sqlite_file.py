"""One process, or several of one machine, keep what they know in a file."""

import sqlite3

import pytest
from fleet import acknowledged_by_killed, call, learnt, member, rounds

from orchestrator import ModelRegistry
from orchestrator.core.model import Model
from orchestrator.errors import ConfigurationError
from orchestrator.state.sqlite import SQLiteState
from orchestrator.state.store import Parcel
from orchestrator.testing import FakeClock


def registry_at(path):
    """A process with two models and this file."""
    registry = ModelRegistry("pool", state=f"sqlite:///{path}", budgets={"total_usd": 10.0, "allow_unpriced": True})
    for name in ("a", "b"):
        registry[name] = Model(id=name, provider="custom", context_size=8192)
    return registry


async def test_a_restart_keeps_what_was_learnt_spent_and_used(tmp_path, monkeypatch):
    """A process that ends in order writes to the last call."""
    monkeypatch.chdir(tmp_path)
    async with registry_at("state/one.db") as old:
        for _ in range(7):
            call(old, "a", quality=0.5)
        old.budgets.reserve("a", 1.0).settle(0.75)
    async with registry_at("state/one.db") as new:
        assert learnt(new)["a"] == (7, 0.5)
        assert new.get_usage_summary("a").cost_usd == pytest.approx(0.07)
        assert new.budgets.snapshot()[0]["spent_usd"] == pytest.approx(0.75 + 0.07)


def test_a_process_killed_in_the_middle_of_writing_loses_no_acknowledged_call(tmp_path):
    """Three workers on one file are killed at once, twice; each call that was told to be safe is there, once."""
    path, safe = tmp_path / "state.db", 0
    SQLiteState(path)
    for _ in range(2):
        safe += acknowledged_by_killed(path)
        store = SQLiteState(path)
        found = store.exchange(Parcel("reader", 0)).totals["arm:m"]["pulls"]
        store.close()
        assert safe <= found <= safe + 3  # at most the one that each had written and not yet told
        safe = found


async def test_a_damaged_file_is_set_aside_and_a_newer_one_refused(tmp_path):
    """Neither is lost, and neither stops an engine that can do without."""
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database" * 100)
    broken.chmod(0o600)
    clock = FakeClock()
    registry = member(SQLiteState(broken, clock=clock), clock)
    call(registry, "a")
    await rounds(registry)
    await registry.sharing.close()
    assert (tmp_path / "broken.db.corrupt-1").read_bytes().startswith(b"this is no database")
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as file:
        file.execute("PRAGMA user_version=99")
    file.close()
    newer.chmod(0o600)
    with pytest.raises(ConfigurationError, match="version 99"):
        SQLiteState(newer)


@pytest.mark.parametrize("place", ["postgres://host", "sqlite://", "state.db"])
def test_an_address_that_is_none_is_refused_with_those_that_are(place):
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match="sqlite:///path"):
        ModelRegistry(state=place)


def test_settings_and_environment_name_the_state(tmp_path, monkeypatch):
    """In one word, or with its options."""
    monkeypatch.chdir(tmp_path)
    registry = ModelRegistry.from_config({"state": "sqlite:///s.db"}, environ={})
    assert registry.sharing.store.path == tmp_path / "s.db"
    registry = ModelRegistry.from_config({"state": {"store": "memory://", "every_s": 5}}, environ={})
    assert registry.sharing.every_s == 5
    registry = ModelRegistry.from_config({}, environ={"ORCHESTRATOR_STATE": "memory://"})
    assert registry.sharing.store.name == "memory"
    with pytest.raises(ConfigurationError, match="every_s"):
        ModelRegistry.from_config({"state": {"store": "memory://", "every_s": 0}}, environ={})
