"""The real client libraries of OpenAI and Anthropic work against the gateway."""

import asyncio
import json

import anthropic
import openai
import pytest
from gateway_stage import stage

from orchestrator.testing import CallTool, CutStream, EmulatedModel, Fail, Say

ASK = [{"role": "user", "content": "What is 2 + 3?"}]
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALL = CallTool("weather", {"city": "Paris"})


async def test_openai_chat_answers_and_says_who_why_and_at_what_cost(served):
    """A whole answer carries its facts in headers."""
    async with served.openai() as client:
        raw = await client.chat.completions.with_raw_response.create(model="auto", messages=ASK)
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert raw.headers["x-orchestrator-model"] == answer.model
    assert raw.headers["x-orchestrator-response-id"] == answer.id
    assert raw.headers["x-orchestrator-reason"] == "chosen by UCBModelSelector"
    assert raw.headers["x-orchestrator-attempts"] == "1"
    assert float(raw.headers["x-orchestrator-overhead-ms"]) >= 0


async def test_a_failing_model_is_stepped_over_and_named_in_the_reason():
    """The client sees an answer; the header tells what it took."""
    async with stage(EmulatedModel("bad", script=[Fail(503)] * 9), EmulatedModel("good")) as served:
        async with served.openai() as client:
            raw = await client.chat.completions.with_raw_response.create(
                model="auto", messages=ASK, extra_headers={"X-Orchestrator-Max-Attempts": "3"}
            )
        assert raw.parse().model == "good"
        assert "bad (overloaded)" in raw.headers["x-orchestrator-reason"]


async def test_openai_chat_streams_the_same_text_and_its_usage(served):
    """Pieces add up; usage comes last because it was asked for."""
    async with served.openai() as client:
        stream = await client.chat.completions.create(
            model="first", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0
    assert len({c.id for c in chunks}) == 1


async def test_several_choices_are_asked_side_by_side(served):
    """`n` answers come, whole and streamed, each with its own index."""
    async with served.openai() as client:
        whole = await client.chat.completions.create(model="second", messages=ASK, n=3)
        stream = await client.chat.completions.create(model="second", messages=ASK, n=2, stream=True)
        ends = [c.choices[0].index async for c in stream if c.choices and c.choices[0].finish_reason]
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert sorted(ends) == [0, 1]


@pytest.mark.parametrize("streamed", [False, True])
async def test_openai_tools_come_back_as_calls(streamed):
    """A call of a tool keeps its name and arguments, whole or in pieces."""
    async with stage(EmulatedModel("m", script=[CALL])) as served, served.openai() as client:
        tools = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
        answer = await client.chat.completions.create(model="m", messages=ASK, tools=tools, stream=streamed)
        if streamed:
            deltas = [c.choices[0].delta async for c in answer if c.choices]
            call = next(d.tool_calls[0] for d in deltas if d.tool_calls)
        else:
            call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}


async def test_openai_structured_output_is_parsed_by_the_client():
    """`chat.completions.parse` gives the pydantic object."""
    from pydantic import BaseModel

    class Sum(BaseModel):
        value: int

    async with stage(EmulatedModel("m", script=[Say('{"value": 5}')])) as served, served.openai() as client:
        answer = await client.chat.completions.parse(model="m", messages=ASK, response_format=Sum)
    assert answer.choices[0].message.parsed == Sum(value=5)


async def test_openai_embeddings_come_back_as_numbers(served):
    """The client asks for base64 unseen and unpacks it."""
    async with served.openai() as client:
        answer = await client.embeddings.create(model="first", input=["a", "b"])
        plain = await client.embeddings.create(model="first", input="a", encoding_format="float")
    assert len(answer.data) == 2
    assert answer.data[0].embedding == pytest.approx(plain.data[0].embedding, rel=1e-6)


async def test_the_list_of_models_has_auto_and_every_id(served):
    """What the list says can be asked for."""
    async with served.openai() as client:
        names = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("first")
    assert names == ["auto", "first", "second"]
    assert one.owned_by == "openai"


async def test_the_list_of_models_reads_well_in_anthropic_s_client(served):
    """One page, each with what that client shows of a model."""
    async with served.anthropic() as client:
        page = await client.models.list()
        names = [model.id async for model in page]
        one = await client.models.retrieve("auto")
    assert names == ["auto", "first", "second"]
    assert (page.first_id, page.last_id, page.has_more) == ("auto", "second", False)
    assert (one.type, one.display_name, one.created_at.year) == ("model", "auto", 1970)


async def test_openai_responses_answer_whole_and_streamed(served):
    """The Responses client reads text, usage and the completed response."""
    async with served.openai() as client:
        whole = await client.responses.create(model="auto", input="What is 2 + 3?", instructions="Be short.")
        async with client.responses.stream(model="auto", input="What is 2 + 3?") as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
    assert whole.status == "completed"
    assert whole.output_text
    assert whole.usage.output_tokens > 0
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text


