"""What is promised about outages, deadlines and cancelled calls, measured over real sockets in one run.

    python benchmarks/reliability.py [--calls 10000] [--json]

Three models on loopback, of which one or two die by lot of all that ends a call at once: resets, halves of replies,
statuses, errors inside replies of 200. Then three that all refuse, one that is silent, one whose streams are left in
the middle, and ten thousand equal questions at once. "loop" is how late the event loop itself was meanwhile: with
servers and callers in one process much of what looks late is only busy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from random import Random
from typing import Any, Self

from soak_weather import QUICK

from orchestrator import ModelRegistry, OpenAIModel
from orchestrator.errors import OrchestratorError
from orchestrator.integrations import close_sessions
from orchestrator.models.health.loop_lag import LoopLag
from orchestrator.testing import Begin, Fail, FaultServer, Hold, Refuse, Send

SEED = 20261121
PRICE = {"input": 1.0, "output": 3.0}  # USD per million tokens


class Dying:
    """Meets every request with another fault."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)

    async def play(self, line: Any) -> None:
        fault = self.draw.choice(QUICK)
        for act in fault if isinstance(fault, list) else [fault]:
            await act.play(line)
        line.close()


class Fleet(AsyncExitStack):
    """So many servers with a model each, in one registry."""

    def __init__(self, count: int, fault: Any = None, broken: int = 0, **options: Any) -> None:
        super().__init__()
        self.count, self.fault, self.broken = count, fault, broken
        self.servers: list[FaultServer] = []
        self.registry = ModelRegistry(**{"seed": 0, "cache_responses": False, **options})

    async def __aenter__(self) -> Self:
        for number in range(self.count):
            server = await self.enter_async_context(FaultServer())
            if number < self.broken:
                server.break_with(Dying(SEED + number) if self.fault is None else self.fault)
            self.servers.append(server)
            self.registry.register_model(
                OpenAIModel(name=f"m{number}", api_key=f"k{number}", base_url=server.base_url(), cost=PRICE)
            )
        self.push_async_callback(close_sessions)
        return self


async def ended(call: Awaitable[Any]) -> tuple[bool, float]:
    """Whether it was answered, and after how many seconds."""
    started = time.monotonic()
    try:
        await call
    except OrchestratorError:
        return False, time.monotonic() - started
    return True, time.monotonic() - started


async def dead(broken: int, calls: int, at_once: int = 50) -> dict[str, Any]:
    """One or two of three models dead."""
    async with Fleet(3, broken=broken) as fleet:
        asked = iter(range(calls))
        answered = 0

        async def caller() -> None:
            nonlocal answered
            for number in asked:
                success, _ = await ended(fleet.registry.generate_response(f"question {number}"))
                answered += success

        await asyncio.gather(*(caller() for _ in range(at_once)))
        failed = sum(model.metrics.failures for model in fleet.registry.values())
    return {"answered_percent": 100 * answered / calls, "failed_attempts": failed, "calls": calls}


async def outage(calls: int = 1_000) -> dict[str, Any]:
    """All three refuse every request."""
    async with Fleet(3, Refuse(Fail(503)), broken=3) as fleet:
        for number in range(calls // 20):
            await asyncio.gather(*(ended(fleet.registry.generate_response(f"{number} {one}")) for one in range(20)))
        upstream = sum(len(server.requests) for server in fleet.servers)
    return {"requests_a_call": upstream / calls, "calls": calls}


async def silence(calls: int = 1_000, deadline_s: float = 3.0) -> dict[str, Any]:
    """So many calls at once into servers that never answer."""
    async with Fleet(3, Hold(), broken=3) as fleet:
        lag = LoopLag()
        watching = asyncio.create_task(lag.watch())
        asked = (fleet.registry.generate_response(f"question {n}", deadline_s=deadline_s) for n in range(calls))
        found = await asyncio.gather(*(ended(call) for call in asked))
        worst_s = lag.worst_s or 0.0
        watching.cancel()
    late_s = max(took_s for _, took_s in found) - deadline_s
    return {"latest_ms": 1e3 * late_s, "loop_ms": 1e3 * worst_s, "calls": calls}


async def cancelled(calls: int = 100) -> dict[str, Any]:
    """Streams that are left in the middle, one by one: how long until the far end knows, and what stays."""
    async with Fleet(1, [Begin(1), Send(b": ping\n\n", None, 0.002)], broken=1) as fleet:
        took_s, server, before = [], fleet.servers[0], len(asyncio.all_tasks())
        for number in range(calls):
            stream = fleet.registry.stream_response(f"question {number}")
            await anext(stream)
            gone, started = server.abandoned, time.monotonic()
            await stream.aclose()
            await server.until(lambda server, gone=gone: server.abandoned > gone)
            took_s.append(time.monotonic() - started)
        left = sum(model.metrics.in_flight for model in fleet.registry.values())
        tasks = len(asyncio.all_tasks()) - before
    return {"latest_ms": 1e3 * max(took_s), "in_flight": left, "tasks_left": max(0, tasks), "calls": calls}


async def equal(calls: int = 10_000) -> dict[str, Any]:
    """The same question so many times at once."""
    async with Fleet(1, cache_responses=True) as fleet:
        await fleet.registry.generate_response("warm up")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await asyncio.gather(*(fleet.registry.generate_response("hello") for _ in range(calls)))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        upstream = len(fleet.servers[0].requests) - 1
    return {"requests": upstream, "memory_mb": grown / 1024, "calls": calls}


def measures(calls: int) -> Iterator[tuple[str, Callable[[], Awaitable[dict[str, Any]]]]]:
    """By name."""
    yield "ten thousand equal questions", equal  # first: a high-water mark does not fall again
    yield "one of three dead", lambda: dead(1, calls)
    yield "two of three dead", lambda: dead(2, calls)
    yield "all three refuse", outage
    yield "a thousand calls into silence", silence
    yield "streams left in the middle", cancelled


async def measured(calls: int) -> dict[str, dict[str, Any]]:
    """One after the other."""
    return {name: await measure() for name, measure in measures(calls)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(measured(options.calls))
    if options.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(f"{name:32}" + "  ".join(f"{key} {value:.5g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
