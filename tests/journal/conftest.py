"""A registry with a journal, on a clock that stands still, and models that answer by a script."""

import pytest

from orchestrator.core.messages import Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.models.model_registry import ModelRegistry


class Priced(Model):
    """Says its name, or the next step of its script; a call costs `usd`."""

    def __init__(self, name, steps=(), usd=0.001, **facts):
        cost = {"input": usd * 1e3, "output": 0.0}
        super().__init__(**{"id": name, "provider": "custom", "cost": cost, **facts})
        self.steps, self.asked = list(steps), 0

    async def generate_response(self, prompt, **kwargs):
        self.asked += 1
        step = self.steps.pop(0) if self.steps else f"{self.id} says hello"
        if isinstance(step, BaseException):
            raise step
        return Reply(step, usage=UsageStats(1_000, 0))

    async def health_check(self):
        return True


@pytest.fixture
def priced():
    """The class of models with prices."""
    return Priced


@pytest.fixture
def path(tmp_path):
    """Where a journal is to be."""
    return tmp_path / "state" / "journal.sqlite3"


@pytest.fixture
async def keeping(fake_clock, path):
    """Make a registry with a journal and these models."""
    made = []

    def make(*models, **options):
        options = {"journal": path, "cache_responses": False, "seed": 0, "clock": fake_clock, **options}
        registry = ModelRegistry(**options)
        for model in models:
            registry.register_model(model)
        made.append(registry)
        return registry

    yield make
    for registry in made:
        await registry.cleanup()
