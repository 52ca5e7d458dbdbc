"""What the calls themselves tell about models and keys, and whom the choice may therefore ask."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterable

from orchestrator.core.circuit import Circuit, Rules, Status
from orchestrator.core.clock import Clock
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.sentences import reason_of, sentence_of
from orchestrator.errors import ProviderAPIError, Toll
from orchestrator.models.health.keys import Keys
from orchestrator.models.health.local_network import LocalNetwork
from orchestrator.models.health.probes import Purse

__all__ = ["Listener", "PassiveHealth"]

_log = logging.getLogger(__name__)
_KEY_AGAIN_S = 1.0  # how often it is looked whether a refused key has been changed
_LEARNS_EVERY = 64  # answers after which a model's own median is looked at again

Listener = Callable[[str, Status, Status], None]


class PassiveHealth:
    """The circuits of all models and keys, fed by every call.

    `models` gives all there are: those who share a key and those who share our network are found among them.
    """

    def __init__(self, rules: Rules, clock: Clock, rng: random.Random) -> None:
        self.rules = rules
        self.clock = clock
        self.models: Callable[[], Iterable[Model]] = tuple
        self._random = rng
        self._circuits: dict[str, Circuit] = {}
        self._keys = Keys(rng)
        self._network = LocalNetwork()
        self._checked_at: dict[str, float] = {}
        self._drained: set[str] = set()
        self._listeners: list[Listener] = []
        self._purse: Purse | None = None  # what paid probes may cost, where there are any

    # calls come and go

    def begin(self, model: Model) -> None:
        """A call leaves: it counts from now on, so that those which hang are seen before they fail."""
        now = self.clock.monotonic()
        (self._circuits.get(model.id) or self._of(model)).begin(now)
        if self._keys.refused and (key := self._keys.of(model)) is not None:
            key.begin(now)

    def end(self, model: Model) -> None:
        """A call's answer has begun to flow, or it was given up through no fault of the model."""
        self._end(model, self._of(model))

    def _end(self, model: Model, circuit: Circuit) -> None:
        circuit.end()
        if self._keys.refused and (key := self._keys.of(model)) is not None:
            key.end()

    def observe(self, model: Model, outcome: Outcome) -> None:
        """Learn from one outcome."""
        circuit = self._circuits.get(model.id) or self._of(model)
        took_s = outcome.ttft_s
        if took_s is None:  # else this was told when its first piece came
            self._end(model, circuit)
            took_s = outcome.latency_s
        if outcome.error is not None:
            self._failed(model, circuit, outcome.error, outcome.latency_s)
        elif circuit.steady and took_s <= circuit.slow_s and not (self._network.suspects or self._keys.concern(model)):
            circuit.failures = 0
        else:
            self._answered(model, circuit, took_s, outcome.latency_s)
        if self._purse is not None and outcome.cost_usd is not None:
            self._purse.earn(outcome.cost_usd)
        circuit.settled += 1
        if not circuit.settled % _LEARNS_EVERY:
            circuit.slow_s = self.rules.slow_s(model.metrics.latency_p50)

    def _answered(self, model: Model, circuit: Circuit, took_s: float, latency_s: float) -> None:
        now, before = self.clock.monotonic(), circuit.status
        self._reached(model, now - latency_s)
        if took_s > circuit.slow_s:
            reason = f"slow: an answer took {took_s:.1f} s, more than {circuit.slow_s:.1f} s"
            circuit.failed(now, began=now - latency_s, reason=reason)
        else:
            circuit.succeeded(now, began=now - latency_s)
        self._changed(model.id, before, circuit.status)

    def _failed(self, model: Model, circuit: Circuit, error: ProviderAPIError, latency_s: float) -> None:
        now, before, toll = self.clock.monotonic(), circuit.status, error.conduct.health
        began, reason = now - latency_s, reason_of(error)
        if toll is Toll.KEY:
            self._refused(model, error, now, began)
        elif error.error_type == "connection":
            self._unreachable(model, circuit, reason, now, began)
        elif toll is Toll.PAUSE:
            circuit.limited(now, reason=reason, told_s=error.retry_after_s)
        elif toll is not Toll.NOTHING:
            told_s = error.retry_after_s if error.error_type == "overloaded" else None
            circuit.failed(now, began=began, reason=reason, sentence=sentence_of(error), told_s=told_s)
        if error.status is not None and toll is not Toll.KEY:
            self._reached(model, began)
        self._changed(model.id, before, circuit.status)

    def _reached(self, model: Model, began: float, *, paid: bool = True) -> None:
        """The provider has answered, whatever it said, and so it has taken the key; unpaid, it need not have credit."""
        if not model.is_local:
            self._network.answered()
        if self._keys.concern(model):
            self._accepted(model, began, paid=paid)

    def _accepted(self, model: Model, began: float, *, paid: bool) -> None:
        closed = self._keys.accept(model, self.clock.monotonic(), began=began, paid=paid)
        if closed is not None:
            self._tell_of_key(model, closed.status, "healthy")

    def _refused(self, model: Model, error: ProviderAPIError, now: float, began: float) -> None:
        known = self._keys.of(model)
        before = None if known is None else known.status
        self._keys.refuse(model, now, began=began, reason=reason_of(error), sentence=sentence_of(error))
        after = self._keys.of(model)
        if after is not None and after.status != before:
            self._tell_of_key(model, before, after.status)

    def _unreachable(self, model: Model, circuit: Circuit, reason: str, now: float, began: float) -> None:
        """Nobody answered: its fault, unless nobody at all can be reached."""
        if not self._network.is_down:
            circuit.failed(now, began=began, reason=reason)
        if not model.is_local and self._network.failed(model.id, self._in_use(), now=now, began=began):
            for suspect in self._network.suspects:
                self._excuse(suspect)

    def _excuse(self, model_id: str) -> None:
        circuit = self._circuits.get(model_id)
        if circuit is not None:
            before = circuit.status
            circuit.excuse(self._network.since)
            self._changed(model_id, before, circuit.status)

    def _in_use(self) -> dict[str, str]:
        """The provider of each model that is called over the network and is not out for something older."""
        suspects, circuits = self._network.suspects, self._circuits
        return {
            model.id: model.provider
            for model in self.models()
            if not model.is_local
            and (known := circuits.get(model.id)) is not None
            and (model.id in suspects or known.status not in ("unhealthy", "limited"))
        }

    # what the choice asks

    def blocks(self, model: Model) -> tuple[str, float] | None:
        """Why this model may not be asked now, and until when on the clock; None when it may."""
        if model.id in self._drained:
            return "drained by hand; restore it to use it again", math.inf
        now = self.clock.monotonic()
        key, circuit = self._keys.of(model), self._circuits.get(model.id)
        if key is not None and not self._lets_in(model, key, now, of_key=True):
            return _told(key, now), min(key.out_until, now + _KEY_AGAIN_S)
        if circuit is not None and not self._lets_in(model, circuit, now):
            return _told(circuit, now), circuit.out_until
        return None

    def probing(self, model: Model) -> bool:
        """True when model or key have as many calls in flight as they have earned since their return, or it hangs."""
        circuit = self._circuits.get(model.id)
        if circuit is None or (circuit.steady and not circuit.in_flight and not self._keys.refused):
            return False
        now, before = self.clock.monotonic(), circuit.status
        if circuit.hangs(now):
            self._changed(model.id, before, circuit.status)
            return True
        key = self._keys.of(model)
        return circuit.is_full(now) or (key is not None and key.is_full(now))

    def least_bad(self, models: Iterable[Model]) -> list[Model]:
        """Of models that are all out, those to try all the same: the failing before the limited before the refused."""
        ranked = [(self._badness(model), model) for model in models if model.id not in self._drained]
        least = min((badness for badness, _ in ranked), default=0)
        return [model for badness, model in ranked if badness == least]

    def _badness(self, model: Model) -> int:
        key, circuit = self._keys.of(model), self._of(model)
        if (key is not None and key.status == "unhealthy") or (circuit.status == "unhealthy" and circuit.lasting):
            return 2
        return 1 if circuit.status == "limited" else 0

    def _lets_in(self, model: Model, circuit: Circuit, now: float, *, of_key: bool = False) -> bool:
        before = circuit.status
        inside = circuit.lets_in(now)
        if of_key and circuit.status != before:
            self._tell_of_key(model, before, circuit.status)
        elif not of_key:
            self._changed(model.id, before, circuit.status)
        return inside

    # inside

    def _of(self, model: Model) -> Circuit:
        circuit = self._circuits.get(model.id)
        if circuit is None:
            circuit = self._circuits.setdefault(model.id, Circuit(self.rules, self._random))
        return circuit

    def _shown(self, model: Model) -> Status:
        """The status as people see it: a hand's word over the key's, and the key's over the model's own."""
        if model.id in self._drained:
            return "drained"
        key = self._keys.of(model)
        return self._of(model).status if key is None else key.status

    def _tell_of_key(self, model: Model, before: Status | None, after: Status) -> None:
        name = self._keys.name_of(model)
        sharing = [other for other in self.models() if self._keys.name_of(other) == name] or [model]
        for one in sharing:
            self._changed(one.id, self._of(one).status if before is None else before, after)

    def _changed(self, model_id: str, before: Status, after: Status) -> None:
        if before == after:
            return
        self._checked_at[model_id] = self.clock.time()
        for listener in self._listeners:
            try:
                listener(model_id, before, after)
            except Exception:  # noqa: BLE001 - a listener's fault must never be the caller's
                _log.exception("a listener failed on %r becoming %s", model_id, after)


def _told(circuit: Circuit, now: float) -> str:
    return f"{circuit.status}: {circuit.reason}; tried again in {circuit.out_until - now:.0f} s"
