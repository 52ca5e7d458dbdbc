"""The output is the ledger: whole, on disk, one record a line, and written by one process at a time."""

import asyncio
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.batch import Ledger
from orchestrator.batch.ledger import LedgerError
from orchestrator.errors import ConfigurationError


def record(name, spent_usd=0.001, error=None):
    """A record as a batch writes it."""
    return {"custom_id": name, "error": error, "orchestrator": {"digest": "d", "spent_usd": spent_usd}}


async def test_records_are_whole_lines_in_order(out):
    """Many at once share a write, and none is lost."""
    async with Ledger(out) as ledger:
        await asyncio.gather(*(ledger.append(record(str(number))) for number in range(200)))
    assert [json.loads(line)["custom_id"] for line in out.read_text().splitlines()] == [str(n) for n in range(200)]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), names=st.lists(st.text(min_size=1, max_size=8), max_size=4, unique=True))
def test_a_torn_end_is_cut_off_wherever_it_was_torn(tmp_path_factory, cut, names):
    """What was whole stays, what was not is gone, and the next record begins on a line of its own."""
    path = tmp_path_factory.mktemp("torn") / "out.jsonl"

    async def write(*these):
        async with Ledger(path) as ledger:
            for name in these:
                await ledger.append(record(name))
            return set(ledger.done)

    asyncio.run(write(*names))
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - cut)])
    whole = asyncio.run(write())
    assert whole <= {(name, "d") for name in names}
    ends, kept = 0, set()
    for line, name in zip(data.splitlines(keepends=True), names, strict=True):
        ends += len(line)
        if ends - 1 <= len(data) - cut:  # but for its line end
            kept.add((name, "d"))
    assert whole == kept
    assert asyncio.run(write("next\n")) == whole | {("next\n", "d")}
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


async def test_the_zeros_of_a_power_cut_are_cut_off(out):
    """Some file systems leave them where data was to come."""
    out.write_bytes(json.dumps(record("a")).encode() + b"\n" + b"\0" * 50)
    async with Ledger(out) as ledger:
        assert ledger.done == {("a", "d")}
    assert b"\0" not in out.read_bytes()


@pytest.mark.parametrize("text", ["hello\n", '{"id": 1}\n', "[1]\n", 'x\n{"custom_id": "a"}\n'])
async def test_a_file_of_something_else_is_refused_and_left_alone(out, text):
    """It may be somebody's work."""
    out.write_text(text)
    with pytest.raises(ConfigurationError, match="line 1, is no record of a batch"):
        async with Ledger(out):
            pass
    assert out.read_text() == text


async def test_only_one_process_writes_a_file(out):
    """The second is told so; when the first has gone, the file is free."""
    async with Ledger(out):
        with pytest.raises(ConfigurationError, match="another process is writing"):
            async with Ledger(out):
                pass
    async with Ledger(out):
        pass


async def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """A folder that is not there, and a folder itself."""
    for path in (tmp_path / "no" / "out.jsonl", tmp_path):
        with pytest.raises(ConfigurationError, match="give another output file"):
            async with Ledger(path):
                pass


async def test_what_is_to_be_asked_again_is_taken_out(out):
    """The rest stays as it is, and the file is never half written."""
    async with Ledger(out) as ledger:
        for number in range(6):
            await ledger.append(record(str(number), error={"code": "server"} if number % 2 else None))
    async with Ledger(out, drop=lambda one: one["error"] is not None) as ledger:
        assert {name for name, _ in ledger.done} == {"0", "2", "4"}
        await ledger.append(record("1"))
    assert [json.loads(line)["custom_id"] for line in out.read_text().splitlines()] == ["0", "2", "4", "1"]
    assert list(out.parent.iterdir()) == [out]


async def test_a_cancelled_caller_loses_no_record(out):
    """What was paid for is written."""
    async with Ledger(out) as ledger:
        task = asyncio.create_task(ledger.append(record("a")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert json.loads(out.read_text())["custom_id"] == "a"


async def test_a_full_disk_leaves_whole_lines(out, monkeypatch):
    """Half a line is taken back, and the error says what to do."""
    async with Ledger(out) as ledger:
        await ledger.append(record("a"))
        monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(LedgerError, match="No space left on device"):
            await ledger.append(record("b"))
    assert [json.loads(line)["custom_id"] for line in out.read_text().splitlines()] == ["a"]
