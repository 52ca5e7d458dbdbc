"""Which models are fit to be asked, learned first of all from the calls themselves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Literal

from orchestrator.core.circuit import Circuit, Rules
from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.model import Model
from orchestrator.core.sentences import reason_of
from orchestrator.errors import ConfigurationError, ModelNotFoundError, did_you_mean
from orchestrator.models.health import cool_downs, probes
from orchestrator.models.health.loop_lag import LoopLag
from orchestrator.models.health.passive import Listener, PassiveHealth
from orchestrator.models.health.status import HealthStatus
from orchestrator.models.health.supervision import Supervision

__all__ = ["HealthStatus", "ModelHealthMonitor"]


class ModelHealthMonitor(PassiveHealth):
    """Takes a model out after `failure_threshold` failures in a row and trusts it again after `recovery_threshold`.

    Every call's outcome counts; the other numbers of the circuit are the fields of `Rules`, to be given by name
    (`cool_down_s=10`, `slow_call_s=20`). A key that is refused takes out all of its models. Models without traffic are
    asked every `check_interval` seconds, at most `parallel` at once for at most `probe_limit_s`, by their provider's
    free list of models or by their own `health_check`; `probe_with_completion` adds calls of one token, as long as
    these cost no more than 1 % of everything. When all models that fit are out, `on_all_down` says whether the least
    bad is tried ("panic") or the request fails at once ("fail").

    >>> ModelHealthMonitor(failure_threshold=0)
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: failure_threshold=0: give a number from 1 up
    """

    def __init__(
        self,
        check_interval: float = 300,
        failure_threshold: int = 3,
        recovery_threshold: int = 2,
        *,
        on_all_down: Literal["panic", "fail"] = "panic",
        probe_with_completion: bool = False,
        probe_limit_s: float = 10.0,
        parallel: int = 4,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        **rules: Any,
    ) -> None:
        numbers = {"check_interval": check_interval, "probe_limit_s": probe_limit_s, "parallel": parallel}
        for name, value in numbers.items():
            if not value > 0:
                raise ConfigurationError(f"{name}={value!r}: give a number above 0")
        if on_all_down not in ("panic", "fail"):
            raise ConfigurationError(f"on_all_down={on_all_down!r}: 'panic' and 'fail' are accepted")
        rng = rng if rng is not None else random.Random()
        super().__init__(Rules(failure_threshold, recovery_threshold, **rules), clock, rng)
        self.check_interval = check_interval
        self.on_all_down = on_all_down
        self.probe_limit_s = probe_limit_s
        self.parallel = parallel
        self._issues: dict[str, str] = {}  # what a check has complained about, until it complains no more
        if probe_with_completion:
            self._purse = probes.Purse()
        self.loop_lag = LoopLag()
        self._supervision = Supervision("the background health check", rng)

    @property
    def failure_threshold(self) -> int:
        """Failures in a row that take a model out."""
        return self.rules.failure_threshold

    @property
    def recovery_threshold(self) -> int:
        """Answers that bring it back."""
        return self.rules.recovery_threshold

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who is called at every change."""
        return tuple(self._listeners)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener(model_id, old_status, new_status)` at every change."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Call this one no more."""
        self._listeners = [one for one in self._listeners if one != listener]

    # what people and dashboards ask

    @property
    def issues(self) -> list[str]:
        """What is wrong with more than one model: our own network, the event loop, or the background checks."""
        dead = self._supervision.issue(self.clock)
        network = "local network: no provider can be reached" if self._network.is_down else None
        return [issue for issue in (network, self.loop_lag.issue, dead) if issue is not None]

    def status_of(self, model: Model) -> HealthStatus:
        """Everything known about one model's health."""
        circuit, key, status = self._of(model), self._keys.of(model), self._shown(model)
        deciding = circuit if key is None else key
        metrics, rate = model.metrics, model.metrics.success_rate
        left_s = deciding.out_until - self.clock.monotonic()
        own = self._issues.get(model.id) if deciding.reason is None else deciding.reason
        return HealthStatus(
            model.id,
            status,
            ([] if own is None else [own]) + ([] if model.is_local else self.issues),
            self._checked_at.get(model.id),
            metrics.latency_p50,
            None if rate is None else 1 - rate,
            metrics.cost_per_call_usd,
            left_s if status in ("unhealthy", "limited") and left_s > 0 else None,
            deciding.reason,
            circuit.failures,
            len(circuit.in_flight),
        )

    def snapshot(self) -> list[HealthStatus]:
        """The health of every model, in the registry's order."""
        return [self.status_of(model) for model in self.models()]

    # what an operator does by hand

    @property
    def drained(self) -> frozenset[str]:
        """The models that are out by hand."""
        return frozenset(self._drained)

    def drain(self, model_id: str) -> None:
        """Ask this model no more until it is restored, not even in an emergency; calls in flight end as they will."""
        model = self._named(model_id)
        before = self._shown(model)
        self._drained.add(model_id)
        self._changed(model_id, before, "drained")

    def restore(self, model_id: str) -> None:
        """End a drain or an outage now; a model that was failing comes back on trial."""
        model = self._named(model_id)
        before = self._shown(model)
        self._drained.discard(model_id)
        self._of(model).try_again()
        self._changed(model_id, before, self._shown(model))

    def reset(self, model_id: str) -> None:
        """Forget everything about this model and its key."""
        model = self._named(model_id)
        before = self._shown(model)
        self._keys.forget(self._keys.name_of(model))
        self.forget(model_id)
        self._changed(model_id, before, "unknown")

    async def probe(self, model_id: str) -> HealthStatus:
        """Check this model now."""
        model = self._named(model_id)
        await self.check(model)
        return self.status_of(model)

    def forget(self, model_id: str) -> None:
        """The model left the registry."""
        self.begin_anew(model_id)
        self._drained.discard(model_id)

    def begin_anew(self, model_id: str) -> None:
        """Another model took its place: how the old one was says nothing, but who was drained by hand stays so."""
        for record in (self._circuits, self._checked_at, self._issues):
            record.pop(model_id, None)
        self._network.suspects.pop(model_id, None)

    def _named(self, model_id: str) -> Model:
        known = {model.id: model for model in self.models()}
        if model_id not in known:
            raise ModelNotFoundError(f"no model {model_id!r} is watched; {did_you_mean(model_id, list(known))}")
        return known[model_id]

    # what several processes share

    def to_state(self) -> dict[str, Any]:
        """Who is out and until when, for `merge_state` in another process; plain values, without keys or prompts."""
        keys = {"\n".join(name): circuit for name, circuit in self._keys.refused.items()}
        return {
            "models": cool_downs.state_of(self._circuits, self.clock),
            "keys": cool_downs.state_of(keys, self.clock),
        }

    def merge_state(self, state: dict[str, Any]) -> None:
        """Take over the cool-downs of another process: of two ends the later holds, for at most an hour."""
        now, models = self.clock.monotonic(), {model.id: model for model in self.models()}
        for model_id, told in cool_downs.merge(state.get("models"), self.clock):
            if model_id in models:
                self._joined(model_id, self._of(models[model_id]), now, told)
        by_key = {"\n".join(self._keys.name_of(model)): model for model in models.values()}
        for name, told in cool_downs.merge(state.get("keys"), self.clock):
            if name in by_key:
                before = self._shown(by_key[name])
                self._keys.record(by_key[name]).join(now, **told)
                self._tell_of_key(by_key[name], before, self._shown(by_key[name]))

    def _joined(self, model_id: str, circuit: Circuit, now: float, told: dict[str, Any]) -> None:
        before = circuit.status
        circuit.join(now, **told)
        self._changed(model_id, before, circuit.status)

    # what is asked actively

    async def check(self, model: Model) -> bool:
        """Ask by the cheapest means; three failures in a row take a model out as those of calls do."""
        found = await probes.ask(model, self.clock, self.probe_limit_s)
        self._take_in(model, found)
        return found.fit

    def _take_in(self, model: Model, found: probes.Finding) -> None:
        circuit = self._of(model)
        now, before = self.clock.monotonic(), circuit.status
        self._issues.pop(model.id, None)
        if found.fit:
            self._reached(model, now, paid=False)
            if not circuit.lasting or circuit.status != "unhealthy":  # a list says nothing about one missing model
                circuit.try_again()
                circuit.succeeded(now, began=now)
                self._changed(model.id, before, circuit.status)
        elif found.error is None:
            self._issues[model.id] = found.issue
            if model.setup_issue() is None:  # what was never set up is not ill
                circuit.failed(now, began=now, reason=found.issue)
                self._changed(model.id, before, circuit.status)
        elif found.error.error_type == "not_found":
            self._issues[model.id] = reason_of(found.error)  # who has no list of models may answer all the same
        else:
            self._failed(model, circuit, found.error, 0.0)
        self._checked_at[model.id] = self.clock.time()

    async def run(self, models: Callable[[], Iterable[Model]]) -> None:
        """Until cancelled, check every interval the models without traffic; what kills it does not end it."""
        self.models = models
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.loop_lag.watch(), name="loop lag")
            await self._supervision.run(self._rounds, self.clock)

    async def _rounds(self) -> None:
        seen: dict[str, int] = {}
        while True:
            await self.clock.sleep(self.check_interval * self._random.uniform(0.8, 1.2))
            await self._round(probes.idle_since(self.models(), seen))
            seen = {model.id: seen.get(model.id, 0) for model in self.models()}

    async def _round(self, idle: list[Model]) -> None:
        """One check for each group that one answer speaks for, a few at a time."""
        places = asyncio.Semaphore(self.parallel)

        async def check(group: list[Model]) -> None:
            async with places:
                found = await probes.ask(group[0], self.clock, self.probe_limit_s)
                for model in group:
                    self._take_in(model, found)
                    if self._purse is not None and found.fit:
                        await self._purse.try_out(model, self.probe_limit_s)

        async with asyncio.TaskGroup() as tasks:
            for group in probes.groups_of(idle):
                tasks.create_task(check(group))
