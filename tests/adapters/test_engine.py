"""What the adapters of all frameworks stand on: one thing to ask, and wishes that are checked at once."""

import pytest

from orchestrator import ModelRegistry, OpenAIModel
from orchestrator.adapters.engine import Engine, facts_of
from orchestrator.adapters.extras import extra


async def test_wishes_go_with_every_call_and_a_call_comes_first(registry):
    """Requirements and parameters alike."""
    engine = Engine(registry, {"models": ["second"], "max_tokens": 1})
    assert facts_of(await engine.ask("Hello", {}))["finish_reason"] == "length"
    answer = await engine.ask("Hello", {"models": ["first"], "max_tokens": 500})
    assert (answer.model_id, answer.finish_reason) == ("first", "stop")


def test_a_wish_that_is_none_is_refused_when_it_is_made(registry):
    """Not at the first call, when an agent is running already."""
    with pytest.raises(TypeError, match="did you mean 'max_cost'"):
        Engine(registry, {"max_costs": 1})
    with pytest.raises(TypeError, match=r"'max_cost' chooses among models: give the registry, not 'openai/gpt-4o'"):
        Engine(OpenAIModel("gpt-4o"), {"max_cost": 1})


def test_its_name_and_window_are_those_of_what_it_asks():
    """One model has its own; a registry is `auto`, with the largest window."""
    one = OpenAIModel("gpt-4o")
    registry = ModelRegistry()
    assert (Engine(registry).name, Engine(registry).context_window) == ("auto", None)
    registry.register_model(one)
    assert Engine(one).name == "openai/gpt-4o"
    assert Engine(registry).context_window == Engine(one).context_window == one.context_size


def test_what_is_not_installed_is_named_with_its_extra():
    """As an ImportError, so that optional imports go on working."""
    with pytest.raises(ImportError, match=r"no_such_framework .* 'model-orchestrator\[dspy\]'"), extra("dspy"):
        __import__("no_such_framework")
