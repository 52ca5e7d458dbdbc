"""A registry on a clock that stands still, and models that do what a script says."""

import inspect

import pytest

from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry


class Scripted(Model):
    """Answers, fails or waits by its script, one step a call, and then answers."""

    def __init__(self, name, steps=(), **facts):
        super().__init__(**{"id": name, "provider": "custom", **facts})
        self.steps = list(steps)
        self.asked = 0

    async def generate_response(self, prompt, **kwargs):
        self.asked += 1
        step = self.steps.pop(0) if self.steps else f"{self.id} says hello"
        if callable(step):
            step = step()
        if inspect.isawaitable(step):
            step = await step
        if isinstance(step, BaseException):
            raise step
        return step

    async def health_check(self):
        return True


class ScriptedStream(Scripted):
    """Each step is a list of what to yield; exceptions in it are raised, awaitables awaited."""

    async def stream_response(self, prompt, **kwargs):
        self.asked += 1
        for piece in self.steps.pop(0) if self.steps else [f"{self.id} ", "says hello"]:
            if callable(piece):
                await piece()
            elif isinstance(piece, BaseException):
                raise piece
            else:
                yield piece


@pytest.fixture
def scripted():
    """The class of scripted models."""
    return Scripted


@pytest.fixture
def streaming():
    """The class of models with scripted streams."""
    return ScriptedStream


@pytest.fixture
def registry(fake_clock):
    """An empty registry on the fake clock; the first of equal models is asked first."""
    return ModelRegistry(clock=fake_clock, seed=0)


@pytest.fixture
def three(registry, scripted):
    """Three models in the registry: a is asked first, then b, then c."""
    return [registry.register_model(scripted(name)) for name in "abc"]
