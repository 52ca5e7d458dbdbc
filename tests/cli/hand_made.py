"""Records of a run that never was."""

from orchestrator.cli.demo.records import Outage, Sent
from orchestrator.core.outcome import Attempt


def sent(policy, number, model_id, *, quality=1.0, cost_usd=0.001, took_s=0.1, first=(), error=None):
    """One hand-made record; `first` are the models that failed before."""
    failed = [Attempt(one, "server", 0.01) for one in first]
    last = [] if model_id is None else [Attempt(model_id, None, took_s - 0.02, cost_usd)]
    return Sent(
        policy=policy,
        number=number,
        category=("arithmetic", "code")[number % 2],
        at_s=number * 0.5,
        took_s=took_s,
        model_id=model_id,
        quality=quality if model_id is not None else 0.0,
        attempts=[*failed, *last],
        own_s=None if model_id is None else 0.0001,
        error=error,
    )


OUTAGE = Outage("a", 4, 6, 2.0, 3.0)
IDS = ["a/one", "b/two", "b/idle"]
