"""Registries that share one state, with calls settled by hand: what several processes do, in one."""

import signal
import subprocess
import sys
from pathlib import Path

from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.state.sharing import Sharing

MODELS = ("a", "b", "c")
CRASHES = Path(__file__).with_name("state_crashes.py")


class Ready(Model):
    """A model that can be chosen."""

    async def generate_response(self, prompt, **params):
        return "hello"

    async def health_check(self):
        return True


def member(state, clock, *, models=MODELS, selector="ucb", **options):
    """One of the fleet."""
    registry = ModelRegistry(selector, state=Sharing(state, clock=clock), clock=clock, seed=1, **options)
    for name in models:
        registry[name] = Ready(id=name, provider="custom", context_size=8192)
    return registry


def call(registry, name, *, quality=None, cost_usd=0.01, response_id="r", tenant=None, error=None):
    """One call of a model with this result."""
    model = registry[name]
    registry.settlement.begin(model, Request.of("hello", tenant=tenant))
    outcome = Outcome(
        model_id=name,
        response_id=response_id,
        latency_s=0.5,
        usage=UsageStats(10, 5),
        cost_usd=cost_usd,
        quality=quality,
        tenant=tenant,
        error=error,
    )
    registry.settlement.settle(model, outcome)


def learnt(registry):
    """Pulls and mean quality by model."""
    figures = registry.selector.statistics()
    return {name: (figures[name]["pulls"], figures[name]["mean_quality"]) for name in figures}


async def rounds(*registries, times=2):
    """Everybody's turn, twice: the first may have been before the last."""
    for _ in range(times):
        for registry in registries:
            await registry.sharing.sync()


def acknowledged_by_killed(address, workers=3):
    """How many calls processes that write there were told to be safe, before all were killed at once."""
    running = [
        subprocess.Popen([sys.executable, CRASHES, str(address)], stdout=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    for worker in running:
        for _ in range(10):
            worker.stdout.readline()
    for worker in running:
        worker.send_signal(signal.SIGKILL)
    return sum(10 + worker.communicate()[0].count("\n") for worker in running)
