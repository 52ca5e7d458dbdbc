"""The disk level when files and folders are not what they should be: off or fresh, with one warning, never an error."""

import asyncio
import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cache_asking import Upstream

from orchestrator.caches.disk import DiskStore
from orchestrator.caches.folder import default_directory
from orchestrator.core.cache import ModelCache
from orchestrator.core.caching.settings import MOST_TTL_S
from orchestrator.testing import FakeClock

NAME = "orchestrator.sqlite3"
ROOT = Path(__file__).parents[2]


async def answers(directory, number=3):
    """Ask twice through a cache of this level alone; its figures."""
    async with ModelCache(("disk",), directory=directory) as cache:
        for _ in range(2):
            for key in range(number):
                assert (await cache.answer(f"k{key}", Upstream())).text == "Paris"
            await cache.flush()
        return cache.get_statistics().levels["disk"]


async def fill(directory, number=200):
    """A file with entries in it."""
    store = DiskStore(directory=directory)
    for key in range(number):
        store.put(f"k{key}", b"value %d " % key * 50, 3600)
    await store.close()


def warnings_of(caplog):
    """What the levels have said."""
    return [record.getMessage() for record in caplog.records if record.name == "orchestrator.caches"]


async def test_folder_and_file_are_closed_to_others(tmp_path):
    """0700 and 0600, the log beside it included."""
    directory = tmp_path / "deep" / "cache"
    store = DiskStore(directory=directory)
    store.put("k", b"v", 60)
    await store.flush()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    await store.close()


async def test_a_file_left_open_to_others_is_closed(tmp_path):
    """As far as it is ours."""
    await fill(tmp_path, 1)
    (tmp_path / NAME).chmod(0o644)
    await fill(tmp_path, 1)
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


# 76, 80: the place


def a_file(tmp_path):
    (tmp_path / "cache").write_text("not a folder")
    return tmp_path / "cache"


def below_a_file(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "cache"


def a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "real")
    return tmp_path / "cache"


def a_linked_file(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / NAME).symlink_to(tmp_path / "elsewhere")
    return tmp_path / "cache"


