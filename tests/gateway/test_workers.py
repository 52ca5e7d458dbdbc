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
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.state.sqlite import SQLiteState
from orchestrator.state.store import Parcel

OPERATOR_KEY = "an-operator-key-01"
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

    def get(self, path):
        """What stands at a path."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as reply:
            return reply.read()

    def seen(self, telling):
        """The dashboard's state, once it tells of so many workers."""
        while len((state := json.loads(self.get("/dashboard/snapshot")))["engine"]["workers"]["told"]) != telling:
            pass
        return state

    def press(self, action, model):
        """A button of the dashboard."""
        headers = {"Authorization": f"Bearer {OPERATOR_KEY}", "Content-Type": "application/json"}
        body = json.dumps({"action": action, "model": model}).encode()
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/dashboard/actions", body, headers), timeout=60
        ).close()

    @property
    def workers(self):
        """The process ids of the workers."""
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def crew_of(number, *options):
    """So many workers over emulated models."""
    command = [sys.executable, "-m", "orchestrator", "serve", "--demo", "--port", "0", "--workers", str(number)]
    quiet = {"PYTHONUNBUFFERED": "1", "ORCHESTRATOR_OPERATOR_KEY": OPERATOR_KEY}
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
    """A killed worker is replaced, streams finish after SIGTERM, and the next crew knows every answer of this one.

    What was drained by hand stays so, for the next crew and for the worker that replaces another.
    """
    path = tmp_path / "state.db"
    with crew_of(2, "--state", f"sqlite:///{path}") as crew:
        drained = crew.seen(telling=2)["models"][0]["id"]
        crew.press("drain", drained)
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
        (row,) = [row for row in crew.seen(telling=2)["models"] if row["id"] == drained]
        assert (row["status"], row["out_in"]) == ("drained", None)
        pids = crew.workers
        assert first not in pids
        crew.process.kill()  # what nobody can prepare for
        assert ended(pids)
    assert requests_in(path) == 15


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes are watched as Linux allows it")
def test_a_worker_that_dies_while_the_crew_leaves_is_not_replaced():
    """Who was told to go down goes down, in order and without an error."""
    with crew_of(2) as crew:
        first, _ = pids = crew.workers
        crew.process.send_signal(signal.SIGTERM)
        os.kill(first, signal.SIGKILL)
        assert ended(pids)
        assert crew.process.wait(60) == 0
        assert "started again" not in crew.process.stdout.read()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes are stopped as Linux allows it")
def test_the_figures_and_the_page_tell_of_all_workers_whoever_answers():
    """Calls are added, a button works in every worker, and one that does not answer is missing rather than waited for."""
    with crew_of(3) as crew:
        crew.seen(telling=3)
        for _ in range(8):  # as many as one worker explains, should it get them all
            assert crew.answer()
        told = crew.get("/metrics").decode()
        families = {one.name: one.samples for one in text_string_to_metric_families(told)}
        requests = [s for s in families["orchestrator_request_duration_seconds"] if s.name.endswith("_count")]
        assert sum(sample.value for sample in requests) == 8
        assert {sample.labels["worker"] for sample in families["orchestrator_model_up"]} == {"1", "2", "3"}
        seen = crew.seen(telling=3)
        assert sum(row["calls"] for row in seen["models"]) == 8
        assert len({one["number"] for one in seen["decisions"]}) == 8

        model = seen["models"][0]["id"]
        crew.press("drain", model)
        for _ in range(6):  # whoever answers
            (row,) = [row for row in crew.seen(telling=3)["models"] if row["id"] == model]
            assert (row["status"], row["out_in"]) == ("drained", None)

        stopped = crew.workers[2]
        os.kill(stopped, signal.SIGSTOP)
        assert crew.seen(telling=2)["engine"]["workers"]["of"] == 3
        os.kill(stopped, signal.SIGCONT)
        crew.seen(telling=3)


def test_what_is_wrong_with_the_state_is_said_once_and_before_anything_starts(tmp_path):
    """By the parent, whether the command names the state or the settings do."""
    done = CliRunner().invoke(app, ["serve", "--demo", "--workers", "2", "--port", "0", "--state", "postgres://x"])
    assert done.exit_code == 1
    assert done.output.count("redis://host:port/db, sqlite:///path") == 1
    file = tmp_path / "config.yaml"
    file.write_text("models: [openai/gpt-5-mini]\nstate: sqlite:////proc/nowhere/state.db\n")
    done = CliRunner().invoke(app, ["serve", "--config", str(file), "--workers", "2", "--port", "0"])
    assert done.exit_code == 1
    assert done.output.count("no state can be kept at") == 1
