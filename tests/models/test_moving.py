"""A request that moves to another provider: what only the first one understands stays behind, what it needs does not."""

import asyncio

import pytest

from orchestrator.core.messages import Embeddings, Message, Request, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.errors import NoEligibleModelsError, ProviderTimeoutError, ServerError
from orchestrator.integrations import AnthropicModel, GoogleModel, OllamaModel, OpenAIModel
from orchestrator.integrations.dialects.bound import OWN_PARAMS, foreign_to
from orchestrator.integrations.dialects.openai_responses import OpenAIResponses
from orchestrator.integrations.dialects.tgi import TextGeneration
from orchestrator.integrations.failures import UnsupportedFeatureError
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import EmulatedModel, Emulator, Fail

KINDS = {"openai": OpenAIModel, "anthropic": AnthropicModel, "google": GoogleModel, "ollama": OllamaModel}
PICTURE = ["What is this?", b"\x89PNG\r\n\x1a\n"]


@pytest.fixture
async def emulator():
    """One model at each of four providers, and what they were sent."""
    async with Emulator([EmulatedModel(f"{p}-model", provider=p) for p in KINDS]) as emulator:
        yield emulator
        await close_sessions()


def registry_of(emulator, *providers):
    """A registry that asks these in this order."""
    registry = ModelRegistry(seed=0)
    for provider in providers:
        model = KINDS[provider](name=f"{provider}-model", base_url=emulator.base_url(provider), api_key="k")
        registry.register_model(model)
    return registry


def kept(model):
    """The requests that reach this model's dialect."""
    seen, own = [], model.send

    async def send(request):
        seen.append(request)
        return await own(request)

    model.send = send
    return seen


@pytest.mark.parametrize(
    ("first", "param"),
    [
        ("openai", {"prompt_cache_key": "p"}),
        ("anthropic", {"mcp_servers": []}),
        ("google", {"safety_settings": []}),
        ("ollama", {"num_ctx": 4096}),
    ],
)
async def test_what_only_one_provider_understands_goes_to_it_alone(emulator, first, param):
    """The next one, of another dialect, gets the request without it; what all understand goes along."""
    second = "google" if first != "google" else "anthropic"
    emulator.break_provider(first, Fail(503))
    registry = registry_of(emulator, first, second)
    seen = {provider: kept(registry[f"{provider}-model"]) for provider in (first, second)}
    await registry.generate_response("hi", temperature=0.5, **param)
    assert seen[first][0].params == {"temperature": 0.5, **param}
    assert seen[second][0].params == {"temperature": 0.5}


async def test_a_model_that_was_named_gets_all_that_was_given(emulator):
    """Whoever names the model knows what it takes."""
    registry = registry_of(emulator, "anthropic")
    seen = kept(registry["anthropic-model"])
    await registry["anthropic-model"].generate_response("hi", num_ctx=1)
    assert seen[0].params == {"num_ctx": 1}


async def test_a_conversation_that_one_provider_keeps_is_not_continued_elsewhere(emulator):
    """Without it the question would be another one: the error of the one that can, or why nobody can."""
    registry = registry_of(emulator, "anthropic", "google")
    with pytest.raises(NoEligibleModelsError, match="previous_response_id"):
        await registry.generate_response("and then?", previous_response_id="resp_1")
    emulator.break_provider("google", Fail(500))
    with pytest.raises(ServerError) as caught:
        await registry.generate_response("and then?", cached_content="cachedContents/1", max_attempts=1)
    assert [a.model_id for a in caught.value.attempts] == ["google/google-model"]


def test_every_row_is_about_a_dialect_that_exists():
    """A dialect that was renamed does not silently lose its row."""
    dialects = [OpenAIResponses, TextGeneration, *(type(kind.service.dialect) for kind in KINDS.values())]
    assert set(OWN_PARAMS) == {dialect.__name__ for dialect in dialects}
    assert all(not OWN_PARAMS[name] & foreign_to(name) for name in OWN_PARAMS)


