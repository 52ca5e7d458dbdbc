"""What a remembered answer costs, level by level, beside other caches, in one run on one machine.

    python benchmarks/cache.py [--rounds 7] [--calls 500] [--plot docs/howto/cache.png]

A hit of the engine is the whole call: request built, key computed, looked up, checked and copied. The others are
given a finished key and return the object they stored. Every round runs each contestant once, in turn, so that drift
of the machine falls on all alike. A redis-server of its own is started on a free port.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.core.cache import ModelCache
from orchestrator.core.messages import ChatResponse, Request, UsageStats
from orchestrator.core.model import Model

PROMPT = "What is the answer to the ultimate question of life, the universe and everything? Please explain."
TEXT = "It is forty-two, says the machine, and it has checked its result thoroughly. " * 10
SETTLING_S = 0.3  # what one contestant has left to do in the background does not fall on the next
Contestant = Callable[[], Awaitable[object]]


class Described(Model):
    """A model that is never called here."""

    async def generate_response(self, prompt, **_):
        return str(prompt)

    async def health_check(self):
        return True


MODEL = Described(name="gpt-4o", provider="openai")


async def bought() -> ChatResponse:
    """An answer of about 0.8 kB."""
    usage = UsageStats(22, 190, cost_usd=0.002)
    return ChatResponse(TEXT, usage=usage, model_id=MODEL.id, latency_s=1.5, id="r-1", provider="openai")


def question(number: int = 0) -> Request:
    """One request as the engine's door makes it."""
    return Request.of(f"{PROMPT} {number}", temperature=0, max_tokens=200)


async def hit(cache: ModelCache) -> object:
    """The whole call."""
    request = question()
    if cache.takes(request):
        key = cache.key_of(MODEL, request)
        answer = cache.peek(key) or await cache.answer(key, bought)
        assert answer.cached
        return answer
    raise AssertionError


async def contestants(folder: Path, port: int) -> tuple[dict[str, Contestant], list[ModelCache]]:
    """Hits by name; libraries that are missing are left out."""
    found: dict[str, Contestant] = {}
    caches = []
    for level in ("memory", "disk", "redis"):
        cache = ModelCache((level,), directory=folder / "ours", host="127.0.0.1", port=port)
        await cache.answer(cache.key_of(MODEL, question()), bought)
        await cache.flush()
        caches.append(cache)
        found[f"engine, {level}"] = lambda cache=cache: hit(cache)
    value = TEXT.encode()
    for make in (_redis_py, _aiocache, _cashews, _diskcache, _litellm):
        try:
            found |= await make(folder=folder, port=port, value=value)
        except ImportError as missing:
            print(f"{make.__name__[1:]}: not installed ({missing.name}), left out", file=sys.stderr)
    return found, caches


async def _redis_py(*, port, value, **_):
    from redis.asyncio import Redis

    client = Redis(host="127.0.0.1", port=port)
    await client.set("bench", value)
    return {"redis-py GET alone": lambda: client.get("bench")}


async def _aiocache(*, port, **_):
    from aiocache import RedisCache, SimpleMemoryCache

    memory, redis = SimpleMemoryCache(), RedisCache(endpoint="127.0.0.1", port=port)
    for cache in (memory, redis):
        await cache.set("bench", TEXT, ttl=3600)
    return {"aiocache, memory": lambda: memory.get("bench"), "aiocache, redis": lambda: redis.get("bench")}


async def _cashews(**_):
    from cashews import Cache

    memory = Cache()
    memory.setup("mem://")
    await memory.set("bench", TEXT, expire=3600)
    return {"cashews, memory": lambda: memory.get("bench")}


async def _diskcache(*, folder, **_):
    import diskcache

    disk = diskcache.Cache(str(folder / "diskcache"))
    disk.set("bench", TEXT, expire=3600)

    async def get() -> object:
        return disk.get("bench")

    return {"diskcache (sync, in the loop)": get, "diskcache (thread)": lambda: asyncio.to_thread(disk.get, "bench")}


async def _litellm(**_):
    import litellm

    litellm.cache = litellm.Cache(type="local")
    messages = [{"role": "user", "content": PROMPT}]

    async def call() -> object:
        return await litellm.acompletion(model="gpt-4o", messages=messages, mock_response=TEXT, caching=True)

    await call()
    return {"LiteLLM, memory (whole call)": call}


async def timed(contestant: Contestant, calls: int) -> list[float]:
    """Microseconds of each call."""
    took = []
    for _ in range(calls):
        started = time.perf_counter()
        await contestant()
        took.append((time.perf_counter() - started) * 1e6)
    return took


