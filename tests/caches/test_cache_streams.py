"""Streams: recorded whole, shared while they run, replayed in their pieces; never stored when they break."""

import asyncio

import pytest
from cache_asking import WAY_OUT, Upstream, turns

from orchestrator.core.cache import ModelCache
from orchestrator.core.messages import ChatResponse, Chunk, ToolCall, UsageStats
from orchestrator.errors import ServerError, StreamTruncatedError
from orchestrator.testing import FakeClock

KEY = "k"
USAGE = UsageStats(10, 4, cost_usd=0.5)
CALLS = (ToolCall("f", {"x": 1}, "c1"),)


class Source:
    """A provider's stream: pieces, then the end; it waits at the gate after each piece when held."""

    def __init__(self, *pieces, error=None, cut=False, held=False, finish="stop", tool_calls=()):
        self.pieces, self.error, self.cut, self.finish, self.tool_calls = pieces, error, cut, finish, tool_calls
        self.opened = self.closed = 0
        self.gate = asyncio.Semaphore(0) if held else None

    async def __call__(self):
        self.opened += 1
        try:
            for piece in self.pieces:
                if self.gate:
                    await self.gate.acquire()
                yield piece if isinstance(piece, Chunk) else Chunk(piece)
            if self.error:
                raise self.error
            if not self.cut:
                text = "".join(piece for piece in self.pieces if isinstance(piece, str))
                response = ChatResponse(
                    text,
                    usage=USAGE,
                    model_id="m",
                    finish_reason=self.finish,
                    tool_calls=self.tool_calls,
                    latency_s=3.0,
                    id="r-1",
                )
                yield Chunk(
                    finish_reason=self.finish, usage=USAGE, tool_calls=self.tool_calls, model_id="m", response=response
                )
        finally:
            self.closed += 1


async def read(stream):
    """All chunks."""
    return [chunk async for chunk in stream]


async def test_a_stream_is_replayed_in_the_pieces_it_came_in():
    """Same text piece by piece, same tool calls and usage, at no cost."""
    cache, source = ModelCache(), Source("Hel", "lo ", "world", tool_calls=CALLS)
    first = await read(cache.stream(KEY, source))
    again = await read(cache.stream(KEY, source))
    assert source.opened == 1
    assert [chunk.text for chunk in first] == [chunk.text for chunk in again] == ["Hel", "lo ", "world", ""]
    last = again[-1]
    assert (last.finish_reason, last.tool_calls, last.usage.total_tokens) == ("stop", CALLS, 14)
    assert (last.usage.cost_usd, last.response.cached, last.response.text) == (0.0, "memory", "Hello world")
    assert (first[-1].usage.cost_usd, first[-1].response.cached) == (0.5, None)
    stats = cache.get_statistics()
    assert (stats.hits, stats.misses, stats.saved_usd) == (1, 1, 0.5)


async def test_reasoning_is_replayed_where_it_stood():
    """Thoughts and words keep their order."""
    cache = ModelCache()

    async def source():
        yield Chunk(reasoning="hm ")
        yield Chunk(reasoning="yes")
        yield Chunk("Paris")
        yield Chunk(finish_reason="stop", usage=USAGE, model_id="m")

    await read(cache.stream(KEY, source))
    again = await read(cache.stream(KEY, source))
    assert [(chunk.reasoning, chunk.text) for chunk in again[:-1]] == [("hm ", ""), ("yes", ""), ("", "Paris")]
    assert again[-1].response.reasoning == "hm yes"


async def test_a_recorded_stream_answers_a_plain_call_and_the_reverse():
    """It is one question, however the answer is wanted."""
    cache = ModelCache()
    await read(cache.stream("a", Source("Par", "is")))
    assert (await cache.answer("a", Upstream("other"))).text == "Paris"
    await cache.answer("b", Upstream("Rome"))
    assert "".join(chunk.text for chunk in await read(cache.stream("b", Source("other")))) == "Rome"


