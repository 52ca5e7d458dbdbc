"""`orchestrator serve --workers`: real processes behind one socket, killed, hung up on and told to end."""

import json
import os
import select
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.state.sqlite import SQLiteState
from orchestrator.state.store import Parcel

pytestmark = pytest.mark.timeout(120)  # several interpreters start, on a machine that may be busy


class Crew:
    """The parent, its address, and calls to it."""

    def __init__(self, process):
        self.process = process
        self.url = process.stdout.readline().split()[-1]
        self.line_with("no keys are set")
        self.asked = 0

    def line_with(self, words):
        """The next line that says this."""
        while words not in (line := self.process.stdout.readline()):
            assert line, "the crew ended"
        return line

    def call(self, **more):
        """A reply to a question nobody has asked before, once its head is there."""
        self.asked += 1
        messages = [{"role": "user", "content": f"What is {os.getpid()} + {self.asked}?"}]
        body = json.dumps({"model": "auto", "messages": messages, **more}).encode()
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", body, {"Content-Type": "application/json"})
        return urllib.request.urlopen(request, timeout=60)

    def answer(self):
        """A whole one."""
        with self.call() as reply:
            return json.load(reply)["choices"][0]["message"]["content"]

    @property
    def workers(self):
        """The process ids of the workers."""
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def crew_of(number, *options):
    """So many workers over emulated models."""
    command = [sys.executable, "-m", "orchestrator", "serve", "--demo", "--port", "0", "--workers", str(number)]
    quiet = {"PYTHONUNBUFFERED": "1", "ORCHESTRATOR_OPERATOR_KEY": "an-operator-key-01"}
    with subprocess.Popen([*command, *options], env=os.environ | quiet, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Crew(process)
        finally:
            process.kill()
            process.stdout.read()


def ended(pids):
    """Wait until all of these processes have ended; False after a minute."""
    watched = {os.pidfd_open(pid) for pid in pids}
    try:
        while watched:
            ready, _, _ = select.select(list(watched), [], [], 60)
            if not ready:
                return False
            for one in ready:
                watched.discard(one)
                os.close(one)
        return True
    finally:
        for one in watched:
            os.close(one)


def requests_in(path):
    """The answers that the state knows of."""
    store = SQLiteState(path)
    totals = store.exchange(Parcel("reader", 0)).totals
    store.close()
    return sum(row["requests"] for record, row in totals.items() if record.startswith("usage:"))


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes are watched as Linux allows it")
def test_a_crew_outlives_its_workers_and_leaves_in_order(tmp_path):
    """A killed worker is replaced, streams finish after SIGTERM, and the next crew knows every answer of this one."""
    path = tmp_path / "state.db"
    with crew_of(2, "--state", f"sqlite:///{path}") as crew:
        for _ in range(6):
            assert crew.answer()
        flowing = [crew.call(stream=True) for _ in range(4)]
        crew.process.send_signal(signal.SIGTERM)
        for one in flowing:
            with one:
                assert one.read().endswith(b"data: [DONE]\n\n")
        assert crew.process.wait(60) == 0
    assert requests_in(path) == 10

    with crew_of(2, "--state", f"sqlite:///{path}") as crew:
        first, second = crew.workers
        os.kill(first, signal.SIGKILL)
        for _ in range(4):
            assert crew.answer()
        assert "ended with -9" in crew.line_with("worker")
        os.kill(second, signal.SIGSTOP)  # so that the new one has to answer
        assert crew.answer()
        os.kill(second, signal.SIGCONT)
        pids = crew.workers
        assert first not in pids
        crew.process.kill()  # what nobody can prepare for
        assert ended(pids)
    assert requests_in(path) == 15


def test_what_is_wrong_with_the_state_is_said_once_and_before_anything_starts():
    """By the parent."""
    done = CliRunner().invoke(app, ["serve", "--demo", "--workers", "2", "--port", "0", "--state", "postgres://x"])
    assert done.exit_code == 1
    assert done.output.count("redis://host:port/db, sqlite:///path") == 1
