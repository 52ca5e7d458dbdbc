"""A broken stream goes on with the next model when the caller asks for it: nothing twice, nothing hidden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.messages import Chunk, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ContentFilterError, RateLimitError, ServerError, StreamTruncatedError
from orchestrator.integrations import AnthropicModel, OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.road.resuming import overlap
from orchestrator.testing import CutStream, EmulatedModel, Emulator, Say


@pytest.fixture
def pair(registry, streaming):
    """Two models that stream and note what they were asked; a is asked first."""
    models = [registry.register_model(streaming(name, cost={"input": 1, "output": 2})) for name in "ab"]
    for model in models:
        model.requests = []
        model.open_stream = noting(model)
    return models


def noting(model):
    """The model's own stream, with the request kept."""
    own = type(model).open_stream

    async def open_stream(request):
        model.requests.append(request)
        async for chunk in own(model, request):
            yield chunk

    return open_stream


def done(prompt_tokens, completion_tokens, **facts):
    """A closing chunk."""
    return Chunk(finish_reason="stop", usage=UsageStats(prompt_tokens, completion_tokens), **facts)


async def collected(stream):
    """All chunks."""
    return [chunk async for chunk in stream]


async def test_the_next_model_goes_on_where_the_first_broke_off(registry, pair):
    """The caller reads one text, and sees who wrote which part."""
    pair[0].steps.append(["Once upon ", "a time", ServerError("x")])
    pair[1].steps.append([" there was", " a fox.", done(9, 5)])
    *pieces, last = await collected(registry.stream_response("A tale, please", resume=True))
    assert "".join(chunk.text for chunk in pieces) == "Once upon a time there was a fox." == last.response.text
    assert [chunk.resumed_by for chunk in pieces] == [None, None, "b", None]
    assert (last.resumed_by, last.model_id) == ("b", "b")
    assert [(a.model_id, a.error_type) for a in last.response.attempts] == [("a", "server"), ("b", None)]


async def test_it_is_given_the_text_so_far_and_told_to_go_on(registry, pair):
    """As a turn of the assistant, with the instruction after it, behind the caller's own turns."""
    pair[0].steps.append(["Once upon", ServerError("x")])
    await collected(registry.stream_response("A tale, please", resume=True))
    turns = pair[1].requests[0].messages
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert (turns[0].text, turns[1].text) == ("A tale, please", "Once upon")
    assert "Go on exactly where it stops" in turns[2].text


@pytest.mark.parametrize("again", ["upon a time", "Once upon a time"])
async def test_what_is_said_again_is_left_out(registry, pair, again):
    """Models like to begin with the last words, or all over."""
    pair[0].steps.append(["Once upon a time", ServerError("x")])
    pair[1].steps.append([*again, " there was a fox."])
    pieces = await collected(registry.stream_response("hi", resume=True))
    assert "".join(chunk.text for chunk in pieces) == "Once upon a time there was a fox."
    assert (pair[0].asked, pair[1].asked) == (1, 1)


async def test_usage_and_cost_are_those_of_both(registry, pair):
    """What the broken one had consumed is an estimate, and so is the sum."""
    pair[0].steps.append(["word " * 72, ServerError("x")])
    pair[1].steps.append(["and so on", done(1_000, 100)])
    last = (await collected(registry.stream_response("hi", resume=True)))[-1]
    assert last.usage.estimated
    assert last.usage.completion_tokens == 100 + 100
    paid = [registry.get_usage_summary(name).cost_usd for name in "ab"]
    assert last.usage["cost"] == pytest.approx(sum(paid))
    assert paid[0] > 0


async def test_a_second_break_is_gone_on_with_too(registry, streaming):
    """Until the attempts are used up."""
    for name, steps in (
        ("a", ["one ", ServerError("x")]),
        ("b", ["two ", StreamTruncatedError("x")]),
        ("c", ["three"]),
    ):
        registry.register_model(streaming(name, [steps]))
    last = (await collected(registry.stream_response("hi", resume=True)))[-1]
    assert last.response.text == "one two three"
    assert [a.model_id for a in last.response.attempts] == ["a", "b", "c"]


async def test_when_nobody_goes_on_the_error_has_all_that_was_said(registry, pair):
    """Text of the first and of the second, and both attempts."""
    pair[0].steps.append(["one ", ServerError("x")])
    pair[1].steps.append(["two", RateLimitError("x")])
    with pytest.raises(RateLimitError) as caught:
        await collected(registry.stream_response("hi", resume=True, max_attempts=2))
    assert caught.value.text_so_far == "one two"
    assert [a.model_id for a in caught.value.attempts] == ["a", "b"]


@pytest.mark.parametrize("options", [{}, {"resume": False}, {"resume": True, "response_format": "json"}])
async def test_nobody_goes_on_unasked_or_in_the_middle_of_json(registry, pair, options):
    """The caller gets the error with the text so far."""
    pair[0].steps.append(['{"a": ', ServerError("x")])
    with pytest.raises(ServerError) as caught:
        await collected(registry.stream_response("hi", **options))
    assert (caught.value.text_so_far, pair[1].asked) == ('{"a": ', 0)


async def test_a_refusal_in_the_middle_is_not_gone_around(registry, pair):
    """What one provider will not say, another is not asked to."""
    pair[0].steps.append(["First you ", ContentFilterError("x")])
    with pytest.raises(ContentFilterError):
        await collected(registry.stream_response("hi", resume=True))
    assert pair[1].asked == 0


async def test_tool_calls_come_whole_or_not_at_all(registry, pair):
    """The second model makes its own call; of the first one's nothing is left."""
    call = ToolCall("now", {})
    pair[0].steps.append(["Let me look.", ServerError("broke in the middle of a call")])
    pair[1].steps.append([Chunk(" One moment."), Chunk(finish_reason="tool_calls", tool_calls=(call,))])
    tools = [{"name": "now"}]
    last = (await collected(registry.stream_response("hi", resume=True, tools=tools)))[-1]
    assert last.tool_calls == (call,)
    assert last.response.text == "Let me look. One moment."


async def test_over_real_http_between_two_dialects():
    """OpenAI's stream is cut, Anthropic's goes on."""
    models = [EmulatedModel("gpt", provider="openai"), EmulatedModel("claude", provider="anthropic")]
    async with Emulator(models) as emulator:
        registry = ModelRegistry(seed=0, resume=True)
        registry.register_model(OpenAIModel(name="gpt", base_url=emulator.base_url("openai"), api_key="k"))
        registry.register_model(AnthropicModel(name="claude", base_url=emulator.base_url("anthropic"), api_key="k"))
        emulator.script("gpt", CutStream(after_chunks=2))
        emulator.script("claude", Say(" and that is the end of it"))
        *pieces, last = await collected(registry.stream_response("Tell me a story"))
        text = "".join(chunk.text for chunk in pieces)
        assert text.endswith(" and that is the end of it")
        assert last.response.text == text
        assert len(text) > len(" and that is the end of it")
        assert last.resumed_by == "anthropic/claude"
        await close_sessions()


@given(st.text(min_size=8, max_size=40), st.text(max_size=40), st.integers(8, 40))
def test_an_overlap_is_found_and_only_an_overlap(said, more, size):
    """Repeat any tail of at least eight characters: it is cut off; what is cut off was a repetition."""
    tail = said[-min(size, len(said)) :]
    assert overlap(said, tail + more) >= len(tail)
    cut = overlap(said, more)
    assert said.endswith(more[:cut])
