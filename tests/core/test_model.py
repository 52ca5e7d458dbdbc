"""A model of your own: two methods, in whatever style, and everything else comes with it."""

import asyncio
import pickle
from typing import Any

import pytest

from orchestrator.core.cost import Cost
from orchestrator.core.messages import ChatResponse, Chunk, Reply
from orchestrator.core.model import Model, ModelCapabilities
from orchestrator.core.usage import UsageStats
from orchestrator.errors import (
    ModelProviderError,
    ProviderAPIError,
    ProviderConnectionError,
    ProviderTimeoutError,
    RateLimitError,
    StreamTruncatedError,
)


class CustomModel(Model):
    """The guide's own example."""

    def __init__(self, name: str, config: dict[str, Any]):
        capabilities = ModelCapabilities(text_generation=True, max_tokens=4096, supports_streaming=True)
        super().__init__(name=name, provider="custom", capabilities=capabilities)
        self.config = config

    async def generate_response(self, prompt: str, **kwargs) -> str:
        return f"{self.config['greeting']}, {prompt} {sorted(kwargs)}"

    async def health_check(self) -> bool:
        return True


class Shout(CustomModel):
    """A subclass that calls its parent."""

    async def generate_response(self, prompt, **kwargs):
        return (await super().generate_response(prompt, **kwargs)).upper()


class Provider(Model):
    """A provider class: it speaks for itself below the door."""

    async def send(self, request):
        return Reply(f"echo {request.prompt}", usage=UsageStats(1, 2), finish_reason="length")

    async def open_stream(self, request):
        yield Chunk("echo ")
        yield Chunk(request.prompt, finish_reason="stop")


class Guarded(Provider):
    """A user's subclass of a provider class."""

    async def generate_response(self, prompt, **kwargs):
        return await super().generate_response(prompt.replace("secret", "***"), **kwargs)

    async def stream_response(self, prompt, **kwargs):
        async for chunk in super().stream_response(prompt, **kwargs):
            yield Chunk(chunk.text.upper(), finish_reason=chunk.finish_reason)


def answering(method, **facts):
    """A model whose own method is this one."""
    kind = type("Answering", (Model,), {"generate_response": method})
    return kind(**{"id": "custom/it", **facts})


async def test_the_guides_example_works_as_written():
    """Text comes back as a response, and the call was counted."""
    model = CustomModel("mine", {"greeting": "Hi"})
    response = await model.generate_response("you", temperature=0)
    assert (response.text, response.model_id, model.id) == ("Hi, you ['temperature']", "custom/mine", "custom/mine")
    assert (model.metrics.calls, model.metrics.success_rate) == (1, 1.0)
    assert (await model.health_check(), model.capabilities.max_tokens) == (True, 4096)


async def test_super_reaches_the_parents_own_code_and_counts_once():
    """`super().generate_response()` is the plain method there, with its plain result."""
    model = Shout("mine", {"greeting": "Hi"})
    assert (await model.generate_response("you")).text == "HI, YOU []"
    assert model.metrics.calls == 1


async def test_a_subclass_of_a_provider_class_stands_before_it():
    """Code put over a provider's model runs, and `super()` reaches the provider; one call is one call."""
    model = Guarded(id="custom/guarded")
    response = await model.generate_response("my secret")
    assert (response.text, response.finish_reason, response.usage.total_tokens) == ("echo my ***", "length", 3)
    pieces = [chunk.text async for chunk in model.stream_response("hello")]
    assert "".join(pieces) == "ECHO HELLO"
    assert model.metrics.calls == 2


async def _older(self, prompt, parameters=None):
    return f"{prompt} {parameters}"


async def test_the_older_parameters_mapping_is_understood():
    """`generate_response(prompt, parameters)` works, called either way."""
    model = answering(_older)
    assert str(await model.generate_response("a", {"temperature": 1})) == "a {'temperature': 1}"
    assert str(await model.generate_response("a", temperature=1)) == "a {'temperature': 1}"


