"""A batch that is killed goes on where it was, and what was on disk is not paid for twice."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.testing import EmulatedModel, Emulator

LINES, CONCURRENCY = 120, 8


@pytest.fixture
def server():
    """A provider on loopback that takes a few milliseconds to answer."""
    with Emulator.in_thread([EmulatedModel("small", latency_s=0.01, input_usd_per_1m=1.0)]) as emulator:
        yield emulator


def test_a_killed_batch_goes_on_without_paying_twice(prompts, out, server):
    """Killed three times in the middle of writing; the provider saw no more calls than lines and lines under way."""
    path = prompts(*(json.dumps(f"What is {number} plus 1?") for number in range(100, 100 + LINES)))
    command = [sys.executable, Path(__file__).with_name("batch_process.py"), path, out, server.base_url("openai")]
    for so_many in (20, 50, 90):
        with subprocess.Popen(command) as process:
            while process.poll() is None and _whole_lines(out) < so_many:
                time.sleep(0.005)  # until another process has got so far
            process.kill()
    subprocess.run(command, check=True, timeout=60)
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert Counter(one["custom_id"] for one in records) == {f"line-{n}": 1 for n in range(1, LINES + 1)}
    assert all(one["error"] is None for one in records)
    (tokens,) = {one["response"]["body"]["usage"]["prompt_tokens"] for one in records}
    calls = round(server.spent_usd["small"] / (tokens / 1e6))
    assert LINES <= calls <= LINES + 3 * CONCURRENCY


def _whole_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0