def a_linked_log(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{NAME}-wal").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "cache"


def open_to_all(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    return tmp_path / "cache"


def no_plain_file(tmp_path):
    (tmp_path / "cache" / NAME).mkdir(parents=True)
    return tmp_path / "cache"


@pytest.mark.parametrize(
    "place", [a_file, below_a_file, a_link, a_linked_file, a_linked_log, open_to_all, no_plain_file]
)
async def test_an_unsafe_place_turns_the_level_off_with_one_warning(tmp_path, caplog, place):
    """Every question is answered, nothing is written there."""
    directory = place(tmp_path)
    with caplog.at_level(logging.WARNING):
        figures = await answers(directory)
    assert (figures.available, figures.hits) == (False, 0)
    assert len(warnings_of(caplog)) == 1
    assert not (tmp_path / "elsewhere").exists()


async def test_a_foreign_owner_is_refused(tmp_path, caplog, monkeypatch):
    """What somebody else may write is not read."""
    await fill(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with caplog.at_level(logging.WARNING):
        figures = await answers(tmp_path)
    assert not figures.available
    assert "belongs to user" in warnings_of(caplog)[0]


def test_the_usual_place_is_the_user_s_own_cache_folder(monkeypatch):
    """Never a fixed name in a folder of all users."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_directory() == Path("/x/orchestrator")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_directory() == Path.home() / ".cache" / "orchestrator"


async def test_a_full_disk_stops_writing_and_goes_on_reading(tmp_path, caplog):
    """SQLITE_FULL."""
    await fill(tmp_path, 5)
    clock = FakeClock(date_s=time.time())
    store = DiskStore(directory=tmp_path, clock=clock)
    assert store.peek("k0")
    pages = store._table._ask("PRAGMA page_count")
    store._table._writer.execute(f"PRAGMA max_page_count={pages}")
    with caplog.at_level(logging.WARNING):
        for number in range(50):
            store.put(f"new{number}", b"x" * 5000, 60)
            await store.flush()
    assert store.peek("k1")
    assert "SQLITE_FULL" in warnings_of(caplog)[0]
    assert len(warnings_of(caplog)) == 1
    store._table._writer.execute("PRAGMA max_page_count=100000")
    clock.jump(31)
    store.put("later", b"x", 60)
    await store.flush()
    assert store.peek("later") == b"x"
    await store.close()


# 77: the file


def zero_bytes(path):
    path.write_bytes(b"")


def garbage(path):
    path.write_bytes(os.urandom(8192))


def broken_header(path):
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def broken_pages(path):
    whole = bytearray(path.read_bytes())
    whole[4096 : len(whole)] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(bytes(whole))


def cut_short(path):
    path.write_bytes(path.read_bytes()[:5000])


def garbage_log(path):
    Path(f"{path}-wal").write_bytes(os.urandom(20000))


def newer_version(path):
    with sqlite3.connect(path) as wire:
        wire.execute("PRAGMA user_version=99")
    wire.close()


def no_table(path):
    with sqlite3.connect(path) as wire:
        wire.execute("DROP TABLE entries")
    wire.close()


def planted_pickle(path):
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/planted'\ntR.")


@pytest.mark.parametrize(
    "damage",
    [zero_bytes, garbage, broken_header, broken_pages, cut_short, garbage_log, newer_version, no_table, planted_pickle],
)
async def test_a_damaged_file_is_set_aside_or_mended_and_nothing_wrong_is_read(tmp_path, damage):
    """A new file takes its place; every question is answered, and soon by the level again."""
    await fill(tmp_path)
    damage(tmp_path / NAME)
    store = DiskStore(directory=tmp_path)
    for key in range(200):
        assert store.peek(f"k{key}") in (None, b"value %d " % key * 50)
    await store.flush()
    await store.close()
    figures = await answers(tmp_path)
    assert figures.available
    assert figures.hits >= 3


async def test_a_changed_byte_in_a_value_is_a_miss(tmp_path):
    """The checksum notices what SQLite does not."""
    await fill(tmp_path, 1)
    with sqlite3.connect(tmp_path / NAME) as wire:
        wire.execute("UPDATE entries SET value = substr(value, 1, 30) || x'00' || substr(value, 32)")
    wire.close()
    store = DiskStore(directory=tmp_path)
    assert store.peek("k0") is None
    await store.flush()
    assert store.figures().faults == 1
    await store.close()


# 78: two processes


async def test_a_locked_file_is_a_miss_and_no_error(tmp_path):
    """Reads go on beside a writer; a write that cannot be done in 250 ms is let go."""
    await fill(tmp_path, 1)
    wire = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    wire.execute("BEGIN EXCLUSIVE")
    store = DiskStore(directory=tmp_path)
    assert store.peek("k0")
    store.put("new", b"x", 60)
    await store.flush()
    assert store.peek("new") is None
    wire.execute("ROLLBACK")
    wire.close()
    store.put("new", b"x", 60)
    await store.flush()
    assert store.peek("new") == b"x"
    await store.close()


def test_a_child_after_a_fork_opens_the_file_for_itself(tmp_path):
    """It neither uses nor closes what belongs to the parent."""
    code = f"""
import asyncio, os, warnings
from pathlib import Path
from orchestrator.caches.disk import DiskStore
store = DiskStore(directory=Path({str(tmp_path)!r}))
store.put("k", b"v", 60)
asyncio.run(store.flush())
warnings.simplefilter("ignore")
child = os.fork()
if not child:
    store.put("child", b"v", 60)
    asyncio.run(store.flush())
    os._exit(0 if store.peek("k") == b"v" and store.peek("child") == b"v" else 1)
assert os.waitpid(child, 0)[1] == 0
assert store.peek("child") == b"v"
asyncio.run(store.close())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr


# 79: kill -9


def test_two_hundred_killed_writers_leave_no_wrong_value(tmp_path):
    """Each time the file opens, and an entry is whole or absent."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crashes.py")), str(tmp_path), "200", "7"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["opened"], found["wrong"], found["aside"]) == (200, 0, 0)
    assert found["read"] > 200


# bounds and time


async def test_the_file_stays_within_its_bounds(tmp_path):
    """By bytes and by count; what was used last stays."""
    store = DiskStore(directory=tmp_path, max_bytes=1024 * 1024)
    for number in range(600):
        store.put(f"k{number}", os.urandom(5000), 3600)
        if number % 50 == 0:
            store.peek("k0")
            await store.flush()
    await store.flush()
    assert store.peek("k0")
    assert store._table.bytes <= 1024 * 1024
    assert (tmp_path / NAME).stat().st_size <= 1024 * 1024 * 1.3
    await store.close()
    few = DiskStore(directory=tmp_path, max_size=10)
    for number in range(30):
        few.put(f"f{number}", b"x", 3600)
    await few.flush()
    assert few.figures().entries <= 10 + 30
    few.put("last", b"x", 3600)
    await few.flush()
    assert few.figures().entries <= 10
    await few.close()


@pytest.mark.parametrize("shift_s", [-86_400, 86_400])
async def test_a_clock_that_jumps_prolongs_nothing_beyond_bounds(tmp_path, shift_s):
    """A day back or forth costs at most an early miss."""
    now = 1_800_000_000.0
    store = DiskStore(directory=tmp_path, clock=FakeClock(date_s=now))
    store.put("k", b"v", 3600)
    store.put("far", b"v", MOST_TTL_S)
    await store.close()
    later = DiskStore(directory=tmp_path, clock=FakeClock(date_s=now + shift_s))
    assert later.peek("k") == (b"v" if shift_s < 0 else None)
    assert later.peek("far") == (None if shift_s < 0 else b"v")
    await later.close()


async def test_no_key_or_prompt_is_in_the_file(tmp_path):
    """Keys are hashes; the file holds answers, which is why it is closed to others."""
    from cache_asking import Echo

    from orchestrator.core.messages import Request

    async with ModelCache("disk", directory=tmp_path) as cache:
        model = Echo(api_key="sk-canary")
        key = cache.key_of(model, Request.of("secret prompt", tenant="acme"))
        await cache.answer(key, Upstream())
        await cache.flush()
        await asyncio.sleep(0)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(word in stored for word in (b"sk-canary", b"secret prompt", b"acme"))
