"""The whole road over real HTTP: providers that break, callers who do not notice."""

import asyncio

import pytest

from orchestrator.core.messages import Embeddings
from orchestrator.core.outcome import Objective
from orchestrator.core.usage import UsageStats
from orchestrator.errors import NoEligibleModelsError, OverloadedError, ProviderAPIError, ServerError
from orchestrator.integrations import AnthropicModel, GoogleModel, OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import HTML, CutStream, Drop, EmulatedModel, Emulator, Fail, Garbage, InBandError, Say

KINDS = {"openai": OpenAIModel, "anthropic": AnthropicModel, "google": GoogleModel}
BREAKDOWNS = [
    Fail(500), Fail(503, retry_after_s=30), Fail(429), Fail(401), Fail(404), Fail(kind="quota"),
    Drop(), Garbage(), HTML(), HTML(200), InBandError(), CutStream(),
]  # fmt: skip


@pytest.fixture
async def emulator():
    """One model at each of three providers."""
    async with Emulator([EmulatedModel(f"{p}-model", provider=p) for p in KINDS]) as emulator:
        yield emulator
        await close_sessions()


@pytest.fixture
def registry(emulator):
    """A registry that knows the three."""
    registry = ModelRegistry(seed=0)
    for provider, kind in KINDS.items():
        registry.register_model(kind(name=f"{provider}-model", base_url=emulator.base_url(provider), api_key="k"))
    return registry


@pytest.mark.parametrize("breakdown", BREAKDOWNS, ids=repr)
async def test_no_caller_notices_a_dead_provider(emulator, registry, breakdown):
    """A provider dies in the middle, in whatever way: every call is answered, and the dead one soon left alone.

    The bound: 16 calls may be on their way when it dies, 3 failures in a row take it out, and it then rests 4 s.
    """
    await asyncio.gather(*(registry.generate_response("Hello") for _ in range(16)))
    emulator.break_model("openai-model", breakdown)
    before = emulator.requests["openai-model"]
    for _ in range(4):
        answers = await asyncio.gather(*(registry.generate_response("Hello") for _ in range(16)))
        assert {answer.model_id.partition("/")[0] for answer in answers} <= {"anthropic", "google"}
    assert emulator.requests["openai-model"] - before <= 16 + 3
    assert not registry.health.status_of(registry["openai-model"]).healthy


async def test_streams_survive_a_dead_provider_too(emulator, registry):
    """Before its first word a stream moves on."""
    emulator.break_provider("openai", Fail(503))
    for _ in range(12):
        *pieces, last = [chunk async for chunk in registry.stream_response("Hello")]
        assert "".join(chunk.text for chunk in pieces) == last.response.text != ""


async def test_when_everybody_is_down_the_error_says_what_was_tried(emulator, registry):
    """Three providers, three attempts, each on the error, none of them twice."""
    for provider in KINDS:
        emulator.break_provider(provider, Fail(503))
    with pytest.raises((ServerError, OverloadedError)) as caught:
        await registry.generate_response("Hello")
    assert {attempt.model_id.partition("/")[0] for attempt in caught.value.attempts} == set(KINDS)
    assert all(attempt.error_type in ("server", "overloaded") for attempt in caught.value.attempts)


async def test_two_models_of_one_key_fall_together(emulator):
    """The key is known by its digest: its other models are not asked, those of another key are."""
    registry = ModelRegistry()
    emulator.script("openai-model", Fail(401))
    address = emulator.base_url("openai")
    for name, key in (("openai-model", "k1"), ("sibling", "k1")):
        registry.register_model(OpenAIModel(name=name, base_url=address, api_key=key))
    registry["other"] = OpenAIModel(name="openai-model", base_url=address, api_key="k2")
    response = await registry.generate_response("Hello")
    assert [attempt.model_id for attempt in response.attempts] == ["openai/openai-model", "other"]


async def test_what_a_request_uses_decides_who_may_answer_it(registry, scripted):
    """Pictures and tools pass over models that are known to lack them; nobody left is told as such."""
    blind = ModelRegistry()
    blind.register_model(scripted("blind", capabilities={"vision": False}))
    with pytest.raises(NoEligibleModelsError, match="which this request uses"):
        await blind.generate_response(["What is this?", b"\x89PNG"])
    blind.register_model(scripted("seeing", capabilities={"vision": True}))
    assert (await blind.generate_response(["What is this?", b"\x89PNG"])).model_id == "seeing"


async def test_an_objective_may_be_given_with_the_question(scripted, fake_clock):
    """One registry, two wishes: the best whatever it costs, or the cheapest that works."""
    registry = ModelRegistry(clock=fake_clock)
    registry.register_model(scripted("good", cost={"input": 50, "output": 50}))
    registry.register_model(scripted("cheap", cost={"input": 0.1, "output": 0.1}))
    for name, quality in (("good", 1.0), ("cheap", 0.7)):
        for _ in range(40):
            registry.selector.begin(name)
            registry.selector.settle(name, quality=quality, cost_usd=None, latency_s=None)
    assert registry.select(objective=Objective(quality=1, cost=0, latency=0)).model_id == "good"
    assert registry.select(objective=Objective(quality=0.1, cost=1, latency=0)).model_id == "cheap"
    assert registry.select(objective={"quality": 0.1, "cost": 1, "latency": 0}).model_id == "cheap"


async def test_embeddings_are_accounted_like_any_call(registry, scripted, monkeypatch):
    """Vectors, usage and cost; a failure is classified and counted."""
    model = registry.register_model(scripted("e", cost={"input": 2, "output": 0}))

    async def vectors(texts, params):
        return Embeddings([[1.0, 0.0]] * len(texts), usage=UsageStats(500_000, 0))

    monkeypatch.setattr(model, "send_embeddings", vectors)
    found = await model.embed(["a", "b"])
    assert (found, found.model_id, found.usage["cost"]) == ([[1.0, 0.0]] * 2, "e", 1.0)
    assert registry.get_usage_summary("e").cost_usd == 1.0

    async def broken(texts, params):
        raise ConnectionResetError

    monkeypatch.setattr(model, "send_embeddings", broken)
    with pytest.raises(ProviderAPIError) as caught:
        await model.embed("a", max_attempts=1)
    assert caught.value.context["error_type"] == "connection"
    assert (model.metrics.calls, model.metrics.failures, model.metrics.in_flight) == (2, 1, 0)


async def test_a_rating_reaches_the_model_that_answered(emulator, registry):
    """Over HTTP as in memory."""
    emulator.script("openai-model", Say("poor"))
    response = await registry.generate_response("Hello", models=["openai-model"])
    response.rate(0.1)
    assert registry.selector.statistics()[response.model_id]["mean_quality"] == pytest.approx(0.1)
