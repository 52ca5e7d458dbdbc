"""What is written behind a request's back: by one thread, at once when asked, and once, whoever forks."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.models.storage.write_behind import WriteBehind
from orchestrator.models.usage import UsageService


class Page:
    """A text file, open at its end."""

    def __init__(self, path):
        self.path = Path(path)
        self.file = self.path.open("a")

    def close(self):
        self.file.close()


class Lines(WriteBehind[Page]):
    """Writes down words; what cannot be written stays noted."""

    thread_name = "lines"
    complaint = "%s: %s"

    def __init__(self, path, **options):
        self.noted = []
        self.broken = False
        self.opened = 0
        super().__init__(Page(path), **options)

    def _open_file(self):
        self.opened += 1
        return Page(self.path)

    def _write(self):
        if self.broken:
            raise sqlite3.OperationalError("the disk is full")
        words, self.noted = self.noted, []
        if words:
            with self._opened() as page:
                page.file.write("".join(f"{word}\n" for word in words))
                page.file.flush()
        return bool(words)

    def leave_parent(self):
        super().leave_parent()
        self.noted = []

    def note(self, word):
        self.noted.append(word)
        self.wake()

    @property
    def kept(self):
        return self.path.read_text().split()


@pytest.fixture
def lines(tmp_path):
    """A writer that writes in an hour, or when it is told to."""
    lines = Lines(tmp_path / "words", flush_every_s=3600)
    yield lines
    lines.broken = False
    lines.close()


def test_a_flush_waits_for_no_hour(lines):
    """All that was new before is in the file when it returns."""
    lines.note("one")
    assert lines.flush()
    assert lines.kept == ["one"]
    assert lines.flush(), "with nothing to write nothing went wrong"


def test_closing_writes_the_rest_and_the_next_word_opens_again(lines):
    """A file that is closed is no end."""
    for word in ("one", "two"):
        lines.note(word)
        lines.close()
    assert (lines.kept, lines.opened) == (["one", "two"], 1)


def test_what_the_file_refuses_is_complained_of_once(lines, caplog):
    """And a flush says so each time, until a write has worked."""
    lines.broken = True
    lines.note("one")
    assert [lines.flush(), lines.flush()] == [False, False]
    lines.broken = False
    assert lines.flush()
    assert lines.kept == ["one"]
    assert [record.getMessage() for record in caplog.records] == [f"{lines.path}: the disk is full"]


def test_what_nobody_foresaw_is_complained_of_as_well(lines, caplog):
    """It is raised in a thread that nobody listens to, and must not be lost there."""
    lines._write = lambda: 1 / 0
    lines.note("one")
    assert not lines.flush()
    del lines._write
    assert lines.flush()
    assert lines.kept == ["one"]
    assert [record.getMessage() for record in caplog.records] == [f"{lines.path}: division by zero"]


def test_a_program_that_ends_waits_for_no_hour(tmp_path):
    """What is noted last is written as the interpreter ends, and that at once."""
    program = """
from orchestrator.models.usage import UsageService, UsageStats
import sys
usage = UsageService(sys.argv[1], flush_every_s=3000)
usage.add("m", UsageStats(1, 2), 0.5)
"""
    path = tmp_path / "usage.db"
    subprocess.run([sys.executable, "-c", program, path], check=True, timeout=60)
    assert UsageService(path).get_usage_summary("m").cost_usd == 0.5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_parent_and_child_write_each_their_own(lines):
    """What was noted before the fork is the parent's, and the thread stays with it; neither waits for the other."""
    lines.note("before")
    child = os.fork()
    if not child:
        lines.note("child")
        os._exit(0 if lines.flush() and lines.opened == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lines.note("parent")
    assert lines.flush()
    assert sorted(lines.kept) == ["before", "child", "parent"]
