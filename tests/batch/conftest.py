"""Models that answer by a script for a tenth of a cent, and files of prompts."""

import inspect
import json
import sys
from pathlib import Path

import pytest

from orchestrator.core.messages import Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.models.model_registry import ModelRegistry

sys.path.append(str(Path(__file__).parents[1] / "caches"))

from redis_server import own_redis

__all__ = ["own_redis"]


class Priced(Model):
    """Repeats the prompt, or does what `step(prompt)` says: an answer, or an error to raise."""

    def __init__(self, name="echo", step=None, **facts):
        super().__init__(**{"id": name, "provider": "custom", "cost": {"input": 1, "output": 0}, **facts})
        self.step, self.asked, self.most, self._now = step, [], 0, 0

    async def generate_response(self, prompt, **kwargs):
        words = prompt if isinstance(prompt, str) else prompt[-1]["content"]
        self.asked.append(words)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            said = words if self.step is None else self.step(words)
            if inspect.isawaitable(said):
                said = await said
            if isinstance(said, BaseException):
                raise said
            return Reply(said, usage=UsageStats(1_000, 0))
        finally:
            self._now -= 1

    async def health_check(self):
        return True


@pytest.fixture
def priced():
    """The class of models with prices."""
    return Priced


@pytest.fixture
def registry_of(fake_clock):
    """A registry of these models on a clock that stands still."""

    def make(*models, **options):
        registry = ModelRegistry(**{"clock": fake_clock, "cache_responses": False, "seed": 0, **options})
        for model in models:
            registry.register_model(model)
        return registry

    return make


@pytest.fixture
def prompts(tmp_path):
    """Write lines to a file of prompts: text as it is, anything else as JSON."""

    def write(*lines, name="prompts.jsonl"):
        path = tmp_path / name
        texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        return path

    return write


@pytest.fixture
def out(tmp_path):
    """Where the answers go."""
    return tmp_path / "answers.jsonl"


@pytest.fixture
def answers(out):
    """What stands there by now: the text, or the error's code, by id."""

    def read():
        records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        by_id = {
            one["custom_id"]: one["error"]["code"]
            if one["error"]
            else one["response"]["body"]["choices"][0]["message"]["content"]
            for one in records
        }
        assert len(by_id) == len(records), "an id stands there twice"
        return by_id

    return read