async def test_a_long_stream_is_recorded_in_larger_steps():
    """Ten thousand pieces make no entry that is slow to read."""
    cache = ModelCache()
    await read(cache.stream(KEY, Source(*["ab"] * 10_000)))
    again = await read(cache.stream(KEY, Source()))
    assert len(again) <= 257
    assert "".join(chunk.text for chunk in again) == "ab" * 10_000


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (lambda: Source("Hel", error=ServerError("down")), ServerError),
        (lambda: Source("Hel", error=StreamTruncatedError("cut")), StreamTruncatedError),
        (lambda: Source("Hel", cut=True), None),
        (lambda: Source("Hel", finish="length"), None),
        (lambda: Source("Hel", finish="content_filter"), None),
    ],
    ids=["failed", "truncated", "without its end", "length", "filtered"],
)
async def test_half_a_stream_is_never_stored(source, error):
    """Whatever had come before the break."""
    cache, source = ModelCache(), source()
    for _ in range(2):
        if error is None:
            await read(cache.stream(KEY, source))
        else:
            with pytest.raises(error):
                await read(cache.stream(KEY, source))
    assert (source.opened, cache.peek(KEY)) == (2, None)


async def test_equal_streams_at_once_are_one_upstream():
    """Each reader has every piece, in order, as it comes; who joined pays nothing."""
    cache, source = ModelCache(), Source("a", "b", "c", held=True)
    readers = [asyncio.ensure_future(read(cache.stream(KEY, source))) for _ in range(50)]
    await turns()
    for _ in range(3):
        source.gate.release()
        await turns()
    results = await asyncio.gather(*readers)
    assert source.opened == 1
    assert {"".join(chunk.text for chunk in chunks) for chunks in results} == {"abc"}
    assert sum(chunks[-1].usage.cost_usd for chunks in results) == 0.5
    assert [chunks[-1].response.cached for chunks in results].count("flight") == 49


async def test_a_late_reader_starts_from_the_beginning():
    """What was said before it came is said to it too."""
    cache, source = ModelCache(), Source("a", "b", held=True)
    early = asyncio.ensure_future(read(cache.stream(KEY, source)))
    await turns()
    source.gate.release()
    await turns()
    late = asyncio.ensure_future(read(cache.stream(KEY, source)))
    await turns()
    source.gate.release()
    assert [[chunk.text for chunk in chunks] for chunks in await asyncio.gather(early, late)] == [["a", "b", ""]] * 2


async def test_a_reader_who_leaves_disturbs_nobody():
    """Not even the one who opened the stream."""
    cache, source = ModelCache(), Source("a", "b", held=True)
    readers = [asyncio.ensure_future(read(cache.stream(KEY, source))) for _ in range(3)]
    await turns()
    readers[0].cancel()
    await turns()
    for _ in range(2):
        source.gate.release()
    results = await asyncio.gather(*readers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [len(chunks) for chunks in results[1:]] == [3, 3]
    assert source.opened == 1


async def test_when_the_last_reader_leaves_the_source_is_closed():
    """Nobody pays for what nobody reads."""
    cache, source = ModelCache(), Source("a", "b", held=True)
    readers = [asyncio.ensure_future(read(cache.stream(KEY, source))) for _ in range(3)]
    await turns()
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert (source.opened, source.closed, cache.peek(KEY)) == (1, 1, None)


async def test_a_stale_stream_is_replayed_while_it_is_renewed():
    """Nobody waits for the renewal; the next one has it."""
    clock = FakeClock()
    async with ModelCache(ttl=60, stale_while_revalidate_s=60, clock=clock, **WAY_OUT) as cache:
        await read(cache.stream(KEY, Source("old")))
        clock.jump(70)
        assert (await read(cache.stream(KEY, Source("new"))))[0].text == "old"
        await turns(10)
        assert (await read(cache.stream(KEY, Source("newer"))))[0].text == "new"
