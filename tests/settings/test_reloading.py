"""New settings for a registry at work."""

import asyncio

import pytest

from orchestrator import Model, ModelRegistry
from orchestrator.errors import ConfigurationError, ModelNotFoundError


class Slow(Model):
    """Answers when it is told to."""

    def __init__(self, **facts):
        super().__init__(**facts)
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def generate_response(self, prompt, **kwargs):
        self.asked.set()
        await self.go.wait()
        return "at last"


def test_a_reload_changes_what_changed(write):
    """Newcomers come, the gone go, the rest is the very same object, and what was registered by hand stays."""
    path = write("models: [openai/a, openai/b, {id: openai/c, tags: [old]}]\n")
    registry = ModelRegistry.from_config(path, environ={})
    registry["mine"] = {"provider": "custom"}
    kept, changed = registry["openai/a"], registry["openai/c"]
    path.write_text(
        "models: [openai/a, {id: openai/c, tags: [new]}, openai/d]\nlimits: {deadline_s: 7}\ncache: memory\n"
    )
    done = registry.reload(environ={})
    assert (done.added, done.changed, done.removed) == (("openai/d",), ("openai/c",), ("openai/b",))
    assert done.at_next_start == ("cache",)
    assert list(registry) == ["openai/a", "openai/c", "mine", "openai/d"]
    assert registry["openai/a"] is kept
    assert registry["openai/c"].tags == {"new"}
    assert registry["openai/c"].metrics is changed.metrics
    assert registry.service.deadline_s == 7
    assert set(registry.selector.statistics()) == set(registry)


@pytest.mark.parametrize(
    "text", ["models: [openai/x]\nmodles: []\n", "models: [", "models: [openai/x]\nlimits: {deadline_s: x}\n"]
)
def test_a_bad_file_changes_nothing(write, text):
    """The old state stays whole, and the next good file is taken."""
    path = write("models: [openai/a]\nlimits: {deadline_s: 5}\n")
    registry = ModelRegistry.from_config(path, environ={})
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"models\.yaml"):
        registry.reload(environ={})
    assert (list(registry), registry.service.deadline_s) == (["openai/a"], 5)
    path.write_text("models: [openai/b]\n")
    assert registry.reload(environ={}).added == ("openai/b",)


async def test_calls_in_flight_finish(write):
    """A model that is taken out while it answers answers all the same, and is not asked again."""
    registry = ModelRegistry.from_config({"models": [{"id": "slow", "provider": "custom"}]}, environ={})
    model = registry["slow"] = Slow(id="slow", provider="custom")
    call = asyncio.ensure_future(registry.generate_response("Hello"))
    await model.asked.wait()
    assert registry.reload({"models": ["openai/a"]}, environ={}).removed == ("slow",)
    model.go.set()
    assert (await call).text == "at last"
    with pytest.raises(ModelNotFoundError):
        registry["slow"]


def test_a_registry_without_a_file_says_so():
    """There is nothing to read again."""
    with pytest.raises(ConfigurationError, match="give reload"):
        ModelRegistry().reload()
