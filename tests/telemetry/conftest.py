"""Two models on loopback and an OpenTelemetry SDK that keeps in memory what it is told."""

from contextlib import asynccontextmanager

import pytest
from telemetry_stage import Watched

from orchestrator import Cost, ModelRegistry, OpenAIModel
from orchestrator.testing import EmulatedModel, Emulator


@pytest.fixture
def watched():
    """Makes a watched registry over emulated models; the first of them is asked first."""

    @asynccontextmanager
    async def make(*models, options=None, **registry_options):
        models = models or (EmulatedModel("first"), EmulatedModel("second"))
        async with Emulator(list(models)) as emulator:
            registry = ModelRegistry(seed=1, **registry_options)
            for model in models:
                registry[model.name] = OpenAIModel(
                    name=model.name,
                    api_key="sk-canary-0123456789",
                    base_url=emulator.base_url("openai"),
                    cost=Cost(input=1, output=2),
                )
            watched = Watched(registry, emulator, **(options or {}))
            try:
                yield watched
            finally:
                watched.handle.stop()
                watched.metering.shutdown()
                watched.tracing.shutdown()
                await registry.cleanup()

    return make
