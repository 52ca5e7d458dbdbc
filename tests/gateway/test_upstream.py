"""What reaches the provider of what a client has said, dialect by dialect."""

import base64
import json
from contextlib import asynccontextmanager

import anthropic
import openai
import pytest

from orchestrator import AnthropicModel, GoogleModel, ModelRegistry, OllamaModel, OpenAIModel
from orchestrator.gateway import Gateway, GatewaySettings
from orchestrator.testing import FaultServer, Head, Send

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n-a-picture").decode()
DATA_URL = f"data:image/png;base64,{PNG}"
SCHEMA = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}


@asynccontextmanager
async def between():
    """An address to ask, and the bodies that arrive at the provider."""
    async with FaultServer() as provider, ModelRegistry() as registry:
        registry["m"] = OpenAIModel(name="m", api_key="x", base_url=provider.base_url("openai"))
        async with Gateway(registry, GatewaySettings(port=0, drain_s=1)).serving() as url:
            yield url, lambda: json.loads(provider.requests[-1].body)


def parts_of(body):
    """The kinds of parts in the last turn."""
    return [part["type"] for part in body["messages"][-1]["content"]]


async def test_pictures_arrive_from_every_dialect():
    """By content or address, in chat, in Responses and in Messages."""
    async with between() as (url, arrived):
        async with openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1") as client:
            parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}])
            chat = arrived()
            parts = [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": DATA_URL}]
            await client.responses.create(model="m", input=[{"role": "user", "content": parts}])
            responses = arrived()
        async with anthropic.AsyncAnthropic(api_key="k", base_url=url) as client:
            source = {"type": "base64", "media_type": "image/png", "data": PNG}
            parts = [{"type": "text", "text": "What?"}, {"type": "image", "source": source}]
            await client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": parts}])
            messages = arrived()
    assert parts_of(chat) == parts_of(responses) == parts_of(messages) == ["text", "image_url"]
    assert {body["messages"][-1]["content"][1]["image_url"]["url"] for body in (chat, responses, messages)} == {
        DATA_URL
    }


async def test_a_schema_and_limits_arrive_under_their_common_names():
    """`max_completion_tokens`, `max_output_tokens` and `max_tokens` are one thing; so are the two forms of a schema."""
    async with between() as (url, arrived), openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1") as client:
        form = {"type": "json_schema", "json_schema": {"name": "sum", "schema": SCHEMA}}
        ask = [{"role": "user", "content": "2 + 3?"}]
        await client.chat.completions.create(model="m", messages=ask, max_completion_tokens=7, response_format=form)
        chat = arrived()
        text = {"format": {"type": "json_schema", "name": "sum", "schema": SCHEMA}}
        await client.responses.create(model="m", input="2 + 3?", max_output_tokens=7, text=text, instructions="Short.")
        responses = arrived()
    assert chat["max_tokens"] == responses["max_tokens"] == 7
    assert chat["response_format"]["json_schema"]["schema"] == SCHEMA
    assert responses["response_format"]["json_schema"]["schema"] == SCHEMA
    assert responses["messages"][0] == {"role": "system", "content": "Short."}


async def test_likelihoods_of_tokens_come_back_each_time_they_are_asked_for():
    """A provider's `logprobs` are the client's; an answer from the cache would have none, so none is taken."""
    told = {"content": [{"token": "5", "logprob": -0.1, "bytes": [53], "top_logprobs": []}], "refusal": None}
    choice = {"index": 0, "message": {"role": "assistant", "content": "5"}, "logprobs": told, "finish_reason": "stop"}
    reply = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
    async with FaultServer(*[[Head(length=len(reply)), Send(reply)]] * 2) as provider, ModelRegistry() as registry:
        registry["m"] = OpenAIModel(name="m", api_key="x", base_url=provider.base_url("openai"))
        async with (
            Gateway(registry, GatewaySettings(port=0, drain_s=1)).serving() as url,
            openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1") as client,
        ):
            ask = {
                "model": "m",
                "messages": [{"role": "user", "content": "2 + 3?"}],
                "logprobs": True,
                "top_logprobs": 1,
            }
            for _ in range(2):
                answer = await client.chat.completions.create(**ask)
                assert answer.choices[0].logprobs.content[0].logprob == -0.1
        assert len(provider.requests) == 2


async def test_a_schema_comes_from_messages_too():
    """Anthropic's client asks for the form of an answer in its own way, and parses what comes."""
    from pydantic import BaseModel

    class Sum(BaseModel):
        value: int

    choice = {"index": 0, "message": {"role": "assistant", "content": '{"value": 5}'}, "finish_reason": "stop"}
    reply = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
    async with FaultServer([Head(length=len(reply)), Send(reply)]) as provider, ModelRegistry() as registry:
        registry["m"] = OpenAIModel(name="m", api_key="x", base_url=provider.base_url("openai"))
        async with (
            Gateway(registry, GatewaySettings(port=0, drain_s=1)).serving() as url,
            anthropic.AsyncAnthropic(api_key="k", base_url=url) as client,
        ):
            ask = [{"role": "user", "content": "2 + 3?"}]
            answer = await client.messages.parse(model="m", max_tokens=9, messages=ask, output_format=Sum)
        body = json.loads(provider.requests[-1].body)
    assert answer.parsed_output == Sum(value=5)
    assert body["response_format"]["json_schema"]["schema"]["properties"]["value"]["type"] == "integer"


async def test_one_tool_at_a_time_is_a_wish_of_messages_too():
    """`disable_parallel_tool_use` is `parallel_tool_calls` elsewhere; so are the names of the choices."""
    tool, ask = {"name": "now", "input_schema": {"type": "object"}}, [{"role": "user", "content": "When?"}]
    arrived_wishes = []
    async with between() as (url, arrived), anthropic.AsyncAnthropic(api_key="k", base_url=url) as client:
        for choice in (
            {"type": "any", "disable_parallel_tool_use": True},
            {"type": "tool", "name": "now"},
            {"type": "none"},
        ):
            await client.messages.create(model="m", max_tokens=9, messages=ask, tools=[tool], tool_choice=choice)
            arrived_wishes.append((arrived()["tool_choice"], arrived().get("parallel_tool_calls")))
    named = {"type": "function", "function": {"name": "now"}}
    assert arrived_wishes == [("required", False), (named, None), ("none", None)]


async def test_the_picture_that_a_tool_has_made_is_seen():
    """It follows the tool's words as the user's own, for others let no tool show one."""
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    shown = [{"type": "text", "text": "a screen"}, {"type": "image", "source": source}]
    turns = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": shown}]},
    ]
    async with between() as (url, arrived), anthropic.AsyncAnthropic(api_key="k", base_url=url) as client:
        await client.messages.create(model="m", max_tokens=9, messages=turns)
    *_, result, picture = arrived()["messages"]
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "t", "a screen")
    assert (picture["role"], picture["content"][0]["image_url"]["url"]) == ("user", DATA_URL)


