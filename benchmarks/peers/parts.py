"""What is measured, part by part; each gives rows that can be written as JSON, and runs in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["PARTS"]

IMPORTS = {
    "engine": "import orchestrator",
    "engine, first model made": "import orchestrator; orchestrator.ModelRegistry, orchestrator.OpenAIModel",
    "openai SDK": "import openai",
    "any-llm": "import any_llm",
    "Pydantic AI": "import pydantic_ai",
    "LangChain": "import langchain_core.language_models, langchain_openai",
    "TensorZero": "import tensorzero",
    "LiteLLM": "import litellm",
}
CLIENTS, SIZES = ("ucb", "thompson", "pool"), (10, 100, 1_000)
QUALITY = ("pool", "ucb", "thompson", "random", "mabwiser-ucb1", "mabwiser-softmax", "mabwiser-greedy")

Rows = list[dict[str, Any]]


def calls(scale: float) -> Rows:
    """CPU of a call, wall time with 64 in flight, CPU of a stream, as ratios to raw aiohttp."""
    import clients
    import overhead
    from loopback import server

    with server() as url:
        rounds = overhead.rounds(url, max(3, int(11 * scale)), max(20, int(200 * scale)), clients.FIELD)
        return overhead.summary(asyncio.run(rounds))


def imports(scale: float) -> Rows:
    """Milliseconds of an import beyond the bare interpreter."""
    import overhead

    there = {name: code for name, code in IMPORTS.items() if all(find_spec(module) for module in _modules(code))}
    times = overhead.import_times(max(3, int(7 * scale)), there)
    return [{"library": name, "ms": ms} for name, ms in times.items()]


def _modules(code: str) -> list[str]:
    named = code.partition(";")[0].removeprefix("import ").split(", ")
    return [module.partition(".")[0] for module in named]


def decisions(scale: float) -> Rows:
    """Microseconds of a choice with what it teaches."""
    import selection

    field = []
    for size in SIZES:
        field += [selection.ours(name, size) for name in CLIENTS] + [selection.floor(size)]
        if find_spec("mabwiser"):
            field += [selection.mabwiser(policy, size) for policy in ("UCB1", "ThompsonSampling")]
    return selection.measure(field, rounds=max(3, int(9 * scale)), calls=2_000)


def quality(scale: float) -> Rows:
    """Share of random choice's regret that is left, on the built-in workload."""
    from orchestrator.evaluation import bench_selectors

    names = [name for name in QUALITY if not name.startswith("mabwiser") or find_spec("mabwiser")]
    left: dict[tuple[str, float], list[float]] = defaultdict(list)
    for run in bench_selectors(
        "builtin", selectors=names, cost_weight=(0.0, 0.3), seeds=max(3, int(10 * scale)), rounds=1_500
    ):
        left[run.selector, run.setting.cost_weight].append(run.figures["share_of_random"])
    return [
        {"selector": name, "cost_weight": weight, "mean": statistics.mean(shares), "worst": max(shares)}
        for (name, weight), shares in left.items()
    ]


def hits(scale: float) -> Rows:
    """Microseconds of a cache hit."""
    import cache

    async def run() -> dict[str, list[float]]:
        with tempfile.TemporaryDirectory() as name, cache.redis_server(Path(name)) as (port, _):
            found, caches = await cache.contestants(Path(name), port)
            took = await cache.latencies(found, max(3, int(5 * scale)), max(50, int(300 * scale)))
            for one in caches:
                await one.close()
            return took

    took = {name: sorted(times) for name, times in asyncio.run(run()).items()}
    return [
        {"cache": name, "p50_us": statistics.median(times), "p99_us": times[int(len(times) * 0.99)]}
        for name, times in took.items()
    ]


def gateways(scale: float) -> Rows:
    """CPU of a request through a gateway."""
    import gateways as field

    return field.measured(rounds=max(2, int(3 * scale)), seconds=max(1.0, 3 * scale))


def outages(scale: float) -> Rows:
    """What callers notice when a provider fails."""
    import failover
    from embedded import TensorZero
    from fallbacks import FALLBACKS
    from portkey import STREAMS, Portkey

    failover.CONTESTANTS.extend([*FALLBACKS, TensorZero, Portkey])
    options = argparse.Namespace(calls=max(20, int(60 * scale)), at_once=10, only=None, json=True)
    streamed = () if STREAMS else {scene.name for scene in failover.SCENES if scene.stream}
    played = asyncio.run(failover.all_played(options))
    return [row for row in played if row["contestant"] != Portkey.name or row["scene"] not in streamed]


PARTS: dict[str, Callable[[float], Rows]] = {
    one.__name__: one for one in (calls, imports, decisions, quality, hits, gateways, outages)
}
