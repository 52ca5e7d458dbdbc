"""Two hundred callers in bad weather, for minutes: what must hold all the time, and what must not grow.

    python -W error benchmarks/soak.py [--minutes 10] [--at-once 200] [--seed N] [--json]

Six models of four providers' dialects on loopback answer after half a second or fail in two dozen ways, below HTTP too,
in spells in which all of a server's requests fail. Callers ask for whole answers and streams, with short deadlines,
hedged, resumed, out of a cache, and walk away. The seed is printed; with the same one the same faults come in the same
order. The exit code is 1 when any of these was broken:

- every answer is the right one, every error is one of ours and names no key
- at most three attempts a call, and one more where it was hedged
- back within the deadline and 100 ms, beside what the busy event loop itself was late meanwhile
- in the end nothing is in flight, pending, queued or reserved, and usage is the sum of all attempts to 1e-9
- every figure is finite and not negative
- tasks and file descriptors are as many as before; nothing un-awaited or never retrieved; no warning
- from the third minute memory grows by less than 1 MB a minute
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import math
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from soak_callers import Callers
from soak_weather import Weather

from orchestrator import ModelRegistry
from orchestrator.core.cache import ModelCache
from orchestrator.integrations import AnthropicModel, GoogleModel, OllamaModel, OpenAIModel, close_sessions
from orchestrator.models.budgets import Budgets
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.testing import FaultServer

CLASSES = {"openai": OpenAIModel, "anthropic": AnthropicModel, "google": GoogleModel, "ollama": OllamaModel}
WARM_UP_S, LEAST_FOR_A_SLOPE_S = 120.0, 60.0
PRICE = {"input": 1.0, "output": 3.0}  # USD per million tokens


class Watch:
    """What happens beside the calls: memory, the loop's own lateness, and complaints nobody asked for."""

    def __init__(self) -> None:
        self.memory: list[tuple[float, float]] = []  # seconds, MB
        self.lag_s = self.lags_s = 0.0  # the most that the loop was late at once, and all of it together
        self.complaints: list[str] = []
        self.said: list[str] = []  # what was logged
        sys.unraisablehook = lambda what: self.complaints.append(f"unraisable: {what.exc_value!r} in {what.object!r}")
        asyncio.get_running_loop().set_exception_handler(lambda _, what: self.complaints.append(_told(what)))
        handler = logging.Handler(logging.DEBUG)
        handler.emit = lambda record: self.said.append(record.getMessage())  # type: ignore[method-assign]  # the one method
        logging.getLogger().addHandler(handler)

    async def look(self) -> None:
        """Until cancelled."""
        started = time.monotonic()
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            now = time.monotonic()
            late_s = max(0.0, now - before - 0.05)
            self.lag_s, self.lags_s = max(self.lag_s, late_s), self.lags_s + late_s
            if not self.memory or now - started - self.memory[-1][0] >= 1:
                self.memory.append((now - started, memory_mb()))

    @property
    def slope_mb_a_minute(self) -> float | None:
        """Least squares over what came after the warm-up; None for a run that is too short to tell."""
        points = [(s, mb) for s, mb in self.memory if s >= WARM_UP_S]
        if not points or points[-1][0] - points[0][0] < LEAST_FOR_A_SLOPE_S:
            return None
        mean_s, mean_mb = (sum(column) / len(points) for column in zip(*points, strict=True))
        spread = sum((s - mean_s) ** 2 for s, _ in points)
        return 60 * sum((s - mean_s) * (mb - mean_mb) for s, mb in points) / spread


def _told(what: dict[str, Any]) -> str:
    return f"{what.get('message')}: {what.get('exception')!r}"


def memory_mb() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def descriptors() -> int:
    """Open files and sockets."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def registry_of(servers: dict[str, FaultServer], books: Any) -> ModelRegistry:
    """Six models in four dialects, two of which share a key and two of which have limits."""
    health = ModelHealthMonitor(1, cool_down_s=1)
    registry = ModelRegistry(
        health_monitor=health, cache=ModelCache(ttl=5, max_size=500), budgets=Budgets(day_usd=1e6), seed=0
    )
    rows = [("openai", 0), ("openai", 1), ("anthropic", 0), ("google", 0), ("ollama", 0), ("ollama", 1)]
    limits = {("openai", 1): {"max_concurrent_requests": 20}, ("ollama", 1): {"max_requests_per_minute": 600}}
    for provider, number in rows:
        model = CLASSES[provider](
            name=f"m{number}",
            api_key=f"sk-canary-{provider}",
            base_url=servers[provider].base_url(provider),
            cost=PRICE,
            constraints=limits.get((provider, number)),
            first_byte_s=3.0,
            gap_s=2.0,
        )
        registry.register_model(model)
    registry.subscribe(books)
    return registry


class Books:
    """A second account of every attempt, to compare with the engine's own."""

    def __init__(self) -> None:
        self.costs: list[float] = []
        self.tokens = self.attempts = 0

    def __call__(self, _: Any, outcome: Any) -> None:
        self.attempts += 1
        if outcome.consumed:
            self.costs += [] if outcome.cost_usd is None else [outcome.cost_usd]
            self.tokens += outcome.usage.total_tokens or 0


