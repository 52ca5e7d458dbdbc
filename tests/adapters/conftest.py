"""A town of models in a thread of its own, so that plain code can ask it too."""

import asyncio

import pytest
from adapter_stage import KEY

from orchestrator import Cost, ModelRegistry, OpenAIModel
from orchestrator.models.portal import portal
from orchestrator.testing import EmulatedModel, Emulator

NAMES = ("first", "second", "claude-next", "text-embedding-3-small")


@pytest.fixture
def town():
    """Every dialect, each with the same models."""
    with Emulator.in_thread([EmulatedModel(name) for name in NAMES]) as town:
        yield town
        portal.close()


@pytest.fixture
async def registry(town):
    """Two priced models; the first is asked first, until it fails."""
    registry = ModelRegistry("cost", max_attempts=4, seed=1)
    for number, name in enumerate(("first", "second")):
        price = Cost(input=1 + number, output=2)
        registry[name] = OpenAIModel(name=name, api_key=KEY, base_url=town.base_url("openai"), cost=price)
    yield registry
    await registry.cleanup()


@pytest.fixture
async def no_task_left(no_task_left):
    """Clients leave their generators to the collector, which closes them in tasks: a few turns for those."""
    yield
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def embedder(town):
    """A model that computes vectors."""
    return OpenAIModel("text-embedding-3-small", api_key=KEY, base_url=town.base_url("openai"))
