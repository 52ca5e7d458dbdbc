"""What knowing who is fit adds to a call: health, and health with admission, among a hundred models.

    python benchmarks/health.py [--models 100] [--rounds 30] [--json]

A call asks whether the model is on trial or hangs, notes its start and takes in its outcome. Every round goes over all
models in each of the states; shown are the median and the quartiles over the rounds, in microseconds a call.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence

from orchestrator.core.clock import SYSTEM_CLOCK
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.errors import AuthenticationError, ProviderConnectionError
from orchestrator.models.admission import Admission
from orchestrator.models.health_monitor import ModelHealthMonitor

PASSES = 20  # over all models within one measurement


def states(count: int) -> dict[str, Callable[[], None]]:
    """One pass over all models, by what is going on."""
    models = [Model(id=f"m{number}", provider=f"p{number % 7}") for number in range(count)]
    outcomes = [Outcome(model_id=model.id, latency_s=0.5) for model in models]
    pairs = list(zip(models, outcomes, strict=True))
    return {
        "health, all is well": passing(pairs),
        "health, a key is refused": passing(pairs, AuthenticationError("x", status=401)),
        "health, a provider is unreachable": passing(pairs, ProviderConnectionError("x")),
        "health and admission, all is well": admitting(pairs),
    }


def monitor(pairs: Sequence[tuple[Model, Outcome]]) -> ModelHealthMonitor:
    """A monitor to which all of these have answered once."""
    health = ModelHealthMonitor()
    health.models = lambda: [model for model, _ in pairs]
    for model, outcome in pairs:
        health.begin(model)
        health.observe(model, outcome)
    return health


def passing(pairs: Sequence[tuple[Model, Outcome]], error: Exception | None = None) -> Callable[[], None]:
    """A call to every model but the first; that one has failed with this error just before."""
    health = monitor(pairs)

    def run() -> None:
        if error is not None:
            first = pairs[0][0]
            health.begin(first)
            health.observe(first, Outcome(model_id=first.id, latency_s=0.0, error=error))  # type: ignore[arg-type] - one of ours
        for model, outcome in pairs[1:]:
            health.probing(model)
            health.begin(model)
            health.observe(model, outcome)

    return run


def admitting(pairs: Sequence[tuple[Model, Outcome]]) -> Callable[[], None]:
    """The same behind the door that keeps limits; none are set."""
    health, admission, request = monitor(pairs), Admission(SYSTEM_CLOCK), Request.of("Hello")

    def run() -> None:
        for model, outcome in pairs[1:]:
            permit = admission.admit(model, request)
            health.probing(model)
            health.begin(model)
            health.observe(model, outcome)
            if permit is not None:
                admission.release(model, permit, outcome)

    return run


def measured(one_pass: Callable[[], None], calls: int) -> float:
    """Microseconds a call."""
    started = time.process_time()  # other programs may run beside this one
    for _ in range(PASSES):
        one_pass()
    return (time.process_time() - started) / (PASSES * calls) * 1e6


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", type=int, default=100)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    passes = states(chosen.models)
    rounds = [{name: measured(one, chosen.models - 1) for name, one in passes.items()} for _ in range(chosen.rounds)]
    found = {name: statistics.quantiles([round_[name] for round_ in rounds], n=4) for name in passes}
    if chosen.json:
        print(json.dumps(found))
        return
    for name, (low, median, high) in found.items():
        print(f"{name:36s} {median:6.2f} us a call  ({low:.2f} - {high:.2f})")


if __name__ == "__main__":
    main()