async def test_openai_responses_bring_calls_of_functions():
    """A function call is an item of its own; its result goes back in the next turn."""
    async with stage(EmulatedModel("m", script=[CALL, CALL, Say("It rains.")])) as served, served.openai() as client:
        tools = [{"type": "function", "name": "weather", "parameters": TOOL}]
        first = await client.responses.create(model="m", input="Weather?", tools=tools)
        async with client.responses.stream(model="m", input="Weather?", tools=tools) as stream:
            streamed = await stream.get_final_response()
        call = first.output[0]
        said = [*first.output, {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
        second = await client.responses.create(model="m", input=said, tools=tools)
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "Paris"})
    assert streamed.output[0].name == "weather"
    assert second.output_text == "It rains."


async def test_anthropic_messages_answer_whole_and_streamed(served):
    """The Anthropic client reads text, stop reason and usage."""
    ask = {"model": "auto", "max_tokens": 100, "system": "Be short.", "messages": ASK}
    async with served.anthropic() as client:
        whole = await client.messages.create(**ask)
        async with client.messages.stream(**ask) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
    assert whole.content[0].text
    assert whole.stop_reason == "end_turn"
    assert final.content[0].text == text
    assert final.usage.output_tokens > 0


async def test_anthropic_tools_go_there_and_back():
    """A tool is called, streamed too, and its result is understood."""
    script = [CALL, CALL, Say("It rains.")]
    async with stage(EmulatedModel("m", script=script)) as served, served.anthropic() as client:
        ask = {"model": "m", "max_tokens": 99, "tools": [{"name": "weather", "input_schema": TOOL}]}
        first = await client.messages.create(messages=ASK, **ask)
        async with client.messages.stream(messages=ASK, **ask) as stream:
            streamed = await stream.get_final_message()
        result = {"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "rain"}
        turns = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        second = await client.messages.create(messages=turns, **ask)
    assert first.stop_reason == "tool_use"
    assert first.content[-1].input == {"city": "Paris"}
    assert streamed.content[-1].input == {"city": "Paris"}
    assert second.content[0].text == "It rains."


def test_the_synchronous_clients_work_too(threaded_gateway):
    """Blocking clients, from a program without an event loop."""
    with openai.OpenAI(api_key="any-key", base_url=f"{threaded_gateway}/v1") as client:
        assert client.chat.completions.create(model="auto", messages=ASK).choices[0].message.content
        assert list(client.chat.completions.create(model="auto", messages=ASK, stream=True))
    with anthropic.Anthropic(api_key="any-key", base_url=threaded_gateway) as client:
        assert client.messages.create(model="auto", max_tokens=9, messages=ASK).content


@pytest.mark.parametrize(
    ("step", "error", "status"),
    [
        (Fail(400), openai.BadRequestError, 400),
        (Fail(kind="context_length"), openai.BadRequestError, 400),
        (Fail(kind="authentication"), openai.InternalServerError, 502),
        (Fail(kind="rate_limit", retry_after_s=900), openai.RateLimitError, 429),
        (Fail(kind="server"), openai.InternalServerError, 502),
    ],
)
async def test_failures_have_the_class_that_clients_expect(step, error, status):
    """Each class of failure arrives as the client's own exception, after one try of the gateway's."""
    async with stage(EmulatedModel("m", script=[step] * 9)) as served, served.openai() as client:
        with pytest.raises(error) as caught:
            await client.chat.completions.create(
                model="m", messages=ASK, extra_body={"orchestrator": {"max_attempts": 1}}
            )
        assert caught.value.status_code == status
        assert caught.value.body["message"]
        retried = step.kind == "rate_limit"
        assert served.emulator.requests["m"] == 1 or retried


async def test_unknown_models_and_keys_are_told_in_each_dialect(served):
    """404 with near names, 401 without a hint."""
    async with served.openai() as client, served.anthropic() as other:
        with pytest.raises(openai.NotFoundError, match="did you mean 'first'"):
            await client.chat.completions.create(model="frist", messages=ASK)
        with pytest.raises(anthropic.NotFoundError):
            await other.messages.create(model="frist", max_tokens=9, messages=ASK)
    async with served.openai("not-a-key") as client, served.anthropic("not-a-key") as other:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
        with pytest.raises(anthropic.AuthenticationError):
            await other.messages.create(model="first", max_tokens=9, messages=ASK)


async def _read(client, seen):
    async with await client.chat.completions.create(model="m", messages=ASK, stream=True) as stream:
        async for chunk in stream:
            seen.append(chunk.choices[0].delta.content)


async def test_a_stream_that_breaks_after_its_first_word_raises_in_the_client():
    """What was said stays said; the end is an error, never a clean one."""
    script = [CutStream(after_chunks=3)] * 9
    async with stage(EmulatedModel("m", script=script)) as served:
        async with served.openai(max_retries=0) as client:
            seen = []
            with pytest.raises(openai.APIError):
                await _read(client, seen)
        async with served.anthropic(max_retries=0) as client:
            with pytest.raises(anthropic.APIStatusError):
                async with client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream:
                    await stream.get_final_message()
    for _ in range(8):
        await asyncio.sleep(0)  # the clients close their own readers some turns later
    assert "".join(filter(None, seen))
