"""The vendors' own client libraries take the emulator for the real thing."""

import anthropic
import openai
import pytest

from orchestrator.testing import CallTool, EmulatedModel, Emulator, Fail, InBandError

PROMPT = [{"role": "user", "content": "What is 12 plus 30?"}]


async def test_the_openai_client_chats_streams_embeds_and_lists():
    """Whole, in pieces, vectors, models."""
    async with (
        Emulator([EmulatedModel("m")], keys={"sk-1"}) as emulator,
        openai.AsyncOpenAI(api_key="sk-1", base_url=emulator.base_url("openai")) as client,
    ):
        whole = await client.chat.completions.create(model="m", messages=PROMPT)
        options = {"include_usage": True}
        stream = await client.chat.completions.create(model="m", messages=PROMPT, stream=True, stream_options=options)
        chunks = [chunk async for chunk in stream]
        vectors = await client.embeddings.create(model="m", input=["a b", "c"])
        models = await client.models.list()
    assert (whole.choices[0].message.content, whole.usage.total_tokens) == ("42", 6)
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "42"
    assert chunks[-1].usage.total_tokens == 6
    assert len(vectors.data[1].embedding) == 64
    assert [model.id for model in models.data] == ["m"]


async def test_the_openai_client_names_our_errors_rightly():
    """Each status becomes the class that the library has for it."""
    script = [Fail(429, retry_after_s=1), Fail(kind="server"), Fail(kind="context_length"), InBandError()]
    async with (
        Emulator([EmulatedModel("m", script=script)]) as emulator,
        openai.AsyncOpenAI(api_key="k", base_url=emulator.base_url("openai"), max_retries=0) as client,
    ):
        for expected in (openai.RateLimitError, openai.InternalServerError, openai.BadRequestError):
            with pytest.raises(expected):
                await client.chat.completions.create(model="m", messages=PROMPT)
        with pytest.raises(openai.APIError):
            async for _ in await client.chat.completions.create(model="m", messages=PROMPT, stream=True):
                pass
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="ghost", messages=PROMPT)


def test_the_openai_client_works_without_a_loop():
    """The emulator in a thread, the library's sync client outside."""
    with (
        Emulator.in_thread([EmulatedModel("m", script=[CallTool("now", {"zone": "UTC"})])]) as emulator,
        openai.OpenAI(api_key="k", base_url=emulator.base_url("openai")) as client,
    ):
        reply = client.chat.completions.create(model="m", messages=PROMPT)
    call = reply.choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("now", '{"zone": "UTC"}')


async def test_the_anthropic_client_chats_streams_and_lists():
    """Whole, in pieces, tools, models."""
    async with (
        Emulator([EmulatedModel("m")], keys={"sk-ant-1"}) as emulator,
        anthropic.AsyncAnthropic(api_key="sk-ant-1", base_url=emulator.base_url("anthropic")) as client,
    ):
        whole = await client.messages.create(model="m", max_tokens=50, messages=PROMPT)
        async with client.messages.stream(model="m", max_tokens=50, messages=PROMPT) as stream:
            final = await stream.get_final_message()
        emulator.script("m", CallTool("now", {"zone": "UTC"}))
        async with client.messages.stream(model="m", max_tokens=50, messages=PROMPT) as stream:
            called = await stream.get_final_message()
        models = [model.id async for model in client.models.list()]
    assert (whole.content[0].text, whole.usage.input_tokens, whole.stop_reason) == ("42", 5, "end_turn")
    assert (final.content[0].text, final.usage.output_tokens, final.stop_reason) == ("42", 1, "end_turn")
    assert (called.content[0].name, called.content[0].input, called.stop_reason) == ("now", {"zone": "UTC"}, "tool_use")
    assert models == ["m"]


async def test_the_anthropic_client_names_our_errors_rightly():
    """Overloaded, in a stream and outside."""
    script = [Fail(kind="overloaded"), Fail(kind="rate_limit"), InBandError("overloaded")]
    async with Emulator([EmulatedModel("m", script=script)], keys={"k"}) as emulator:
        base_url = emulator.base_url("anthropic")
        async with anthropic.AsyncAnthropic(api_key="k", base_url=base_url, max_retries=0) as client:
            for expected in (anthropic.InternalServerError, anthropic.RateLimitError):
                with pytest.raises(expected):
                    await client.messages.create(model="m", max_tokens=50, messages=PROMPT)
            with pytest.raises(anthropic.APIStatusError):
                async with client.messages.stream(model="m", max_tokens=50, messages=PROMPT) as stream:
                    await stream.get_final_message()
        async with anthropic.AsyncAnthropic(api_key="wrong", base_url=base_url) as client:
            with pytest.raises(anthropic.AuthenticationError):
                await client.messages.create(model="m", max_tokens=50, messages=PROMPT)


def test_the_anthropic_client_works_without_a_loop():
    """The emulator in a thread, the library's sync client outside."""
    with (
        Emulator.in_thread([EmulatedModel("m")]) as emulator,
        anthropic.Anthropic(api_key="k", base_url=emulator.base_url("anthropic")) as client,
        client.messages.stream(model="m", max_tokens=50, messages=PROMPT) as stream,
    ):
        assert "".join(stream.text_stream) == "42"
