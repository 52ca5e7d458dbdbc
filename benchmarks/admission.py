"""What admission costs a call: a permit taken and given back, by what is limited, beside aiolimiter.

    python benchmarks/admission.py [--rounds 30] [--calls 2000]

A hundred models are asked in turn. Limits are so wide that nobody waits, so that only the work is measured. Every
round runs each contestant once; shown are medians and quartiles of microseconds of CPU a call.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from orchestrator.core.clock import SYSTEM_CLOCK
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.models.admission import Admission
from orchestrator.models.health_monitor import ModelHealthMonitor

WIDE = 10**9
LIMITS = {
    "no limits": {},
    "calls at once": {"max_concurrent_requests": 64},
    "requests a minute": {"max_requests_per_minute": WIDE},
    "requests and tokens": {"max_requests_per_minute": WIDE, "max_tokens_per_minute": WIDE},
    "all three": {"max_requests_per_minute": WIDE, "max_tokens_per_minute": WIDE, "max_concurrent_requests": 64},
}
REQUEST = Request.of("What is the answer to the ultimate question of life, the universe and everything?", max_tokens=99)
Contestant = Callable[[int], Awaitable[None]]


def _models(limits: dict[str, int]) -> list[Model]:
    return [Model(id=f"m{number}", provider="custom", constraints=limits) for number in range(100)]


def _outcomes(models: Sequence[Model]) -> list[Outcome]:
    return [Outcome(model_id=one.id, latency_s=0.5, usage=UsageStats(20, 90)) for one in models]


def ours(limits: dict[str, int], *, health: bool = False) -> Contestant:
    """Admission as the road uses it; with `health`, the circuit breaker's part of a call too."""
    models, door, monitor = _models(limits), Admission(SYSTEM_CLOCK), ModelHealthMonitor()
    pairs = list(zip(models, _outcomes(models), strict=True))

    async def admission(calls: int) -> None:
        for number in range(calls):
            model, outcome = pairs[number % 100]
            permit = door.admit(model, REQUEST)
            assert permit is not None
            door.release(model, permit, outcome)

    async def both(calls: int) -> None:
        for number in range(calls):
            model, outcome = pairs[number % 100]
            permit = door.admit(model, REQUEST)
            assert permit is not None
            monitor.probing(model)
            monitor.begin(model)
            monitor.observe(model, outcome)
            door.release(model, permit, outcome)

    return both if health else admission


def aiolimiter(buckets: int) -> Contestant:
    """Leaky buckets of the well-known library, entered one after the other as its users do."""
    from aiolimiter import AsyncLimiter

    limiters = [[AsyncLimiter(WIDE, 60) for _ in range(buckets)] for _ in range(100)]

    async def run(calls: int) -> None:
        for number in range(calls):
            first, *others = limiters[number % 100]
            await first.acquire(1)
            for other in others:
                await other.acquire(120)

    return run


def semaphore() -> Contestant:
    """A bare bound on the calls at once."""
    gates = [asyncio.Semaphore(64) for _ in range(100)]

    async def run(calls: int) -> None:
        for number in range(calls):
            async with gates[number % 100]:
                pass

    return run


def nothing() -> Contestant:
    """The loop alone."""

    async def run(calls: int) -> None:
        for number in range(calls):
            _ = number % 100

    return run


def contestants() -> dict[str, Contestant]:
    """By name; those whose library is missing are left out."""
    field = {"the loop alone": nothing(), **{name: ours(limits) for name, limits in LIMITS.items()}}
    field["no limits, with health"] = ours({}, health=True)
    field["all three, with health"] = ours(LIMITS["all three"], health=True)
    field["asyncio.Semaphore"] = semaphore()
    try:
        field |= {"aiolimiter, one bucket": aiolimiter(1), "aiolimiter, two buckets": aiolimiter(2)}
    except ImportError:
        print("aiolimiter: not installed, left out", file=sys.stderr)
    return field


async def rounds(count: int, calls: int) -> dict[str, list[float]]:
    """Microseconds a call, by contestant and round, without the loop's own."""
    field = contestants()
    spent: dict[str, list[float]] = {name: [] for name in field}
    for number in range(count + 1):
        for name, run in field.items():
            started = time.process_time()
            await run(calls)
            if number:  # the first round warms up
                spent[name].append(1e6 * (time.process_time() - started) / calls)
    bare = statistics.median(spent.pop("the loop alone"))
    return {name: [value - bare for value in values] for name, values in spent.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    print(f"{'limited':26} {'us a call':>10}   quartiles")
    for name, values in asyncio.run(rounds(options.rounds, options.calls)).items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"{name:26} {middle:10.2f}   {low:.2f} - {high:.2f}")


if __name__ == "__main__":
    main()
