"""A gateway with two emulated models behind it, and the real client libraries in front."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import anthropic
import openai
import pytest

from orchestrator import ModelRegistry, OpenAIModel
from orchestrator.gateway import Gateway, GatewayKey, GatewaySettings
from orchestrator.testing import EmulatedModel, Emulator

KEY = "a-key-for-tests-0001"
OURS = (GatewayKey("tests", KEY),)


class Stage:
    """Everything a test needs: the emulator behind, the registry between, the address and the clients in front."""

    def __init__(self, emulator, registry, gateway, url):
        self.emulator, self.registry, self.gateway, self.url = emulator, registry, gateway, url

    def openai(self, key=KEY, **options):
        return openai.AsyncOpenAI(api_key=key, base_url=f"{self.url}/v1", **options)

    def anthropic(self, key=KEY, **options):
        return anthropic.AsyncAnthropic(api_key=key, base_url=self.url, **options)


@asynccontextmanager
async def stage(*models, keys=OURS, registry_options=None, siblings=None, **settings):
    """A gateway over these emulated models."""
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(list(models)))
        registry = ModelRegistry(seed=1, **(registry_options or {}))
        stack.push_async_callback(registry.cleanup)
        for model in models:
            registry[model.name] = OpenAIModel(name=model.name, api_key="x", base_url=emulator.base_url("openai"))
        told = GatewaySettings(port=0, keys=tuple(keys), drain_s=1, **settings)
        gateway = Gateway(registry, told, siblings=siblings)
        url = await stack.enter_async_context(gateway.serving())
        yield Stage(emulator, registry, gateway, url)


@pytest.fixture
async def served():
    """Two models, one key."""
    async with stage(EmulatedModel("first"), EmulatedModel("second")) as built:
        yield built
        await asyncio.sleep(0)


@pytest.fixture
def threaded_gateway():
    """An open gateway on an event loop of its own, for clients that block."""
    import threading

    started, address = threading.Event(), []

    async def serve():
        async with stage(EmulatedModel("first"), keys=()) as built:
            stop = asyncio.Event()
            address.extend([built.url, asyncio.get_running_loop(), stop])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait(10)
    url, loop, stop = address
    yield url
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
