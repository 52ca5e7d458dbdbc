"""Runs a batch against a server that counts, in a process that may be killed.

python batch_process.py PROMPTS OUT BASE_URL
"""

import asyncio
import sys

from orchestrator.batch import run
from orchestrator.integrations.openai_model import OpenAIModel
from orchestrator.models.model_registry import ModelRegistry


async def main(prompts, out, base_url):
    """Answer all, eight at a time."""
    registry = ModelRegistry(cache_responses=False)
    registry.register_model(OpenAIModel(name="small", api_key="k", base_url=base_url, cost={"input": 1, "output": 1}))
    async with registry:
        await run(prompts, out, registry=registry, concurrency=8)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
