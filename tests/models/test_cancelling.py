"""Who walks away takes nothing along: the far end sees the connection close, every slot and account is given back."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.caches.memory import MemoryStore
from orchestrator.core.cache import ModelCache
from orchestrator.integrations import OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "word "}}]}\n\n'
DESCRIPTORS = Path("/proc/self/fd")
SOON_S = 2.0  # the goal is a tenth; the rest is for a busy machine


class Far:
    """A provider that speaks as long as anybody listens, and notes who hangs up."""

    def __init__(self, *, words=3, endless=False, mute=False):
        self.words, self.endless, self.mute = words, endless, mute
        self.asked, self.gone, self.written = 0, 0, 0
        self.heard, self.hung_up, self.held_up = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(self, reader, writer):
        self.asked += 1
        await reader.readuntil(b"\r\n\r\n")
        self.heard.set()
        try:
            if not self.mute:
                writer.write(HEAD + WORD * self.words)
                await writer.drain()
            while self.endless:
                writer.write(WORD * 100)
                self.written += 100 * len(WORD)
                await self.drained(writer)
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        self.hung_up.set()
        self.gone += 1
        writer.close()

    async def drained(self, writer):
        """Wait for room, and say so when there is none for a while."""
        room = asyncio.ensure_future(writer.drain())
        if not (await asyncio.wait([room], timeout=0.2))[0]:
            self.held_up.set()
        await room


@pytest.fixture
async def opened():
    """Opens a far end, and a registry with one model there."""
    servers = []

    async def open_far(*, cached=False, **options):
        far = Far(**options)
        server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
        servers.append(server)
        registry = ModelRegistry(seed=0, cache_responses=cached)
        port = server.sockets[0].getsockname()[1]
        model = OpenAIModel(name="m", base_url=f"http://127.0.0.1:{port}", api_key="k", cost={"input": 1, "output": 2})
        return far, registry, registry.register_model(model)

    yield open_far
    await close_sessions()
    for server in servers:
        server.close()


def clean(registry, model):
    """No call in flight, no pull pending, nobody inside, nothing blamed."""
    assert model.metrics.in_flight == 0
    assert registry.selector.statistics()[model.id]["pending"] == 0
    assert len(registry.gate) == 0
    assert registry.health.status_of(model).healthy
    assert model.metrics.calls == 0


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_a_stream_nobody_reads_any_more_is_closed_upstream(opened, how):
    """Closed or cancelled: the socket goes down, and what was consumed is accounted as an estimate."""
    far, registry, model = await opened()
    stream = registry.stream_response("Tell me everything")
    words = [(await anext(stream)).text for _ in range(3)]
    if how == "aclose":
        await stream.aclose()
    else:
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await stream.aclose()
    async with asyncio.timeout(SOON_S):
        await far.hung_up.wait()
    assert words == ["word "] * 3
    clean(registry, model)
    spent = registry.get_usage_summary(model.id)
    assert spent.total_usage.completion_tokens > 0
    assert spent.cost_usd > 0


async def test_the_last_reader_of_a_shared_stream_closes_it(opened):
    """Two equal questions are one stream: it goes on while one of them listens, and half an answer is not kept."""
    far, registry, model = await opened(cached=True)
    one, other = registry.stream_response("hi"), registry.stream_response("hi")
    assert [(await anext(stream)).text for stream in (one, other)] == ["word ", "word "]
    await one.aclose()
    assert (await anext(other)).text == "word "
    assert not far.hung_up.is_set()
    await other.aclose()
    async with asyncio.timeout(SOON_S):
        await far.hung_up.wait()
    assert far.asked == 1
    clean(registry, model)
    again = registry.stream_response("hi")
    await anext(again)
    await again.aclose()
    assert far.asked == 2


@pytest.mark.parametrize("cached", [False, True])
async def test_a_call_that_is_cancelled_hangs_up(opened, cached):
    """While it waits for the answer, also as the one who asks for others."""
    far, registry, model = await opened(mute=True, cached=cached)
    call = asyncio.create_task(registry.generate_response("hi"))
    await far.heard.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(SOON_S):
        await far.hung_up.wait()
    clean(registry, model)
    assert not registry.get_usage_summary(model.id)


async def test_a_call_that_is_cancelled_at_once_was_never_made(opened):
    """Before it could even connect."""
    _, registry, model = await opened(mute=True)
    call = asyncio.create_task(registry.generate_response("hi"))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    clean(registry, model)


async def test_who_reads_slowly_holds_the_provider_up(opened):
    """Nothing is read ahead but what fits into the buffers: memory stays as it is."""
    far, registry, model = await opened(endless=True)
    stream = registry.stream_response("Tell me everything")
    await anext(stream)
    await far.held_up.wait()
    assert far.written < 16 * 2**20
    for _ in range(5):
        assert (await anext(stream)).text == "word "
    await stream.aclose()
    async with asyncio.timeout(SOON_S):
        await far.hung_up.wait()
    clean(registry, model)


async def test_a_cancelled_leader_hands_the_flight_over(registry, scripted):
    """Of two equal calls under way the second makes its own, once, when the first is given up."""
    gate, caching = asyncio.Event(), ModelRegistry(clock=registry.clock, cache=ModelCache(clock=registry.clock))

    async def slow():
        await gate.wait()
        return "late"

    model = caching.register_model(scripted("a", [slow, "from the follower"]))
    leader = asyncio.create_task(caching.generate_response("hi"))
    follower = asyncio.create_task(caching.generate_response("hi"))
    await registry.clock.advance(0)
    leader.cancel()
    assert (await follower).text == "from the follower"
    assert (model.asked, model.metrics.in_flight, len(caching.gate)) == (2, 0, 0)
    await asyncio.gather(leader, return_exceptions=True)


def open_descriptors():
    """How many files and sockets this process has open."""
    return sum(1 for _ in DESCRIPTORS.iterdir())


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors where the system shows them")
async def test_nothing_is_left_of_a_hundred_calls_given_up(opened):
    """Descriptors and tasks are as many as before."""
    far, registry, model = await opened()

    async def give_up():
        stream = registry.stream_response("hi")
        await anext(stream)
        await stream.aclose()

    await give_up()
    tasks, descriptors = len(asyncio.all_tasks()), open_descriptors()
    for _ in range(4):
        await asyncio.gather(*(give_up() for _ in range(25)))
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > tasks or open_descriptors() > descriptors:  # noqa: ASYNC110 - sockets do not tell
            await asyncio.sleep(0)
    assert far.gone >= far.asked - 1
    clean(registry, model)


class SlowLevel(MemoryStore):
    """A far level of the cache that never finishes writing by itself."""

    name, near = "slow", False

    def __init__(self):
        super().__init__()
        self.may_write = asyncio.Event()

    async def flush(self):
        await self.may_write.wait()


async def test_nobody_waits_for_a_write_to_the_cache_so_nobody_is_cancelled_in_one(registry, scripted):
    """The answer is handed over and written behind the caller's back; what was handed over is found again."""
    level = SlowLevel()
    caching = ModelRegistry(clock=registry.clock, cache=ModelCache((level,), clock=registry.clock))
    model = caching.register_model(scripted("a"))
    first = asyncio.create_task(caching.generate_response("hi"))
    second = asyncio.create_task(caching.generate_response("hi"))
    await registry.clock.advance(0)
    second.cancel()
    assert (await first).text == (await caching.generate_response("hi")).text == "a says hello"
    assert (model.asked, model.metrics.in_flight, len(caching.gate)) == (1, 0, 0)
    await asyncio.gather(second, return_exceptions=True)
    level.may_write.set()
    await caching.cleanup()
