"""Every requirement, with the reason it gives when it refuses; absurd ones are refused at once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.cost import Cost
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.requirements import (
    REQUIREMENT_NAMES,
    Requirements,
    estimate_tokens,
    expected_cost,
    implied_by,
    why_not,
)
from orchestrator.core.usage import UsageStats


def model(**facts):
    """A described model."""
    return Model(**{"id": "openai/gpt-4", "aliases": ("four",), "capabilities": {"vision": False}, **facts})


def called(times, **facts):
    """A model that was called so often, each time alike."""
    used = model(cost=Cost(input=1, output=1))
    for _ in range(times):
        used.metrics.record(Outcome(model_id=used.id, **facts))
    return used


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"capabilities": ["vision"]}, "lacks capability 'vision'"),
        ({"capabilities": "supports_vision"}, "lacks capability 'vision'"),
        ({"capabilities": ["visoin"]}, "lacks capability 'visoin' (did you mean 'vision'?)"),
        ({"exclude_models": ["openai/gpt-4"]}, "excluded by name"),
        ({"exclude_models": ["gpt-4"]}, "excluded by name"),
        ({"exclude_models": "four"}, "excluded by name"),
        ({"exclude_models": ["openai:gpt-4"]}, "excluded by name"),
        ({"models": ["claude"]}, "not among the models asked for"),
        ({"provider": "anthropic"}, "provider 'openai' is not among ['anthropic']"),
        ({"is_local": True}, "is not local"),
        ({"tags": ["fast", "new"]}, "lacks tag 'fast'"),
        ({"custom_filter": lambda m: m.is_local}, "refused by custom_filter"),
        ({"context_length": 8001}, "context window 8000 is below 8001"),
        ({"min_speed": 51}, "50 tokens/s is below 51"),
        ({"max_cost": 0.0009}, "about $0.001000 a request is above 0.0009"),
    ],
)
def test_a_refusal_says_why(wanted, reason):
    """Each requirement names itself and the figure that missed it."""
    described = model(context_window=8000, speed_tokens_per_s=50, cost=Cost(input=1, output=1))
    assert why_not(described, Requirements.of(**wanted)) == reason


@pytest.mark.parametrize(
    "wanted",
    [
        {"capabilities": ["text_generation"]},
        {"exclude_models": ["claude"]},
        {"models": ["gpt-4"]},
        {"provider": ["OpenAI", "anthropic"]},
        {"is_local": False},
        {"tags": "old"},
        {"custom_filter": lambda m: m.provider == "openai"},
        {"context_length": 8000},
        {"min_speed": 50},
        {"max_cost": 0.001},
        {"max_latency": 1},
        {"capabilities": None, "max_cost": None},
    ],
)
def test_what_fits_is_not_refused(wanted):
    """A figure that is just met is met, and None asks for nothing."""
    described = model(context_window=8000, speed_tokens_per_s=50, cost=Cost(input=1, output=1), tags={"old"})
    assert why_not(described, Requirements.of(**wanted)) is None


@pytest.mark.parametrize(
    ("wanted", "strict_reason"),
    [
        ({"context_length": 8000}, "context window unknown (strict)"),
        ({"min_speed": 100}, "speed unknown (strict)"),
        ({"max_latency": 1}, "latency unknown (strict)"),
    ],
)
def test_unknown_figures_pass_unless_strict(wanted, strict_reason):
    """Optimism by default, proof on request."""
    assert why_not(model(), Requirements.of(**wanted)) is None
    assert why_not(model(), Requirements.of(**wanted, strict=True)) == strict_reason


def test_an_unknown_price_never_meets_a_maximum():
    """What a model costs cannot be promised when nobody knows; a local one is free."""
    assert "price unknown" in why_not(model(), Requirements.of(max_cost=1000))
    assert why_not(model(is_local=True), Requirements.of(max_cost=0)) is None


def test_measured_figures_win_over_declared_ones():
    """Speed and latency are what the calls were like."""
    used = called(1, latency_s=2.0, usage=UsageStats(1, 20))
    assert why_not(used, Requirements.of(min_speed=11)) == "10 tokens/s is below 11"
    assert why_not(used, Requirements.of(max_latency=1)).endswith("s is above 1")


@pytest.mark.parametrize(("calls", "expected"), [(4, 0.001), (5, 0.25)])
def test_the_measured_mean_is_trusted_from_five_calls_on(calls, expected):
    """Before that the price list and a usual size decide."""
    assert expected_cost(called(calls, latency_s=1, cost_usd=0.25), Requirements()) == pytest.approx(expected)


def test_the_requests_own_length_decides_the_price_when_it_is_known():
    """A long prompt costs what its length costs."""
    wanted = Requirements(input_tokens=1_000_000, output_tokens=1_000)
    assert expected_cost(called(9, latency_s=1, cost_usd=0.25), wanted) == pytest.approx(1.001)


def test_what_failed_already_is_left_out_by_its_very_id():
    """A namesake at another provider is another model."""
    namesake = Model(id="azure/gpt-4")
    wanted = Requirements(tried=frozenset({"gpt-4", "openai/gpt-4"}))
    assert why_not(model(), wanted) == "already tried for this request"
    assert why_not(namesake, wanted) is None


@pytest.mark.parametrize("name", ["max_costs", "capability", "temperature", "tried", "input_tokens", ""])
def test_an_unknown_requirement_is_a_type_error_with_near_names(name):
    """Nothing that was asked for is silently ignored."""
    with pytest.raises(TypeError, match="unknown requirement"):
        Requirements.of(**{name: 1})


@pytest.mark.parametrize("name", ["max_cost", "min_speed", "max_latency", "context_length"])
@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, -math.inf])
def test_absurd_numbers_are_value_errors(name, bad):
    """The message names the requirement and the value."""
    with pytest.raises(ValueError, match=f"{name}={bad!r}"):
        Requirements.of(**{name: bad})


@pytest.mark.parametrize(
    "wanted",
    [
        {"max_cost": "1"}, {"max_cost": True}, {"capabilities": [1]}, {"tags": 7}, {"is_local": "yes"}, {"strict": 1},
        {"custom_filter": "fast"}, {"provider": [None]}, {"exclude_models": 3},
    ],
)  # fmt: skip
def test_wrong_types_are_type_errors(wanted):
    """The message names the requirement."""
    with pytest.raises(TypeError, match=next(iter(wanted))):
        Requirements.of(**wanted)


def test_equal_requirements_are_one_key():
    """Names in any order and spelling ask for the same, so that the answer can be kept."""
    one = Requirements.of(capabilities=["vision", "tools"], provider="deepmind")
    other = Requirements.of(capabilities=("function_calling", "supports_vision"), provider=["Google"])
    assert (one, hash(one)) == (other, hash(other))


def test_a_request_implies_what_it_uses():
    """Tools, a schema and pictures need a model that is not known to lack them."""
    request = Request.of(["Look", b"\x89PNG"], tools=[{"name": "f"}], response_format={"type": "object"})
    assert implied_by(request, Requirements())["implied"] == {"function_calling", "structured_output", "vision"}
    wanted = Requirements(implied=frozenset({"vision"}))
    assert why_not(model(), wanted) == "lacks capability 'vision', which this request uses"
    assert why_not(model(capabilities={}), wanted) is None


def test_a_long_request_implies_room():
    """The window must hold the prompt and the answer that was allowed for."""
    found = implied_by(Request.of("word " * 4000, max_tokens=1000), Requirements())
    assert 5_500 <= found["input_tokens"] <= 6_400
    assert 1_000 <= found["output_tokens"] <= 1_024
    assert "is below" in why_not(model(context_window=4_000), Requirements(**found))
    assert implied_by(Request.of("short"), Requirements()) == {}


@given(st.text(max_size=300), st.text(max_size=300))
def test_token_estimates_grow_with_the_text(one, other):
    """An estimate is at least one token and never falls when text is added."""
    assert 1 <= estimate_tokens(one) <= estimate_tokens(one + other)


def test_every_requirement_is_a_keyword_that_can_be_left_out():
    """None is the same as not asking, for all of them."""
    assert Requirements.of(**dict.fromkeys(REQUIREMENT_NAMES)) == Requirements()