async def latencies(found: dict[str, Contestant], rounds: int, calls: int) -> dict[str, list[float]]:
    """All times by contestant."""
    took: dict[str, list[float]] = {name: [] for name in found}
    gc.disable()
    for _ in range(rounds):
        for name, contestant in found.items():
            await timed(contestant, calls // 10)
            took[name] += await timed(contestant, calls)
            await asyncio.sleep(SETTLING_S)
    gc.enable()
    return took


async def stampede(callers: int = 10_000) -> tuple[int, float, float]:
    """Upstream calls, MiB and seconds for so many equal calls at once."""
    cache, calls, gate = ModelCache(), 0, asyncio.Event()

    async def upstream() -> ChatResponse:
        nonlocal calls
        calls += 1
        await gate.wait()
        return await bought()

    tracemalloc.start()
    tasks = [asyncio.ensure_future(cache.answer("k", upstream)) for _ in range(callers)]
    for _ in range(5):
        await asyncio.sleep(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    started = time.perf_counter()
    gate.set()
    await asyncio.gather(*tasks)
    return calls, peak / 2**20, time.perf_counter() - started


def bound_kept(bound_mib: int = 16) -> float:
    """Share of the memory level's byte bound that the process really spends under random load."""
    from orchestrator.caches.memory import MemoryStore

    rng = random.Random(0)
    tracemalloc.start()
    store = MemoryStore(max_size=10**9, max_bytes=bound_mib * 2**20)
    for number in range(40 * bound_mib * 10):
        store.put(f"{rng.getrandbits(64):098x}", rng.randbytes(rng.randrange(100, 9000)), rng.randrange(1, 9999))
        if number % 3:
            store.peek(f"{rng.getrandbits(64):098x}")
    spent, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return spent / (bound_mib * 2**20)


@contextmanager
def redis_server(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server of our own."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    if binary is None:
        sys.exit("no redis-server: apt-get install redis-server (or valkey-server)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
            break
        except OSError:
            time.sleep(0.02)
    try:
        yield port, process
    finally:
        process.kill()
        process.wait()


async def outage(port: int, process: subprocess.Popen[bytes], calls: int = 2000) -> tuple[float, float, int]:
    """p99 in ms added in the first second of a stopped Redis, p99 once the breaker is open, and errors."""
    import signal

    cache, errors = ModelCache(("redis",), host="127.0.0.1", port=port), 0
    await cache.answer(cache.key_of(MODEL, question(-1)), bought)
    await cache.flush()
    process.send_signal(signal.SIGSTOP)
    took: list[tuple[float, float]] = []
    began = time.perf_counter()
    number = 0
    while time.perf_counter() - began < 2.0 and number < 50 * calls:
        batch = [cache.key_of(MODEL, question(number + n)) for n in range(20)]
        number += 20

        async def one(key: str) -> None:
            nonlocal errors
            started = time.perf_counter()
            try:
                await cache.answer(key, bought)
            except Exception:  # noqa: BLE001 - any error of a caller is what is counted
                errors += 1
            took.append((started - began, (time.perf_counter() - started) * 1e3))

        await asyncio.gather(*map(one, batch))
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGCONT)
    await cache.close()
    first = sorted(ms for at, ms in took if at < 1)
    later = sorted(ms for at, ms in took if at >= 1)
    return first[int(len(first) * 0.99)], later[int(len(later) * 0.99)], errors


def plot(took: dict[str, list[float]], path: Path) -> None:
    """Median and p99 by contestant."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = sorted(took, key=lambda name: statistics.median(took[name]), reverse=True)
    medians = [statistics.median(took[name]) for name in names]
    tails = [sorted(took[name])[int(len(took[name]) * 0.99)] for name in names]
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(names) + 1.2))
    colors = ["#1f6feb" if name.startswith("engine") else "#b8bfc8" for name in names]
    axes.barh(names, medians, color=colors)
    axes.plot(tails, range(len(names)), "k|", markersize=10)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.set_xlabel("µs a hit, log scale: bar = median, stroke = p99")
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


async def run(arguments: argparse.Namespace) -> None:
    """Everything, printed."""
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as (port, process):
        found, caches = await contestants(Path(name), port)
        took = await latencies(found, arguments.rounds, arguments.calls)
        print(f"{'a hit':32} {'p50 µs':>9} {'p99 µs':>9}")
        for contestant, times in took.items():
            times.sort()
            print(f"{contestant:32} {statistics.median(times):9.2f} {times[int(len(times) * 0.99)]:9.2f}")
        alone = statistics.median(took["redis-py GET alone"])
        print(f"engine, redis, on top of redis-py: {statistics.median(took['engine, redis']) - alone:.1f} µs")
        calls, mib, seconds = await stampede()
        print(f"10,000 equal calls at once: {calls} upstream, {mib:.1f} MiB, {seconds * 1e3:.0f} ms to answer all")
        print(f"memory level: {bound_kept():.1%} of its byte bound in use under random load")
        first, later, errors = await outage(port, process)
        print(f"Redis stopped: p99 {first:.1f} ms in the first second, {later:.2f} ms after it, {errors} errors")
        print(f"peak resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
        for cache in caches:
            await cache.close()
    if arguments.plot:
        plot(took, arguments.plot)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--plot", type=Path)
    asyncio.run(run(parser.parse_args()))