async def _narrow(self, prompt, temperature=0.5):
    return f"{temperature}"


async def test_only_the_keywords_a_method_names_reach_it():
    """A method without **kwargs is not broken by parameters it does not know."""
    assert str(await answering(_narrow).generate_response("a", temperature=1, top_p=0.1)) == "1"


async def test_a_plain_function_is_good_enough():
    """A method that is not async answers as well."""
    assert str(await answering(lambda self, prompt: prompt * 2).generate_response("ab")) == "abab"


@pytest.mark.parametrize(
    ("result", "text", "tokens"),
    [
        ("plain", "plain", None),
        (None, "", None),
        (42, "42", None),
        (ChatResponse("r", usage=UsageStats(1, 2)), "r", 3),
        (Reply("p", usage=UsageStats(2, 2)), "p", 4),
    ],
)
async def test_whatever_a_method_returns_becomes_a_response(result, text, tokens):
    """Text, None, a response or a reply: the caller sees one type."""
    response = await answering(lambda self, prompt: result).generate_response("a")
    assert isinstance(response, ChatResponse)
    assert (response.text, response.usage.total_tokens) == (text, tokens)


async def test_cost_is_worked_out_from_the_declared_price():
    """Tokens times price; unknown tokens or prices stay unknown, a local model is free."""
    said = Reply("x", usage=UsageStats(12, 47))
    priced = answering(lambda self, prompt: said, cost={"input": 30, "output": 60})
    assert (await priced.generate_response("a")).usage["cost"] == pytest.approx(0.00318)
    assert priced.cost == Cost(input=30, output=60)
    assert (await answering(lambda self, prompt: said).generate_response("a")).usage["cost"] is None
    assert (await answering(lambda self, prompt: said, is_local=True).generate_response("a")).usage["cost"] == 0


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError("the prompt was: canary"), ProviderAPIError),
        (TimeoutError(), ProviderTimeoutError),
        (ConnectionResetError("canary"), ProviderConnectionError),
        (RateLimitError("slow", retry_after_s=3), RateLimitError),
    ],
)
async def test_exceptions_become_errors_the_caller_can_act_on(raised, expected):
    """A foreign exception stays as the cause, and its text stays there; ours passes as it is."""

    async def fails(self, prompt):
        raise raised

    model = answering(fails)
    with pytest.raises(ProviderAPIError) as caught:
        await model.generate_response("canary")
    assert type(caught.value) is expected
    assert "canary" not in str(caught.value)
    assert caught.value.model_id == "custom/it"
    assert caught.value is raised or caught.value.__cause__ is raised
    assert (model.metrics.calls, model.metrics.failures) == (1, 1)


async def test_a_description_cannot_be_called_and_says_what_to_do():
    """A record of the catalogue names the ways to make it callable."""
    described = Model(id="openai/gpt-4")
    assert "register_provider" in described.setup_issue()
    assert not await described.health_check()
    with pytest.raises(ModelProviderError, match="description without a way to call it"):
        await described.generate_response("a")
    with pytest.raises(ModelProviderError, match="description"):
        await anext(described.stream_response("a"))


async def _counting(self, prompt, **kwargs):
    for word in prompt.split():
        yield word


async def test_a_custom_stream_yields_text_and_ends_with_a_summary():
    """Strings become chunks, the last one has the finish and the whole response."""
    model = type("Streams", (CustomModel,), {"stream_response": _counting})("mine", {"greeting": "Hi"})
    chunks = [chunk async for chunk in model.stream_response("a b c")]
    assert [chunk.text for chunk in chunks] == ["a", "b", "c", ""]
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].response.text == "abc"
    assert model.metrics.ttft_p50 is not None


async def test_a_model_without_a_stream_gives_one_piece():
    """Every model can be streamed."""
    chunks = [chunk async for chunk in CustomModel("mine", {"greeting": "Hi"}).stream_response("you")]
    assert [chunk.text for chunk in chunks] == ["Hi, you []", ""]


