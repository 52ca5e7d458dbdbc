"""Runs a batch over a Ray cluster of this machine, twice, and says on stdout how it went.

python ray_process.py PROMPTS OUT BASE_URL
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import ray

from orchestrator.integrations.ray_batch import run


def main(prompts, out, base_url):
    """Two actors, each of which leaves its process id in a folder."""
    folder = Path(tempfile.mkdtemp())

    def make_registry():
        from orchestrator import ModelRegistry, OpenAIModel

        (folder / str(os.getpid())).touch()
        registry = ModelRegistry(cache_responses=False)
        registry.register_model(OpenAIModel(name="small", api_key="k", base_url=base_url))
        return registry

    def answered():
        options = {"make_registry": make_registry, "workers": 2, "concurrency": 4, "cpus_each": 0.1}
        done = asyncio.run(run(prompts, out, **options))
        return [done.done, done.before, done.failed]

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    told = {"first": answered(), "processes": len(list(folder.iterdir())), "again": answered()}
    sys.stdout.write(json.dumps(told) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
