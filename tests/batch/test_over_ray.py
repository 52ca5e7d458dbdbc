"""The same batch over a real Ray cluster of this machine; left out where Ray is not installed."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import ModelRegistry
from orchestrator.batch import over_ray, read_lines
from orchestrator.errors import ConfigurationError
from orchestrator.testing import EmulatedModel, Emulator


def test_the_door_leads_to_the_work():
    """Where integrations are looked for."""
    from orchestrator.integrations import ray_batch

    assert ray_batch.run is over_ray.run
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        _ = ray_batch.walk


async def test_without_ray_the_error_names_the_extra(monkeypatch, prompts, out):
    """And the way without it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"model-orchestrator\[ray\]"):
        await over_ray.run(prompts('"hi"'), out, make_registry=dict)
    assert not out.exists()


async def test_a_line_that_is_given_up_leaves_the_worker_open_for_the_others():
    """The registry is opened once, whoever asked first and however that ended."""

    class Slow(ModelRegistry):
        async def __aenter__(self):
            opening.set()
            await may_open.wait()
            return await super().__aenter__()

    opening, may_open = asyncio.Event(), asyncio.Event()
    lines = read_lines(["hi", "ho"])
    worker = over_ray._Worker(Slow, 1)
    first, second = [asyncio.create_task(worker.answer(line)) for line in lines]
    await opening.wait()
    first.cancel()
    await asyncio.wait([first])
    may_open.set()
    assert (await second)["error"]["code"] == "no_eligible_model"
    await worker.close()


@pytest.mark.timeout(240)  # a cluster of processes has to start
def test_a_cluster_answers_a_batch_once_and_learns_together(prompts, out, own_redis):
    """Two actors with their state in Redis: every line is paid for once and counted once, and each knew of both."""
    pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
    path = prompts(*(json.dumps(f"What is {number} plus 1?") for number in range(60)))
    models = [EmulatedModel(name, latency_s=0.1) for name in ("small", "large")]
    with Emulator.in_thread(models) as emulator:
        script = Path(__file__).with_name("ray_process.py")
        done = subprocess.run(
            [sys.executable, script, path, out, emulator.base_url("openai"), f"redis://127.0.0.1:{own_redis().port}/0"],
            capture_output=True,
            text=True,
            timeout=220,
            check=False,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"},
        )
        asked = sum(emulator.requests.values())
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["first"], figures["again"], asked) == ([60, 0, 0], [60, 60, 0], 60)
    assert figures["shared"] == {"pulls": 60, "requests": 60, "spent_usd": figures["spent_usd"]}
    assert figures["spent_usd"] > 0
    assert sum(one["own"] for one in figures["processes"]) == 60
    assert len(figures["processes"]) == 2
    assert all(one["known"] > one["own"] for one in figures["processes"])
    texts = {
        one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"]
        for one in map(json.loads, out.read_text().splitlines())
    }
    assert texts == {f"line-{n + 1}": str(n + 1) for n in range(60)}


@pytest.mark.timeout(240)
def test_a_worker_that_is_killed_costs_no_line_and_no_second_payment(prompts, out):
    """Its lines go again to others, what was recorded does not; a line that kills whoever takes it is given up."""
    pytest.importorskip("ray", reason="Ray is not installed: make test-ray")
    path = prompts(
        *(json.dumps(f"What is {number} plus 1?") for number in range(40)), '{"id": "deadly", "prompt": "die"}'
    )
    with Emulator.in_thread([EmulatedModel("small", latency_s=0.1)]) as emulator:
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("ray_losses.py"), path, out, emulator.base_url("openai")],
            capture_output=True,
            text=True,
            timeout=220,
            check=False,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"},
        )
        asked = emulator.requests["small"]
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))  # Ray speaks, too
    records = [json.loads(line) for line in out.read_text().splitlines()]
    errors = {one["custom_id"]: one["error"] for one in records if one["error"] is not None}
    assert len(records) == len({one["custom_id"] for one in records}) == 41
    assert (errors.keys(), errors["deadly"]["code"]) == ({"deadly"}, "worker_lost")
    deadly = next(one for one in records if one["custom_id"] == "deadly")
    assert deadly["orchestrator"]["spent_usd"] is None
    assert figures["answered"] == [41, 1]
    assert figures["misconfigured"].startswith("make_registry failed in a worker")
    lost = figures["killed"]  # by hand once, and by the deadly line in each of its tries
    assert 40 <= asked <= 40 + lost * 2  # no more than were under way in them
