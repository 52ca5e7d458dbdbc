"""Usage on disk: what was acknowledged is there after any crash, and a bad file is never a lost one."""

import logging
import math
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError
from orchestrator.models.usage import UsageService
from orchestrator.testing import FakeClock

COUNTER = Path(__file__).with_name("ledger_crashes.py")


@pytest.fixture
def opened(path):
    """Usage services over one file, closed afterwards."""
    made = []

    def make(**options):
        made.append(UsageService(path, **options))
        return made[-1]

    yield make
    for usage in made:
        usage.close()


def test_what_was_counted_is_there_the_next_time(opened):
    """Totals, tenants, tags and days survive, with the last digit."""
    first = opened()
    for _ in range(1000):
        first.add("m", UsageStats(3, 4), 0.1, tenant="acme", tags=("chat", "web"))
    first.add("m", UsageStats(), None)
    first.close()
    second = opened()
    summary = second.get_usage_summary("m")
    assert (summary.request_count, summary.unpriced_count, summary.total_usage.total_tokens) == (1001, 1, 7000)
    assert summary.cost_usd == 100.0
    assert second.report(("tenant", "tag")).rows == first.report(("tenant", "tag")).rows


def test_closing_twice_and_counting_on_is_fine(opened):
    """A closed ledger opens again for what comes after."""
    usage = opened()
    usage.close()
    usage.close()
    usage.add("m", UsageStats(1, 1), 1.0)
    assert usage.flush()
    assert opened().get_usage_summary("m").cost_usd == 1.0


def test_several_processes_may_share_a_file(opened):
    """Everybody adds; nobody overwrites."""
    services = [opened() for _ in range(4)]
    for _ in range(3):
        for usage in services:
            usage.add("m", UsageStats(1, 1), 0.25)
            assert usage.flush()
    assert opened().get_usage_summary("m").cost_usd == 3.0


def test_a_killed_process_loses_nothing_that_was_acknowledged(path):
    """SIGKILL at any moment: the file opens, and holds at least what was told and at most one batch more."""
    told = 0
    for round_number in range(6):
        child = subprocess.Popen([sys.executable, str(COUNTER), str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(1 + 5 * round_number):
            told = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in child.stdout.read().split("\n")[:-1])])
        child.wait()
        child.stdout.close()
        usage = UsageService(path)
        found = usage.get_usage_summary("m")
        usage.close()
        assert told <= found.request_count <= told + 14
        assert found.cost_usd == pytest.approx(found.request_count * 0.1, rel=1e-15)
        told = found.request_count


def test_a_process_that_simply_ends_writes_what_it_has(path):
    """Without close or flush: the thread finishes its work at exit."""
    code = (
        "import sys; from orchestrator import UsageService, UsageStats\n"
        "usage = UsageService(sys.argv[1], flush_every_s=0.05)\n"
        "for _ in range(5): usage.add('m', UsageStats(1, 1), 0.5)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    usage = UsageService(path)
    assert usage.get_usage_summary("m").cost_usd == 2.5
    usage.close()


def test_a_forked_child_counts_for_itself_and_not_again_for_its_parent(opened):
    """What the parent had not written yet is written once."""
    usage = opened(flush_every_s=60)
    usage.add("m", UsageStats(1, 1), 1.0)
    child = os.fork()
    if not child:
        usage.add("m", UsageStats(1, 1), 10.0)
        os._exit(0 if usage.flush() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert usage.flush()
    assert opened().get_usage_summary("m").cost_usd == 11.0


def run(path, statement):
    """Change the file behind the ledger's back."""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(statement)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"this is no database" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2]),
        lambda path: run(path, "PRAGMA user_version=99"),
        lambda path: run(path, "DROP TABLE accounts"),
    ],
    ids=["foreign", "torn", "newer", "half"],
)
def test_a_file_that_cannot_be_used_is_set_aside_whole(opened, path, spoil, caplog):
    """It is kept under another name, said so, and a new one is begun."""
    usage = opened()
    usage.add("m", UsageStats(1, 1), 1.0)
    usage.close()
    spoil(path)
    spoilt = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        fresh = opened()
    assert not fresh.get_usage_summary("m")
    fresh.add("m", UsageStats(1, 1), 2.0)
    assert fresh.flush()
    assert path.with_name("usage.sqlite3.aside-1").read_bytes()[:100] == spoilt[:100]
    assert "aside-1" in caplog.text
    assert opened().get_usage_summary("m").cost_usd == 2.0


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path):
    """Before anything is counted, with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="give another path"):
        UsageService(tmp_path / "file" / "usage.sqlite3")


def test_a_write_that_fails_is_tried_again(opened, path, caplog, monkeypatch):
    """Totals go on in memory, one warning is given, and the next flush writes all of it."""
    usage = opened(flush_every_s=60)

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("orchestrator.models.money.ledger.Ledger.write", full)
        for _ in range(3):
            usage.add("m", UsageStats(1, 1), 1.0)
            assert not usage.flush()
    assert usage.get_usage_summary("m").cost_usd == 3.0
    assert caplog.text.count("cannot be written") == 1
    assert usage.flush()
    assert opened().get_usage_summary("m").cost_usd == 3.0


def test_the_file_is_private(opened, path):
    """Folder and file are closed to others, and no prompt is in them."""
    opened().flush()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


calls = st.tuples(
    st.sampled_from(["a", "b"]),
    st.floats(0, 1000) | st.none(),
    st.sampled_from([None, "acme", "umbra"]),
    st.sets(st.sampled_from(["x", "y"])).map(lambda tags: tuple(sorted(tags))),
    st.integers(0, 3),
)


@settings(max_examples=25, deadline=None)
@given(calls=st.lists(calls, max_size=60), cuts=st.sets(st.integers(0, 60)))
def test_any_way_to_cut_it_adds_up_to_the_same(tmp_path_factory, calls, cuts):
    """Flushed and opened again anywhere, every grouping's rows sum to the exact total."""
    path = tmp_path_factory.mktemp("ledger") / "usage.sqlite3"
    clock = FakeClock()
    usage = UsageService(path, flush_every_s=60, clock=clock)
    for number, (model, cost, tenant, tags, day) in enumerate(calls):
        clock._now = day * 86_400.0
        usage.add(model, UsageStats(1, 1), cost, tenant=tenant, tags=tags)
        if number in cuts:
            usage.close()
            usage = UsageService(path, flush_every_s=60, clock=clock)
    exact = math.fsum(cost for _, cost, *_ in calls if cost is not None)
    for by in ("model", "tenant", "day", ("day", "tenant", "model")):
        report = usage.report(by)
        assert math.fsum(row["cost_usd"] for row in report.rows) == pytest.approx(exact, rel=1e-14, abs=1e-12)
        assert sum(row["requests"] for row in report.rows) == report.total["requests"] == len(calls)
    assert usage.report("tag").total["cost_usd"] == pytest.approx(exact, rel=1e-14, abs=1e-12)
    usage.close()