def broken_in(registry: ModelRegistry, books: Books) -> Iterator[str]:
    """What the engine's own books get wrong once everybody has gone."""
    for model in registry.values():
        if model.metrics.in_flight:
            yield f"{model.id}: {model.metrics.in_flight} calls in flight"
        if registry.selector.statistics()[model.id]["pending"]:
            yield f"{model.id}: pulls pending"
    if len(registry.gate):
        yield f"{len(registry.gate)} calls inside the gate"
    yield from (
        f"admission: {row}" for row in registry.admission.snapshot() if row.in_flight or any(row.waiting.values())
    )
    assert registry.budgets is not None
    yield from (f"budget: {row}" for row in registry.budgets.snapshot() if row["reserved_usd"] > 1e-9)
    rows = registry.usage.report("model").rows
    usd, tokens = sum(row["cost_usd"] for row in rows), sum(row["total_tokens"] or 0 for row in rows)
    if abs(usd - math.fsum(books.costs)) > 1e-9 or tokens != books.tokens:
        yield f"usage says {usd} USD and {tokens} tokens, the attempts {math.fsum(books.costs)} and {books.tokens}"
    figures = {
        model.id: [model.metrics.to_dict(), registry.selector.statistics()[model.id]] for model in registry.values()
    }
    yield from (
        f"no number: {name}={value!r}" for name, value in _numbers([figures, rows]) if not 0 <= value < math.inf
    )


def _numbers(tree: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _numbers(value, f"{name}/{key}")
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _numbers(value, name)
    elif isinstance(tree, int | float):
        yield name, tree


async def soaked(seconds: float, at_once: int, seed: int) -> dict[str, Any]:
    """The figures of one run, with all that was broken."""
    before = len(asyncio.all_tasks()), descriptors()
    watch, books = Watch(), Books()
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(FaultServer()) for name in CLASSES}
        for name, server in servers.items():
            server.break_with(Weather(f"{seed}/{name}"))
        registry = registry_of(servers, books)
        callers = Callers(registry, seed, lags_s=lambda: watch.lags_s)
        looking = asyncio.create_task(watch.look())
        async with registry:
            await callers.run(at_once, seconds)
            broken = [*callers.broken, *broken_in(registry, books)]
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await close_sessions()
    del registry, callers.registry
    for _ in range(20):
        gc.collect()
        await asyncio.sleep(0.05)
    after = len(asyncio.all_tasks()), descriptors()
    broken += [
        f"{name}: {is_} where {was} were"
        for name, was, is_ in zip(("tasks", "descriptors"), before, after, strict=True)
        if is_ > was
    ]
    return {"seed": seed, "seconds": seconds, **judged(watch, callers, books, broken)}


def judged(watch: Watch, callers: Callers, books: Books, broken: list[str]) -> dict[str, Any]:
    """The report; `broken` holds every promise that was not kept."""
    broken += watch.complaints
    broken += [f"logged a key: {said[:80]}" for said in watch.said if "canary" in said]
    if callers.most_attempts > 4:
        broken.append(f"{callers.most_attempts} attempts in one call")
    if callers.latest_s > 0.1 + watch.lag_s:  # what the loop was late last may not have been seen yet
        broken.append(f"{callers.latest_s:.2f} s behind a deadline, the loop {watch.lag_s:.2f} s: {callers.latest}")
    slope = watch.slope_mb_a_minute
    if slope is not None and slope >= 1:
        broken.append(f"memory grows by {slope:.2f} MB a minute")
    return {
        "calls": callers.serial,
        "attempts": books.attempts,
        "ends": dict(callers.ends.most_common()),
        "patient_answered": f"{callers.served} of {callers.patient}",
        "most_attempts": callers.most_attempts,
        "latest_ms": round(1e3 * callers.latest_s, 1),
        "loop_late_ms": round(1e3 * watch.lag_s, 1),
        "memory_mb": round(watch.memory[-1][1], 1) if watch.memory else None,
        "slope_mb_a_minute": None if slope is None else round(slope, 2),
        "broken": broken[:50],
        "broken_count": len(broken),
    }


def main() -> None:
    """Soak and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    report = asyncio.run(soaked(60 * options.minutes, options.at_once, options.seed))
    if options.json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            print(f"{name:20} {value}")
    sys.exit(bool(report["broken"]))


if __name__ == "__main__":
    main()
