"""Choosing without calling: every requirement, every refusal explained."""

import pytest

from orchestrator.errors import ConfigurationError, NoEligibleModelsError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import CostBasedSelector


@pytest.fixture
def market(registry, scripted):
    """Three models, each with something the others lack."""
    registry.register_model(
        scripted("big", context_window=200_000, cost={"input": 10, "output": 30}, capabilities=["vision", "tools"])
    )
    registry.register_model(
        scripted("fast", context_window=8_000, cost={"input": 0.1, "output": 0.4}, speed_tokens_per_s=300, tags={"new"})
    )
    registry.register_model(scripted("local", provider="ollama", is_local=True, context_window=4_000))
    return registry


@pytest.mark.parametrize(
    ("wanted", "fit"),
    [
        ({"capabilities": ["text_generation"]}, {"big", "fast", "local"}),
        ({"capabilities": ["vision"]}, {"big"}),
        ({"max_cost": 0.01}, {"fast", "local"}),
        ({"max_cost": 0}, {"local"}),
        ({"min_speed": 100, "strict": True}, {"fast"}),
        ({"max_latency": 1}, {"big", "fast", "local"}),
        ({"context_length": 100_000}, {"big"}),
        ({"exclude_models": ["big", "fast"]}, {"local"}),
        ({"models": ["fast"]}, {"fast"}),
        ({"tags": ["new"]}, {"fast"}),
        ({"provider": "ollama"}, {"local"}),
        ({"is_local": True}, {"local"}),
        ({"custom_filter": lambda m: m.id == "fast"}, {"fast"}),
        (
            {"capabilities": ["text_generation"], "max_cost": 0.05, "min_speed": 100, "context_length": 8000},
            {"big", "fast"},
        ),
    ],
)
async def test_each_requirement_leaves_those_that_meet_it(market, wanted, fit):
    """The awaitable and the plain way agree; a mapping is as good as keywords."""
    assert {c.model_id for c in market.select(**wanted).candidates if c.refused is None} == fit
    assert (await market.select_model(wanted)).id in fit
    assert (await market.select_model(**wanted)).id in fit


async def test_nobody_fits_and_the_error_says_why_not_each(market):
    """Every model stands in the error with its own reason."""
    with pytest.raises(NoEligibleModelsError) as caught:
        await market.select_model(max_cost=0.01, context_length=50_000)
    assert set(caught.value.reasons) == {"big", "fast", "local"}
    assert "a request is above 0.01" in caught.value.reasons["big"]
    assert caught.value.reasons["fast"] == "context window 8000 is below 50000"
    assert all(model_id in str(caught.value) for model_id in market)


@pytest.mark.parametrize("name", ["max_costs", "capability", "frobnicate"])
async def test_an_unknown_requirement_is_a_type_error(market, name):
    """A misspelt wish is never ignored."""
    with pytest.raises(TypeError, match=f"unknown requirement '{name}'"):
        await market.select_model(**{name: 1})
    with pytest.raises(TypeError, match="unknown requirement"):
        market.select(**{name: 1})


async def test_a_misspelt_requirement_is_not_sent_to_a_provider(market):
    """`generate_response` takes both requirements and parameters, and still notices a near miss."""
    with pytest.raises(TypeError, match="did you mean 'max_cost'"):
        await market.generate_response("hi", max_costs=1)


def test_a_selection_explains_itself(market):
    """Every model is a candidate, by falling score or with the reason it was refused."""
    selection = market.select(exclude_models=["big"])
    running = [c for c in selection.candidates if c.refused is None]
    assert {c.model_id for c in running} == {"fast", "local"}
    assert selection.score == running[0].score >= running[1].score
    assert selection.model_id == running[0].model_id
    assert {c.model_id: c.refused for c in selection.candidates}["big"] == "excluded by name"
    assert (selection.model, selection.propensity, selection.panic) == (market[selection.model_id], 1.0, False)
    assert selection.model_id in repr(selection)


def test_an_empty_registry_says_what_to_do(registry):
    """No model is another fault than no fitting model."""
    with pytest.raises(NoEligibleModelsError, match="register_model"):
        registry.select()


