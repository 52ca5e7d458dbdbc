"""Their clients as our models: the contract of every model, and each library's failures in our words."""

import pickle

import pytest
from adapter_stage import KEY, framework

from orchestrator import ModelRegistry
from orchestrator.adapters import model_of
from orchestrator.errors import (
    AuthenticationError,
    ContextLengthError,
    ModelProviderError,
    OverloadedError,
    ProviderConnectionError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
    UpstreamNotFoundError,
)
from orchestrator.integrations.failures import UnsupportedFeatureError
from orchestrator.testing import CallTool, CutStream, Drop, EmulatedModel, Emulator, Fail, InBandError, Say
from orchestrator.testing.contracts import ModelContract

ANSWER = "The answer is 42, as everybody knows."
CLIENTS = ("openai", "anthropic", "langchain_openai", "langchain_anthropic", "pydantic_ai")
TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def client_of(library, town):
    """A client of this library for the model `claude-next`, with the context that closes it."""
    made = framework(library)
    options = {"api_key": KEY, "max_retries": 0}
    at_openai, at_anthropic = town.base_url("openai"), town.base_url("anthropic").removesuffix("/v1")
    if library == "openai":
        return made.AsyncOpenAI(base_url=at_openai, api_key=KEY)
    if library == "anthropic":
        return made.AsyncAnthropic(base_url=at_anthropic, api_key=KEY)
    if library == "langchain_openai":
        own = framework("openai").DefaultAsyncHttpxClient()  # else one that was closed comes back for the same port
        return made.ChatOpenAI(
            model="claude-next", base_url=at_openai, stream_usage=True, http_async_client=own, **options
        )
    if library == "langchain_anthropic":
        return made.ChatAnthropic(model="claude-next", base_url=at_anthropic, max_tokens=100, **options)
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(openai_client=framework("openai").AsyncOpenAI(base_url=at_openai, api_key=KEY))
    return OpenAIChatModel("claude-next", provider=provider)


@pytest.fixture(params=CLIENTS)
async def model(request, town):
    """The same model behind each client."""
    client = client_of(request.param, town)
    yield model_of(client, name="claude-next", id="theirs")
    await closed(client)


async def closed(client):
    """Whatever holds the connections lets go of them."""
    for holder in (client, getattr(client, "client", None), getattr(client, "root_async_client", None)):
        if hasattr(holder, "close"):
            await holder.close()
            return
    if hasattr(client, "_async_client"):
        await client._async_client.close()
        from langchain_anthropic import _client_utils

        _client_utils._get_default_async_httpx_client.cache_clear()  # it would be given out again for the same port


class TestContract(ModelContract):
    """Each of them keeps what every model promises."""

    answer = ANSWER

    @pytest.fixture(params=CLIENTS)
    async def model(self, request):
        with Emulator.in_thread([EmulatedModel("claude-next", script=[Say(ANSWER)] * 32)]) as town:
            client = client_of(request.param, town)
            yield model_of(client, name="claude-next", id="theirs")
            await closed(client)


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_come_back_as_calls(model, town, streamed):
    """Asked for in one form, called in one form; the result goes back."""
    town.script("claude-next", CallTool("weather", {"city": "Oslo"}), Say("It rains."))
    if streamed:
        answer = [chunk async for chunk in model.stream_response("Weather?", tools=[TOOL])][-1]
    else:
        answer = await model.generate_response("Weather?", tools=[TOOL])
    (call,) = answer.tool_calls
    assert (call.name, call.arguments, answer.finish_reason) == ("weather", {"city": "Oslo"}, "tool_calls")
    history = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "rain", "tool_call_id": call.id},
    ]
    assert (await model.generate_response(history, tools=[TOOL])).text == "It rains."


