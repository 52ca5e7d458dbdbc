"""The same batch over a real Ray cluster of this machine; left out where Ray is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.batch import over_ray
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


@pytest.mark.timeout(240)  # a cluster of processes has to start
def test_a_cluster_answers_a_batch_and_goes_on_where_it_was(prompts, out):
    """Two actors, each with a registry of its own; a second run asks for nothing."""
    pytest.importorskip("ray", reason="Ray is not installed")
    path = prompts(*(json.dumps(f"What is {number} plus 1?") for number in range(60)))
    with Emulator.in_thread([EmulatedModel("small", latency_s=0.01)]) as emulator:
        script = Path(__file__).with_name("ray_process.py")
        done = subprocess.run(
            [sys.executable, script, path, out, emulator.base_url("openai")],
            capture_output=True,
            text=True,
            timeout=220,
            check=False,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"},
        )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures == {"first": [60, 0, 0], "again": [60, 60, 0], "processes": 2}
    texts = {
        one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"]
        for one in map(json.loads, out.read_text().splitlines())
    }
    assert texts == {f"line-{n + 1}": str(n + 1) for n in range(60)}
