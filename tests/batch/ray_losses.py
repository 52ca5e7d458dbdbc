"""Runs a batch over a Ray cluster of this machine in which workers die, and says on stdout how it went.

python ray_losses.py PROMPTS OUT BASE_URL
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import ray

from orchestrator.errors import ConfigurationError
from orchestrator.integrations.ray_batch import run

TRIES = 4
WORKERS = {"workers": 2, "concurrency": 2, "cpus_each": 0.1}


def registry_at(base_url, folder):
    """One model, with which a process dies that is told to; the folder knows the living and the dead."""
    from orchestrator import ModelRegistry, OpenAIModel

    class Mortal(OpenAIModel):
        async def generate_response(self, prompt, **params):
            if prompt == "die":
                os._exit(1)
            return await super().generate_response(prompt, **params)

    (folder / str(os.getpid())).touch()
    registry = ModelRegistry(cache_responses=False)
    registry["small"] = Mortal(name="small", api_key="k", base_url=base_url, cost={"input": 1, "output": 1})
    return registry


def misconfigured():
    """A registry that cannot be made."""
    raise LookupError("nothing to read")


def main(prompts, out, base_url):
    """One worker is killed by hand, some by what they are asked."""
    folder, killed = Path(tempfile.mkdtemp()), []

    def kill_one(progress):
        if progress.done >= 10 and not killed:
            killed.append(int(next(folder.iterdir()).name))
            os.kill(killed[0], signal.SIGKILL)

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    make = {"make_registry": lambda: registry_at(base_url, folder), "tries": TRIES}
    done = asyncio.run(run(prompts, out, on_progress=kill_one, **make, **WORKERS))
    try:
        asyncio.run(run(["hi"], f"{out}.none", make_registry=misconfigured, **WORKERS))
        refused = None
    except ConfigurationError as error:
        refused = str(error)
    told = {"answered": [done.done, done.failed], "misconfigured": refused, "killed": len(killed) + TRIES}
    sys.stdout.write(json.dumps(told) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