async def test_usage_is_counted(model, town):
    """Tokens are known, whole and streamed, and with them what a priced model costs."""
    whole = await model.generate_response("Hello there")
    last = [chunk async for chunk in model.stream_response("Hello there")][-1]
    assert whole.usage.prompt_tokens > 0 < whole.usage.completion_tokens
    assert last.usage.completion_tokens == whole.usage.completion_tokens
    assert last.usage.prompt_tokens != 0  # a library that was not told says 0: that is not known
    assert whole.cost_usd is None


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Fail(429, retry_after_s=7), RateLimitError),
        (Fail(401), AuthenticationError),
        (Fail(503), OverloadedError),
        (Fail(kind="context_length"), ContextLengthError),
        (Fail(404), UpstreamNotFoundError),
        (Drop(), ProviderConnectionError),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_failures_are_ours_with_theirs_behind(model, town, step, kind, streamed):
    """Class, model and waiting time; neither key nor prompt in the message."""
    town.break_model("claude-next", step)

    async def asked(prompt):
        if streamed:
            return [chunk async for chunk in model.stream_response(prompt)]
        return await model.generate_response(prompt)

    with pytest.raises(kind) as caught:
        await asked("a very private question indeed")
    assert caught.value.model_id == "theirs"
    assert caught.value.__cause__ is not None
    assert KEY not in str(caught.value)
    assert "private question" not in str(caught.value)
    if kind is RateLimitError:
        assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    "step", [CutStream(after_chunks=1, clean=True), CutStream(after_chunks=1), InBandError("overloaded")]
)
async def test_half_an_answer_is_none(model, town, step):
    """However it breaks off, the error has what came."""
    town.break_model("claude-next", step)
    kind = (OverloadedError, ServerError) if isinstance(step, InBandError) else StreamTruncatedError
    with pytest.raises(kind) as caught:
        _ = [chunk async for chunk in model.stream_response("Hello there")]
    assert caught.value.text_so_far


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_model_takes_over_and_every_attempt_is_counted(model, town, registry, streamed):
    """One attempt is one request: the client does not retry behind the engine's back."""
    mixed = ModelRegistry("round-robin", seed=1)
    mixed["theirs"], mixed["second"] = model, registry["second"]
    town.break_model("claude-next", Fail(503))
    for _ in range(2):
        if streamed:
            last = [chunk async for chunk in mixed.stream_response("?")][-1]
            assert last.model_id == "second"
        else:
            assert (await mixed.generate_response("?")).model_id == "second"
    assert town.requests["claude-next"] == model.metrics.calls == model.metrics.failures == 2
    await mixed.cleanup()


async def test_a_pickled_model_has_no_client(model):
    """It says what to do; nothing of the client travels."""
    sent = pickle.dumps(model)
    assert KEY.encode() not in sent
    with pytest.raises(ModelProviderError, match="model_of"):
        await pickle.loads(sent).generate_response("?")


async def test_an_openai_client_computes_vectors_too(town):
    """One vector a text."""
    async with client_of("openai", town) as client:
        model = model_of(client, name="text-embedding-3-small")
        assert len(await model.embed(["a", "b"])) == 2


def test_who_serves_it_is_read_from_the_address(town):
    """So that prices and limits are those of the right house; models that share a key and an address know it."""
    openai = framework("openai")
    provider = {
        "https://api.openai.com/v1": "openai",
        "https://api.groq.com/openai/v1": "groq",
        "http://127.0.0.1:9/v1": "compatible",
    }
    for address, name in provider.items():
        made = model_of(openai.AsyncOpenAI(base_url=address, api_key=KEY), name="m")
        assert (made.provider, made.id) == (name, f"{name}/m")
    azure = openai.AsyncAzureOpenAI(azure_endpoint="https://x.example", api_version="1", api_key=KEY)
    assert model_of(azure, name="m").provider == "azure"
    one, other, third = (model_of(openai.AsyncOpenAI(api_key=key), name="m") for key in (KEY, KEY, "sk-another"))
    assert one.key_id == other.key_id != third.key_id
    assert KEY not in one.key_id


async def test_what_only_another_provider_knows_stays_behind(town, registry):
    """When a client's model takes over, it is not refused for a parameter meant for the first."""
    async with client_of("openai", town) as client:
        mixed = ModelRegistry("round-robin", seed=1)
        mixed["theirs"], mixed["second"] = model_of(client, name="claude-next"), registry["second"]
        for name in ("second", "claude-next"):
            assert (await mixed.generate_response("?", num_ctx=4096)).text, name
        assert "num_ctx" in mixed["theirs"].foreign_params
        await mixed.cleanup()


async def test_what_a_client_cannot_do_is_a_mismatch():
    """Another model may be able to: no blame, and no retry."""
    framework("pydantic_ai")
    from pydantic_ai.models.function import FunctionModel

    def refuse(messages, info):
        raise NotImplementedError("a private word")

    with pytest.raises(UnsupportedFeatureError, match="cannot do") as caught:
        await model_of(FunctionModel(refuse)).generate_response("?")
    assert "private" not in str(caught.value)


async def test_fakes_of_the_frameworks_are_models_too():
    """Those that say nothing about how an answer ended are taken at their word."""
    framework("langchain_core")
    framework("pydantic_ai")
    from langchain_core.language_models import FakeListChatModel
    from pydantic_ai.models.test import TestModel

    for fake in (FakeListChatModel(responses=["ok"] * 2), TestModel(custom_output_text="ok")):
        model = model_of(fake)
        assert (await model.generate_response("?")).text == "ok"
        assert "".join([chunk.text async for chunk in model.stream_response("?")]) == "ok"


def test_blocking_clients_and_strangers_are_refused():
    """With what to give instead."""
    openai = framework("openai")
    with pytest.raises(TypeError, match=r"AsyncOpenAI with the same arguments"):
        model_of(openai.OpenAI(api_key=KEY), name="m")
    with pytest.raises(TypeError, match=r"needs name="):
        model_of(openai.AsyncOpenAI(api_key=KEY))
    with pytest.raises(TypeError, match=r"dict is no client known here"):
        model_of({}, name="m")
