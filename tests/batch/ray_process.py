"""Runs a batch over a Ray cluster of this machine, twice, and says on stdout how it went.

python ray_process.py PROMPTS OUT BASE_URL STATE
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import ray

from orchestrator.integrations.ray_batch import run

MODELS = ("small", "large")


def registry_at(base_url, state, folder=None):
    """Two models, and what is known of them in Redis; in the folder each process notes what it did and what it knew."""
    from orchestrator import ModelRegistry, OpenAIModel
    from orchestrator.state.sharing import Sharing

    registry = ModelRegistry(cache_responses=False, state=Sharing(state, every_s=0.1))
    for name in MODELS:
        cost = {"input": 1, "output": 1}
        registry[name] = OpenAIModel(name=name, api_key="k", base_url=base_url, cost=cost)
    if folder is not None:
        done = []

        def note(model, outcome):
            done.append(outcome)
            told = {"own": len(done), "known": pulls(registry)}
            (folder / str(os.getpid())).write_text(json.dumps(told))

        registry.subscribe(note)
    return registry


def pulls(registry):
    """How many calls the selector has learnt from."""
    return sum(arm["pulls"] for arm in registry.selector.statistics().values())


async def shared(base_url, state):
    """What somebody finds in Redis who comes when all have gone."""
    async with registry_at(base_url, state) as registry:
        usage = [registry.get_usage_summary(name) for name in MODELS]
        return {
            "pulls": pulls(registry),
            "requests": sum(one.request_count for one in usage),
            "spent_usd": round(float(sum(one.cost_usd or 0 for one in usage)), 9),
        }


def main(prompts, out, base_url, state):
    """Two actors."""
    folder = Path(tempfile.mkdtemp())

    def answered():
        options = {"workers": 2, "concurrency": 2, "cpus_each": 0.1}
        done = asyncio.run(run(prompts, out, make_registry=lambda: registry_at(base_url, state, folder), **options))
        return [done.done, done.before, done.failed], round(done.spent_usd, 9)

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    first, spent_usd = answered()
    told = {
        "first": first,
        "spent_usd": spent_usd,
        "processes": [json.loads(note.read_text()) for note in folder.iterdir()],
        "shared": asyncio.run(shared(base_url, state)),
        "again": answered()[0],
    }
    sys.stdout.write(json.dumps(told) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