def test_the_signature_of_a_call_goes_back_to_google_alone():
    """Others get the call and its result, and nothing of what Google has signed."""
    turns = [
        Message("user", "What time is it?"),
        Message("assistant", "", (ToolCall("now", {}, "c1", "signed"),)),
        Message("tool", "12:00", tool_call_id="c1", name="now"),
    ]
    request = Request.of(turns, tools=[{"name": "now"}])
    bodies = {provider: str(KINDS[provider].service.dialect.encode(request, "m", stream=False)) for provider in KINDS}
    assert {provider for provider, body in bodies.items() if "signed" in body} == {"google"}


# what a request needs decides who may take it over


@pytest.mark.parametrize(
    ("needs", "lacking"),
    [
        ({"tools": [{"name": "now"}]}, "function_calling"),
        ({"response_format": {"type": "object", "properties": {}}}, "structured_output"),
        ({"prompt": PICTURE}, "vision"),
    ],
)
async def test_nobody_takes_over_who_lacks_what_the_request_uses(registry, scripted, needs, lacking):
    """Tools, a schema, pictures: the blind model is passed over, the able one answers."""
    registry.register_model(scripted("a", [ServerError("x")]))
    blind = registry.register_model(scripted("b", capabilities={lacking: False}))
    registry.register_model(scripted("c"))
    prompt = needs.pop("prompt", "hi")
    assert (await registry.generate_response(prompt, **needs)).model_id == "c"
    assert blind.asked == 0


async def test_nobody_takes_over_whose_window_is_too_small(registry, scripted):
    """A long prompt stays with those it fits."""
    registry.register_model(scripted("a", [ServerError("x")], context_window=200_000))
    small = registry.register_model(scripted("b", context_window=4_096))
    registry.register_model(scripted("c", context_window=200_000))
    assert (await registry.generate_response("word " * 20_000)).model_id == "c"
    assert small.asked == 0


async def test_a_picture_that_one_model_cannot_see_is_shown_to_another(registry, three):
    """Although nobody had declared that it is blind; and nobody is blamed."""
    three[0].steps.append(UnsupportedFeatureError("image_url is only supported by certain models"))
    assert (await registry.generate_response(PICTURE)).model_id == "b"
    assert registry.health.status_of(three[0]).healthy
    assert three[0].metrics.calls == 0


# vectors


class Vectors:
    """Answers embedding calls by a script, and then with vectors."""

    def __init__(self, *steps):
        self.steps, self.asked = list(steps), 0

    async def __call__(self, texts, params):
        self.asked += 1
        step = self.steps.pop(0) if self.steps else None
        if step is not None:
            raise step
        return Embeddings([[1.0]] * len(texts), usage=UsageStats(len(texts), 0))


async def test_vectors_are_asked_of_the_same_model_again_and_of_no_other(registry, three):
    """Those of another model would mean something else."""
    three[0].send_embeddings, three[1].send_embeddings = Vectors(ServerError("x")), Vectors()
    call = asyncio.create_task(three[0].embed(["one", "two"]))
    await registry.clock.advance(5)
    assert (await call).model_id == "a"
    assert (three[0].send_embeddings.asked, three[1].send_embeddings.asked) == (2, 0)


async def test_vectors_have_a_deadline_and_a_number_of_attempts(registry, three):
    """The same options as for an answer, kept from the provider."""
    three[0].send_embeddings = Vectors(*[ServerError("x")] * 9)
    with pytest.raises(ServerError) as caught:
        await three[0].embed("one", max_attempts=1)
    assert len(caught.value.attempts) == 1

    async def hangs(texts, params):
        assert params == {"dimensions": 8}
        await asyncio.get_running_loop().create_future()

    three[1].send_embeddings = hangs
    call = asyncio.create_task(three[1].embed("one", deadline_s=3, dimensions=8))
    await registry.clock.advance(3)
    with pytest.raises(ProviderTimeoutError):
        await call
