"""A ledger in a folder of its own, and models with prices."""

import pytest

from orchestrator.core.messages import Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats


class Priced(Model):
    """Answers with a fixed usage, or fails, by its script; a million tokens cost a dollar."""

    def __init__(self, name, steps=(), tokens=100_000, **facts):
        super().__init__(**{"id": name, "provider": "custom", "cost": {"input": 1, "output": 1}, **facts})
        self.steps, self.tokens, self.asked = list(steps), tokens, 0

    async def generate_response(self, prompt, **kwargs):
        self.asked += 1
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, BaseException):
            raise step
        return step or Reply("said", usage=UsageStats(0, self.tokens))

    async def health_check(self):
        return True


@pytest.fixture
def priced():
    """The class of models with prices."""
    return Priced


@pytest.fixture
def path(tmp_path):
    """Where a ledger is to be."""
    return tmp_path / "state" / "usage.sqlite3"
