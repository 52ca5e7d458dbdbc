"""What accounting costs a call, and whether its totals are right after a million records from sixteen threads.

    python benchmarks/usage.py [--records 1000000] [--threads 16] [--json]

Microseconds of CPU: what usage and the check for budgets add to the account of a call (with usage minus without,
round by round), one record in memory and into a ledger on disk (written by another thread), and a reservation with
its settlement under three budgets. `lost_usd` is how far the total is from the exact sum.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator.core.messages import Request
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.integrations.openai_model import OpenAIModel
from orchestrator.models.budgets import Budgets
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.usage import UsageService

RECORD = UsageStats(1000, 200, cache_read_tokens=500)


def best_us(work: Callable[[int], object], count: int = 20_000, rounds: int = 7) -> float:
    """Microseconds of CPU of this thread for one of many, the median of some rounds."""
    seen = []
    for _ in range(rounds):
        gc.collect()
        started = time.thread_time()
        work(count)
        seen.append((time.thread_time() - started) / count)
    return 1e6 * statistics.median(seen)


def counting(usage: UsageService) -> Callable[[int], None]:
    """Count calls, as the settlement of an attempt does it."""

    def work(count: int) -> None:
        for _ in range(count):
            usage.add("openai/gpt-4o", RECORD, 0.00325, tenant=None, tags=(), failed=False)

    return work


def spending(budgets: Budgets) -> Callable[[int], None]:
    """Set aside and book."""

    def work(count: int) -> None:
        for _ in range(count):
            budgets.reserve("openai/gpt-4o", 0.00325, tenant="acme").settle(0.003)

    return work


def added_us(count: int = 5_000, rounds: int = 15) -> float:
    """Microseconds that usage adds to beginning and settling an attempt of a registry without budgets."""
    registry = ModelRegistry(seed=0)
    model = registry.register_model(OpenAIModel(name="gpt-4o", api_key="k"))
    request = Request.of("hi")
    outcome = Outcome(model_id=model.id, latency_s=0.1, usage=RECORD, cost_usd=0.00325, response_id="r")
    settlement, usage = registry.settlement, registry.usage

    def work(_: int) -> None:
        for _ in range(count):
            settlement.begin(model, request)
            settlement.settle(model, outcome)

    differences = []
    for _ in range(rounds):
        settlement.usage = usage
        counted = best_us(work, count, rounds=1)
        settlement.usage = None
        differences.append(counted - best_us(work, count, rounds=1))
    return statistics.median(differences)


def many(records: int, threads: int) -> dict[str, float]:
    """All the records from all the threads, into a ledger, and read back by another service."""
    amounts = [0.1 + thread / 7 for thread in range(threads)]
    share = records // threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "private" / "usage.sqlite3"
        usage = UsageService(path)

        def work(thread: int) -> None:
            for number in range(share):
                usage.add(f"m{number % 10}", RECORD, amounts[thread], tenant=f"t{thread % 4}")

        started = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
        total = usage.report().total
        counted_s = time.perf_counter() - started
        usage.close()
        started = time.perf_counter()
        again = UsageService(path)
        kept = again.report().total
        loaded_s = time.perf_counter() - started
        again.close()
    exact = math.fsum(amount * share for amount in amounts)
    exact_sum = math.fsum(amount for amount in amounts for _ in range(share))
    return {
        "records": total["requests"],
        "counted_s": counted_s,
        "loaded_s": loaded_s,
        "total_usd": exact,
        "lost_usd": abs(total["cost_usd"] - exact_sum),
        "lost_on_disk_usd": abs(kept["cost_usd"] - exact_sum),
        "lost_records": share * threads - kept["requests"],
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {"added_to_a_call_us": added_us(), "record_us": best_us(counting(UsageService()))}
    with tempfile.TemporaryDirectory() as folder:
        usage = UsageService(Path(folder) / "private" / "usage.sqlite3")
        figures["record_into_ledger_us"] = best_us(counting(usage))
        usage.close()
    budgets = Budgets(day_usd=1e9, month_usd=1e9, tenants={"acme": {"day_usd": 1e9}})
    figures["reserve_and_settle_us"] = best_us(spending(budgets))
    figures |= many(options.records, options.threads)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value:,.12g}")


if __name__ == "__main__":
    main()