async def test_a_stream_that_breaks_says_how_far_it_came():
    """The text so far is on the error, and is no answer."""

    async def breaks(self, prompt):
        yield "half"
        raise StreamTruncatedError("cut")

    model = type("Breaks", (Model,), {"stream_response": breaks})(id="custom/b")
    with pytest.raises(StreamTruncatedError) as caught:
        [chunk async for chunk in model.stream_response("a")]
    assert caught.value.text_so_far == "half"
    assert model.metrics.failures == 1


async def test_a_consumer_who_walks_away_closes_the_source():
    """Leaving a stream runs the model's own clean-up at once."""
    closed = []

    async def endless(self, prompt):
        try:
            while True:
                yield "more"
        finally:
            closed.append(True)

    stream = type("Endless", (Model,), {"stream_response": endless})(id="custom/e").stream_response("a")
    await anext(stream)
    await stream.aclose()
    assert closed == [True]


def test_a_model_can_be_called_from_a_script():
    """`model(prompt)` needs no event loop."""
    assert CustomModel("mine", {"greeting": "Hi"})("you").text == "Hi, you []"


def test_the_records_attributes_read_through():
    """What the mapping's examples read off a model is there."""
    model = Model(
        id="gpt-4", provider="openai", context_size=8192, tags={"a"}, cost_per_token={"input": 3e-5},
        connector_metadata={"openrouter": {"id": "openai/gpt-4"}}, custom_metadata={"notes": "x"},
    )  # fmt: skip
    assert (model.id, model.provider, model.name, model.context_size) == ("gpt-4", "openai", "gpt-4", 8192)
    assert (model.is_local, model.tags, model.capabilities.get("streaming")) == (False, {"a"}, False)
    assert model.cost_per_token == {"input": pytest.approx(3e-5)}
    assert model.connector_metadata["openrouter"]["id"] == "openai/gpt-4"
    assert model.custom_metadata == {"notes": "x"}


def test_a_model_is_picklable():
    """Facts and figures travel; the registry it belongs to does not."""
    model = CustomModel("mine", {"greeting": "Hi"})
    model("you")
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.id, twin.metrics.calls, twin("you").text) == ("custom/mine", 1, "Hi, you []")


async def test_the_engines_own_options_do_not_reach_a_model():
    """Deadline and attempts speak to the engine, inside a registry or out of it."""
    model = CustomModel("mine", {"greeting": "Hi"})
    assert str(await model.generate_response("you", deadline_s=5, max_attempts=1)) == "Hi, you []"
    chunks = [chunk.text async for chunk in model.stream_response("you", deadline_s=5, max_attempts=1)]
    assert chunks[0] == "Hi, you []"


async def test_cancellation_passes_through():
    """A cancelled call is nobody's failure."""
    started = asyncio.Event()

    async def hangs(self, prompt):
        started.set()
        await asyncio.get_running_loop().create_future()

    model = answering(hangs)
    task = asyncio.create_task(model.generate_response("a"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.metrics.calls == 0


async def test_a_model_without_embeddings_says_so():
    """The remedy is another model."""
    with pytest.raises(ModelProviderError, match="embeddings capability"):
        await CustomModel("mine", {}).embed("a")


async def test_a_lone_stream_keeps_the_deadline_of_its_call():
    """A model without a registry that falls silent ends in a timeout with what it had said."""
    import asyncio

    from orchestrator.errors import ProviderTimeoutError

    class Silent(Model):
        async def stream_response(self, prompt, **kwargs):
            assert not kwargs
            yield "so "
            await asyncio.Event().wait()

    async def listen():
        return [chunk async for chunk in Silent(name="silent").stream_response("q", deadline_s=0.01)]

    with pytest.raises(ProviderTimeoutError) as caught:
        await listen()
    assert caught.value.text_so_far == "so "
