"""What a call through the engine costs beside a raw aiohttp call to the same server, in one run.

    python benchmarks/overhead.py [--rounds 15] [--calls 200] [--json]

Every round runs each contestant once, in turn, so that drift of the machine falls on all alike; ratios are taken
round by round and shown as median and quartiles. The engine does its whole work: choice among ten models (UCB),
health, limits, usage, cost and learning. Raw aiohttp posts the same body and reads the same reply with `json`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from loopback import server

PROMPT = "What is the answer to the ultimate question of life, the universe and everything? Please explain."
BODY = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}
HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json"}
SETTLING_S = 0.2  # what one contestant has left to do in the background does not fall on the next
Contestant = Callable[[], Awaitable[object]]
Asked = Callable[..., Awaitable[Any]]
Doors = dict[str, Contestant]
Field = Mapping[str, Callable[[str], Awaitable[Doors]]]


async def contestants(url: str, field: Field) -> dict[str, Doors]:
    """Calls and streams by contestant; those whose library is missing are left out."""
    found = {}
    for name, make in field.items():
        try:
            found[name] = await make(url)
        except ImportError as missing:
            print(f"{name}: not installed ({missing.name}), left out", file=sys.stderr)
    return found


async def _raw(url: str) -> Doors:
    import aiohttp

    session = aiohttp.ClientSession()

    async def call() -> object:
        async with session.post(f"{url}/chat/completions", data=json.dumps(BODY).encode(), headers=HEADERS) as reply:
            return json.loads(await reply.read())["choices"][0]["message"]["content"]

    async def stream() -> object:
        body = json.dumps({**BODY, "stream": True}).encode()
        async with session.post(f"{url}/chat/completions", data=body, headers=HEADERS) as reply:
            events = [json.loads(line[6:]) async for line in reply.content if line.startswith(b"data: {")]
        return "".join([event["choices"][0]["delta"].get("content", "") for event in events])

    return {"call": call, "stream": stream, "close": session.close}


async def _engine(url: str) -> Doors:
    from orchestrator import Cost, ModelRegistry
    from orchestrator.integrations.openai_model import OpenAIModel

    registry = ModelRegistry(seed=0)
    for number in range(10):
        registry.register_model(
            OpenAIModel(name=f"m{number}", api_key="k", base_url=url, cost=Cost(input=1 + number / 10, output=3))
        )

    async def call() -> object:
        return (await registry.generate_response(PROMPT)).text

    async def stream() -> object:
        return "".join([chunk.text async for chunk in registry.stream_response(PROMPT)])

    return {"call": call, "stream": stream, "close": registry.cleanup}


async def _openai(url: str) -> Doors:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="k", base_url=url, max_retries=0)

    async def call() -> object:
        return (await client.chat.completions.create(**BODY)).choices[0].message.content

    async def stream() -> object:
        pieces = await client.chat.completions.create(**BODY, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in pieces])

    return {"call": call, "stream": stream, "close": client.close}


FIELD: Field = {"raw aiohttp": _raw, "engine": _engine, "openai SDK": _openai}


async def one_by_one(call: Contestant, count: int) -> float:
    """CPU seconds a call, one at a time."""
    started = time.process_time()
    for _ in range(count):
        await call()
    return (time.process_time() - started) / count


async def at_once(call: Contestant, count: int, in_flight: int = 64) -> float:
    """Wall seconds a call with many in flight."""

    async def worker(share: int) -> None:
        for _ in range(share):
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(worker(max(1, count // in_flight)) for _ in range(in_flight)))
    return (time.perf_counter() - started) / (max(1, count // in_flight) * in_flight)


async def rounds(url: str, count: int, calls: int, entered: Field = FIELD) -> dict[str, dict[str, list[float]]]:
    """Seconds by measure, contestant and round."""
    field = await contestants(url, entered)
    seconds: dict[str, dict[str, list[float]]] = {m: {n: [] for n in field} for m in ("CPU", "64 at once", "stream")}
    quick = ("raw aiohttp", "engine")  # fewer calls where each takes ten times as long
    for number in range(count + 1):
        for name, doors in field.items():
            share = calls if name in quick else max(20, calls // 10)
            await asyncio.sleep(SETTLING_S)
            gc.collect()
            figures = {
                "CPU": await one_by_one(doors["call"], share),
                "64 at once": await at_once(doors["call"], max(64, share)),
                "stream": await one_by_one(doors["stream"], share // 2),
            }
            if number:  # the first round warms up
                for measure, value in figures.items():
                    seconds[measure][name].append(value)
    for doors in field.values():
        await doors["close"]()
    return seconds


def summary(seconds: dict[str, dict[str, list[float]]]) -> list[dict[str, object]]:
    """A row for each measure and contestant: microseconds and the ratio to raw aiohttp."""
    rows = []
    for measure, by_name in seconds.items():
        raw = by_name["raw aiohttp"]
        for name, values in by_name.items():
            ratios = [value / base for value, base in zip(values, raw, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            micros = 1e6 * statistics.median(values)
            rows.append({"measure": measure, "contestant": name, "us": micros, "ratio": middle, "q1": low, "q3": high})
    return rows


IMPORTS = {"orchestrator": "import orchestrator", "asyncio": "import asyncio"}


def import_times(count: int = 9, statements: Mapping[str, str] = IMPORTS) -> dict[str, float]:
    """Milliseconds of `python -c` beyond the bare interpreter, medians of interleaved runs."""
    modules = {"bare": "pass", **statements}
    seen: dict[str, list[float]] = {name: [] for name in modules}
    for _ in range(count):
        for name, code in modules.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seen[name].append(time.perf_counter() - started)
    bare = statistics.median(seen.pop("bare"))
    return {name: 1e3 * (statistics.median(values) - bare) for name, values in seen.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    imports = import_times()
    with server() as url:
        rows = summary(asyncio.run(rounds(url, options.rounds, options.calls)))
    if options.json:
        print(json.dumps({"rows": rows, "import_ms": imports}))
        return
    print(f"{'measure':12} {'contestant':12} {'us a call':>10} {'x raw':>7}   quartiles")
    for row in rows:
        print(
            f"{row['measure']:12} {row['contestant']:12} {row['us']:10.1f} {row['ratio']:7.2f}"
            f"   {row['q1']:.2f} - {row['q3']:.2f}"
        )
    for name, milliseconds in imports.items():
        print(f"import {name}: {milliseconds:.1f} ms beyond the bare interpreter")


if __name__ == "__main__":
    main()