def test_models_that_cannot_be_called_are_not_chosen(registry, scripted):
    """A bare description is listed with the way to make it callable."""
    registry["described"] = {"provider": "nobody", "context_size": 8192}
    with pytest.raises(NoEligibleModelsError) as caught:
        registry.select()
    assert "description" in caught.value.reasons["described"]
    registry.register_model(scripted("callable"))
    assert registry.select().model_id == "callable"


def test_a_model_without_its_key_is_not_chosen(registry, monkeypatch):
    """The reason names the variable to set; once it is set, the model is in."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    registry.register_model({"provider": "openai", "name": "gpt-4"})
    with pytest.raises(NoEligibleModelsError, match="OPENAI_API_KEY"):
        registry.select()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    registry.clock.jump(2)
    assert registry.select().model_id == "openai/gpt-4"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(KeyError("canary"), "cannot be set up: KeyError"), (ConfigurationError("fix this"), "fix this")],
)
def test_one_broken_provider_does_not_stop_the_choice(registry, scripted, monkeypatch, fault, reason):
    """A model whose own check raises is out with that reason; its text is told only if it is ours."""
    broken = registry.register_model(scripted("broken"))
    registry.register_model(scripted("sound"))

    def fails():
        raise fault

    monkeypatch.setattr(broken, "setup_issue", fails)
    selection = registry.select()
    assert selection.model_id == "sound"
    assert selection.candidates[-1].refused == reason


def test_a_users_filter_is_asked_every_time(market):
    """A function may depend on anything, so its answer is never kept."""
    allowed = {"big"}
    wanted = {"custom_filter": lambda m: m.id in allowed}
    assert market.select(**wanted).model_id == "big"
    allowed.clear()
    allowed.add("local")
    assert market.select(**wanted).model_id == "local"


def test_a_change_of_the_registry_is_seen_at_once(market, scripted):
    """Kept verdicts end with the next registration or removal."""
    wanted = {"is_local": True}
    assert market.select(**wanted).model_id == "local"
    market["local2"] = scripted("local2", is_local=True)
    assert {c.model_id for c in market.select(**wanted).candidates if not c.refused} == {"local", "local2"}
    del market["local"]
    assert market.select(**wanted).model_id == "local2"


@pytest.mark.parametrize("strategy", ["ucb", "thompson", "cost", "performance"])
async def test_every_strategy_has_a_name(scripted, fake_clock, strategy):
    """The built-in selectors are chosen by name and serve the same calls."""
    registry = ModelRegistry(selection_strategy=strategy, clock=fake_clock, seed=1)
    registry.register_model(scripted("a"))
    assert (await registry.generate_response("hi")).text == "a says hello"


def test_an_unknown_strategy_names_the_known_ones():
    """A misspelt selector is a setting to fix."""
    with pytest.raises(ConfigurationError, match="ucb"):
        ModelRegistry(selection_strategy="ubc")


def test_a_selectors_own_limits_refuse_with_a_reason(scripted, fake_clock):
    """What the policy itself refuses is explained like any requirement."""
    registry = ModelRegistry(model_selector=CostBasedSelector(max_cost_per_request=0.001), clock=fake_clock)
    registry.register_model(scripted("dear", cost={"input": 100, "output": 100}))
    with pytest.raises(NoEligibleModelsError) as caught:
        registry.select()
    assert "0.001" in caught.value.reasons["dear"]


async def test_a_limit_that_turns_against_the_last_model_is_still_no_eligible_model(scripted, fake_clock):
    """A refusal that only live figures brought about is the same error, not a ValueError."""
    registry = ModelRegistry(model_selector=CostBasedSelector(max_cost_per_request=0.001), clock=fake_clock)
    registry.register_model(scripted("cheap", cost={"input": 0.1, "output": 0.1}))
    registry.select()
    for _ in range(200):
        registry.selector.begin("cheap")
        registry.selector.settle("cheap", quality=1.0, cost_usd=5.0, latency_s=1.0)
    with pytest.raises(NoEligibleModelsError):
        registry.select()
