"""OpenAI's dialect over a real connection."""

from __future__ import annotations

import pytest

from orchestrator.core.messages import Image, Message, Request, ToolCall
from orchestrator.errors import InvalidRequestError, MalformedResponseError
from orchestrator.integrations import OpenAIModel

ANSWER = {
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
}
TOOL = {"name": "weather", "description": "Weather of a city", "parameters": {"type": "object", "properties": {}}}


def model(tiny, name="gpt-4o", **options):
    return OpenAIModel(name, api_key="sk-test", base_url=f"{tiny.url}/v1", **options)


async def collected(model, request):
    return [chunk async for chunk in model.open_stream(request)]


async def test_a_prompt_goes_out_as_chat_and_comes_back_as_reply(tiny):
    """Path, key, body; text, finish, usage in disjoint buckets, the provider's own model name."""
    tiny.reply(ANSWER)
    reply = await model(tiny).send(Request.of("Hello", temperature=0.5, max_tokens=5, top_k=7))
    assert (tiny.last["method"], tiny.last["path"]) == ("POST", "/v1/chat/completions")
    assert tiny.last["headers"]["authorization"] == "Bearer sk-test"
    assert tiny.last["body"] == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.5,
        "max_tokens": 5,
        "top_k": 7,
    }
    assert (reply.text, reply.finish_reason, reply.upstream_model) == ("Hi", "stop", "gpt-4o-2024-08-06")
    assert (reply.usage.input_tokens, reply.usage.cache_read_tokens, reply.usage.output_tokens) == (5, 4, 2)


async def test_the_public_door_answers_too(tiny):
    """generate_response gives a ChatResponse with the model's id."""
    tiny.reply(ANSWER)
    answer = await model(tiny).generate_response("Hello")
    assert (str(answer), answer.model_id) == ("Hi", "openai/gpt-4o")


@pytest.mark.parametrize("name", ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5-mini"])
async def test_reasoning_models_take_their_own_cap(tiny, name):
    """They reject max_tokens and know only max_completion_tokens."""
    tiny.reply(ANSWER)
    await model(tiny, name).send(Request.of("Hello", max_tokens=5))
    assert tiny.last["body"]["max_completion_tokens"] == 5
    assert "max_tokens" not in tiny.last["body"]


async def test_tools_schema_images_and_turns_are_written_out(tiny):
    """Everything a request can hold, in OpenAI's form."""
    tiny.reply(ANSWER)
    turns = [
        Message("system", "Be brief"),
        Message("user", ("What is this?", Image(data=b"\x89PNG", media_type="image/png"))),
        Message("assistant", "", (ToolCall("weather", {"city": "Rome"}, "c1"),)),
        Message("tool", "Sunny", tool_call_id="c1"),
    ]
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    await model(tiny).send(Request.of(turns, tools=[TOOL], tool_choice="weather", response_format=schema))
    body = tiny.last["body"]
    assert body["messages"][1]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,iVBORw=="},
    }
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert body["messages"][2]["content"] is None
    assert body["messages"][3] == {"role": "tool", "content": "Sunny", "tool_call_id": "c1"}
    assert body["tools"] == [{"type": "function", "function": TOOL}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert body["response_format"]["json_schema"] == {"name": "answer", "schema": schema, "strict": True}


async def test_a_stream_comes_in_pieces_and_closes_with_the_whole(tiny):
    """Text as it comes; the last chunk has finish, usage and the tool calls put together."""
    tiny.stream(
        {"model": "m", "choices": [{"index": 0, "delta": {"content": "He"}}]},
        b": ping\n\n",
        {"choices": [{"index": 1, "delta": {"content": "not the answer"}}]},
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a"'}}]},
                }
            ]
        },
        {
            "choices": [
                {"index": 0, "delta": {"content": "y", "tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}}
            ]
        },
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    )
    chunks = await collected(model(tiny), Request.of("Hello"))
    assert [chunk.text for chunk in chunks] == ["He", "y", ""]
    assert chunks[-1].finish_reason == "tool_calls"
    assert chunks[-1].tool_calls == (ToolCall("f", {"a": 1}, "c"),)
    assert chunks[-1].usage.total_tokens == 7
    assert tiny.last["body"]["stream_options"] == {"include_usage": True}
    assert tiny.last["headers"]["accept-encoding"] == "identity"


async def test_a_whole_answer_to_a_wish_for_a_stream_is_one_chunk(tiny):
    """Some servers ignore stream=true."""
    tiny.reply(ANSWER)
    chunks = await collected(model(tiny), Request.of("Hello"))
    assert [(chunk.text, chunk.finish_reason) for chunk in chunks] == [("Hi", "stop")]


async def test_embeddings_come_in_the_order_asked(tiny):
    """By index, from numbers or from packed bytes."""
    tiny.reply(
        {
            "data": [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": "AACAPwAAAEA="}],
            "usage": {"prompt_tokens": 5},
        }
    )
    vectors = await model(tiny, "text-embedding-3-small").embed(["a", "b"])
    assert vectors == [[1.0, 2.0], [3.0, 4.0]]
    assert vectors.usage.prompt_tokens == 5
    assert tiny.last["path"] == "/v1/embeddings"


@pytest.mark.parametrize(
    "data", [[], [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}], [{"embedding": []}]]
)
async def test_odd_embeddings_are_refused(tiny, data):
    """Too few, of different lengths, empty."""
    tiny.reply({"data": data})
    with pytest.raises(MalformedResponseError):
        await model(tiny).send_embeddings(["a", "b"], {})


async def test_models_are_listed_and_health_is_that_list(tiny):
    """A health check asks for the list, never for an answer."""
    tiny.reply(
        {"data": [{"id": "gpt-4o"}, {"id": "gpt-4o"}, {"id": None}, "odd", {"id": "mine", "max_model_len": 4096}]}
    )
    assert [(m.id, m.context_window) for m in await model(tiny).list_models()] == [("gpt-4o", None), ("mine", 4096)]
    assert await model(tiny).health_check() is True
    assert {request["method"] for request in tiny.requests} == {"GET"}


async def test_the_responses_api_is_spoken_on_demand(tiny):
    """Typed items, flat tools, instructions."""
    tiny.reply(
        {
            "status": "completed",
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
                {"type": "function_call", "name": "weather", "call_id": "c", "arguments": "{}"},
            ],
            "usage": {"input_tokens": 5, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}},
        }
    )
    request = Request.of("Hello", system="Be brief", max_tokens=9, tools=[TOOL], reasoning_effort="low")
    reply = await model(tiny, api="responses").send(request)
    assert tiny.last["path"] == "/v1/responses"
    assert tiny.last["body"] == {
        "model": "gpt-4o",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
        "instructions": "Be brief",
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "tools": [{"type": "function", **TOOL}],
    }
    assert (reply.text, reply.finish_reason, reply.usage.output_tokens) == ("Hi", "tool_calls", 2)


async def test_a_number_that_is_none_never_leaves(tiny):
    """NaN is refused before the request."""
    with pytest.raises(InvalidRequestError, match="temperature"):
        await model(tiny).send(Request.of("Hello", temperature=float("nan")))
    assert tiny.requests == []