async def test_what_speaks_to_the_platform_alone_stays_here():
    """Neither bookkeeping of OpenAI's nor words to the engine reach a provider."""
    async with between() as (url, arrived), openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1") as client:
        await client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "hi"}],
            user="u1",
            store=True,
            metadata={"a": "b"},
            extra_body={"orchestrator": {"tenant": "acme", "deadline_s": 5}},
            top_p=0.5,
        )
    assert arrived().keys() == {"model", "messages", "top_p"}


async def test_a_caller_s_key_never_travels_on():
    """Nor does any header of the caller's."""
    async with FaultServer() as provider, ModelRegistry() as registry:
        registry["m"] = OpenAIModel(name="m", api_key="ours", base_url=provider.base_url("openai"))
        async with Gateway(registry, GatewaySettings(port=0, drain_s=1)).serving() as url:
            headers = {"X-Secret": "theirs", "Cookie": "theirs"}
            async with openai.AsyncOpenAI(api_key="theirs", base_url=f"{url}/v1", default_headers=headers) as client:
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        sent = provider.requests[-1].headers
    assert sent["authorization"] == "Bearer ours"
    assert "theirs" not in str(sent)


NOWHERE = "http://127.0.0.1:9/v1"
TYPED_WRONGLY = [
    (AnthropicModel, {"output_config": True, "reasoning_effort": "low"}),
    (AnthropicModel, {"stop_sequences": True}),
    (AnthropicModel, {"cache_marks": 5}),
    (AnthropicModel, {"cache_marks": "messages"}),
    (GoogleModel, {"generationConfig": "hot"}),
    (OllamaModel, {"options": ["hot"], "seed": 1}),
    (OpenAIModel, {"tools": [{"name": "now", "parameters": {}}], "tool_choice": {"type": []}}),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("kind", "wrong"), TYPED_WRONGLY)
async def test_what_a_provider_cannot_be_told_is_the_callers_mistake_and_no_failure_of_the_model(kind, wrong, stream):
    """However often it is sent: one caller cannot have a model taken out for all the others."""
    async with ModelRegistry() as registry:
        registry["m"] = kind(name="m", api_key="x", base_url=NOWHERE)
        async with (
            Gateway(registry, GatewaySettings(port=0, drain_s=1)).serving() as url,
            openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client,
        ):
            ask = {"model": "m", "messages": [{"role": "user", "content": "2 + 3?"}], "stream": stream}
            for _ in range(6):
                with pytest.raises(openai.BadRequestError, match=r"not of the kinds that|tool_choice is"):
                    await client.chat.completions.create(**ask, extra_body=wrong)
        assert registry.health.status_of(registry["m"]).failures == 0
