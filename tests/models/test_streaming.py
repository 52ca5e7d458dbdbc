"""Streams: another model may take over before the first word, none after it."""

import asyncio

import pytest

from orchestrator.core.messages import Chunk
from orchestrator.core.usage import UsageStats
from orchestrator.errors import (
    InvalidRequestError,
    ModelProviderError,
    ProviderAPIError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from orchestrator.models.model_registry import ModelRegistry


@pytest.fixture
def pair(registry, streaming):
    """Two models that stream; a is asked first."""
    return [registry.register_model(streaming(name, cost={"input": 1, "output": 2})) for name in "ab"]


async def collected(stream):
    """All chunks."""
    return [chunk async for chunk in stream]


async def test_pieces_come_as_they_are_and_the_last_one_sums_up(registry, pair):
    """Finish reason, usage with cost, and the whole response are on the last chunk."""
    done = Chunk(finish_reason="stop", usage=UsageStats(1_000_000, 500_000))
    pair[0].steps.append(["Once ", "upon", done])
    *pieces, last = await collected(registry.stream_response("hi"))
    assert [chunk.text for chunk in pieces] == ["Once ", "upon"]
    assert (last.finish_reason, last.usage["cost"], last.model_id) == ("stop", 2.0, "a")
    assert (last.response.text, last.response.usage["total_tokens"]) == ("Once upon", 1_500_000)
    assert registry.get_usage_summary("a").cost_usd == 2.0


async def test_a_failure_before_the_first_word_goes_to_the_next_model(registry, pair):
    """The caller sees one whole answer, and both attempts."""
    pair[0].steps.append([ServerError("x")])
    *pieces, last = await collected(registry.stream_response("hi"))
    assert "".join(chunk.text for chunk in pieces) == "b says hello"
    assert [a.model_id for a in last.response.attempts] == ["a", "b"]


async def test_a_failure_after_the_first_word_is_the_callers_to_know(registry, pair):
    """Nobody mixes two answers: the error has the text so far and the attempts."""
    pair[0].steps.append(["half ", "an answer", ServerError("x")])
    stream = registry.stream_response("hi")
    with pytest.raises(ServerError) as caught:
        await collected(stream)
    assert caught.value.text_so_far == "half an answer"
    assert [(a.model_id, a.error_type) for a in caught.value.attempts] == [("a", "server")]
    assert pair[1].asked == 0
    assert (pair[0].metrics.failures, pair[0].metrics.in_flight) == (1, 0)


@pytest.mark.parametrize("broken", [StreamTruncatedError, ServerError, ProviderTimeoutError, ConnectionResetError])
async def test_a_stream_that_breaks_in_the_middle_counts_everywhere(fake_clock, streaming, broken):
    """Cut, refused in band, stalled or disconnected: figures, score, health and bill know of it, the cache does not."""
    registry = ModelRegistry(clock=fake_clock, cache_responses=True, seed=0)
    model = registry.register_model(streaming("a", cost={"input": 1, "output": 2}))
    for _ in range(3):
        model.steps.append(["half ", "an answer", broken("x")])
        with pytest.raises(ProviderAPIError) as caught:
            await collected(registry.stream_response("hi"))
        assert caught.value.text_so_far == "half an answer"
    assert (model.metrics.calls, model.metrics.failures, model.metrics.in_flight) == (3, 3, 0)
    assert registry.selector.statistics()["a"]["mean_quality"] == 0
    assert not registry.health.status_of(model).healthy
    spent = registry.get_usage_summary("a")
    assert spent.total_usage.completion_tokens == 3 * 4
    assert spent.cost_usd > 0
    assert "".join(chunk.text for chunk in await collected(registry.stream_response("hi"))) == "a says hello"


async def test_what_comes_before_the_first_word_is_held_back(registry, pair):
    """Start-up events of a stream that then fails are never shown; those of one that speaks are."""
    pair[0].steps.append([Chunk(), Chunk(), ServerError("x")])
    pair[1].steps.append([Chunk(), "b speaks"])
    chunks = await collected(registry.stream_response("hi"))
    assert [chunk.text for chunk in chunks] == ["", "b speaks", ""]
    assert pair[0].asked == 1


async def test_a_stream_that_is_left_is_on_the_bill(registry, pair):
    """What was said until then, estimated, is what it cost; nobody is blamed."""
    pair[0].steps.append(["word " * 72, "more"])
    stream = registry.stream_response("hi")
    await anext(stream)
    await stream.aclose()
    spent = registry.get_usage_summary("a")
    assert spent.total_usage.completion_tokens == 100
    assert registry.health.status_of(pair[0]).healthy


async def test_a_stream_without_its_end_is_truncated(registry, pair, monkeypatch):
    """A provider's stream that just stops is no answer."""

    async def stops(request):
        yield Chunk("half")

    monkeypatch.setattr(pair[0], "open_stream", stops)
    with pytest.raises(StreamTruncatedError) as caught:
        await collected(pair[0].stream_response("hi"))
    assert caught.value.text_so_far == "half"


async def test_an_empty_stream_is_retried_elsewhere(registry, pair, monkeypatch):
    """Nothing at all was said, so nothing is lost."""

    async def stops(request):
        return
        yield

    monkeypatch.setattr(pair[0], "open_stream", stops)
    assert (await collected(registry.stream_response("hi")))[-1].model_id == "b"


@pytest.mark.parametrize("options", [{}, {"deadline_s": 60}])
async def test_a_consumer_who_walks_away_teaches_nothing(registry, pair, monkeypatch, options):
    """The source is closed at once, the pull given back, nothing counted."""
    closed = []

    async def endless(request):
        try:
            while True:
                yield Chunk("more")
        finally:
            closed.append(True)

    monkeypatch.setattr(pair[0], "open_stream", endless)
    stream = registry.stream_response("hi", **options)
    assert [(await anext(stream)).text for _ in range(2)] == ["more", "more"]
    await stream.aclose()
    assert closed == [True]
    assert (pair[0].metrics.calls, pair[0].metrics.in_flight) == (0, 0)
    assert registry.selector.statistics()["a"]["pending"] == 0


async def test_a_cancelled_consumer_is_clean_too(registry, pair):
    """Cancellation while waiting for a piece gives everything back."""
    pair[0].steps.append(["one", lambda: asyncio.get_running_loop().create_future()])
    task = asyncio.create_task(collected(registry.stream_response("hi")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (pair[0].metrics.calls, pair[0].metrics.in_flight) == (0, 0)


async def test_the_first_word_has_its_share_of_the_deadline(registry, pair):
    """A model that says nothing leaves time for another."""
    pair[0].steps.append([lambda: asyncio.get_running_loop().create_future()])
    task = asyncio.create_task(collected(registry.stream_response("hi", deadline_s=90)))
    await registry.clock.advance(30.1)
    assert [a.error_type for a in (await task)[-1].response.attempts] == ["timeout", None]


async def test_the_whole_stream_ends_by_the_deadline(registry, pair):
    """A stream that stands still after its first word is given up, with what it had said."""
    pair[0].steps.append(["one", lambda: asyncio.get_running_loop().create_future()])
    task = asyncio.create_task(collected(registry.stream_response("hi", deadline_s=90)))
    await registry.clock.advance(89)
    assert not task.done()
    await registry.clock.advance(2)
    with pytest.raises(ProviderTimeoutError) as caught:
        await task
    assert caught.value.text_so_far == "one"


async def test_a_pinned_stream_is_retried_before_its_first_word(registry, pair):
    """One model, one passing failure, one answer."""
    pair[0].steps.append([RateLimitError("x", retry_after_s=5)])
    task = asyncio.create_task(collected(pair[0].stream_response("hi")))
    await registry.clock.advance(5)
    assert len((await task)[-1].response.attempts) == 2


async def test_the_callers_fault_ends_a_stream_at_once(registry, pair):
    """As for a plain call."""
    pair[0].steps.append([InvalidRequestError("x")])
    with pytest.raises(InvalidRequestError):
        await collected(registry.stream_response("hi"))
    assert pair[1].asked == 0


async def test_a_set_up_fault_is_told_as_such(registry):
    """A description that cannot be called is no failing model."""
    described = registry.register_model({"id": "x", "provider": "nobody"})
    with pytest.raises(ModelProviderError):
        await collected(described.stream_response("hi"))
    assert (described.metrics.calls, described.metrics.in_flight) == (0, 0)


async def test_time_to_the_first_word_and_speed_are_measured(registry, pair):
    """Waiting for the first word is not counted as flowing."""
    clock = registry.clock
    done = Chunk(finish_reason="stop", usage=UsageStats(1, 40))
    pair[0].steps.append([lambda: clock.sleep(2), "one", lambda: clock.sleep(4), "two", done])
    task = asyncio.create_task(collected(pair[0].stream_response("hi")))
    await clock.advance(6)
    await task
    metrics = pair[0].metrics
    assert metrics.ttft_p50 == pytest.approx(2, rel=0.01)
    assert metrics.latency_p50 == pytest.approx(6, rel=0.01)
    assert metrics.throughput == pytest.approx(10, rel=0.01)


async def test_a_streamed_answer_can_be_rated(registry, pair):
    """The response on the last chunk knows who answered."""
    last = (await collected(registry.stream_response("hi")))[-1]
    last.response.rate(0.25)
    assert registry.selector.statistics()["a"]["mean_quality"] == pytest.approx(0.25)
