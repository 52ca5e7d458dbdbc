"""Everything that one registry has to show, as one plain value."""

from __future__ import annotations

from collections import deque
from importlib.metadata import version
from typing import Any

from orchestrator.core.circuit import Status
from orchestrator.core.model import Model
from orchestrator.gateway.dashboard.beliefs import belief_of
from orchestrator.gateway.dashboard.decisions import Decisions
from orchestrator.gateway.dashboard.history import COLUMNS, SPANS, History, rounded
from orchestrator.models.admission import Traffic
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["Watchman"]

_EVENTS = 50
_MEASURED = ("p50_s", "p95_s", "tokens_per_s")


class Watchman:
    """Looks at a registry: `look()` is all there is to see now, as a dict of sections; `history` holds the past."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self.history = History(began_s=self._step_s())
        self.decisions = Decisions(registry.clock)
        self.draining = False
        self._version = version("model-orchestrator")
        self._started_at = round(registry.clock.time(), 1)
        self._events: deque[dict[str, Any]] = deque(maxlen=_EVENTS)
        self._measured: dict[str, tuple[int, dict[str, float | None]]] = {}
        registry.subscribe(self.history.note)
        registry.watch_choices(self.decisions.note)
        registry.health.subscribe(self._health_changed)

    # what happens

    def turn_when_due(self) -> None:
        """End a step of the history where the calendar begins a new one: every process does so at the same time."""
        if self._step_s() != self.history.turned_at_s:
            self.turn()

    def turn(self) -> None:
        """End a step of the history."""
        facts = self.registry.selector.statistics()
        beliefs = {name: belief_of(figures)["estimate"] for name, figures in facts.items()}
        self.history.turn(at_s=self._step_s(), beliefs=beliefs)
        self.history.forget(self.registry)
        self._measured = {name: kept for name, kept in self._measured.items() if name in self.registry}

    def note(self, model_id: str, what: str, by: str) -> None:
        """An operator did something."""
        self._events.append({"at": self._now(), "model": model_id, "what": what, "by": by})

    def _health_changed(self, model_id: str, before: Status, after: Status) -> None:
        if before == "unknown" and after == "healthy":
            return  # a first answer is no news
        model = self.registry.get(model_id)
        reason = None if model is None else self.registry.health.status_of(model).reason
        self._events.append({"at": self._now(), "model": model_id, "from": before, "to": after, "reason": reason})

    # what is seen

    def look(self) -> dict[str, Any]:
        """Every section; `turn` is the step of the history that ended last."""
        last = {name: list(point) for name, point in self.history.last().items()}
        return {
            **self._sections(),
            "models": self._models(),
            "decisions": self.decisions.latest(),
            "turn": {"at": self.history.turned_at_s, "columns": COLUMNS, "models": last},
            "at": self._now(),
        }

    def _sections(self) -> dict[str, Any]:
        registry = self.registry
        cache, budgets = registry.recall.cache, registry.budgets
        return {
            "engine": {
                "version": self._version,
                "policy": type(registry.selector).__name__,
                "started_at": self._started_at,
                "draining": self.draining,
                "workers": None,
                "spans": {name: list(span) for name, span in SPANS.items()},
            },
            "issues": registry.health.issues,
            "events": list(self._events),
            "cache": None if cache is None else cache.get_statistics().to_dict(),
            "budgets": None if budgets is None else budgets.snapshot(),
        }

    def _models(self) -> list[dict[str, Any]]:
        facts = self.registry.selector.statistics()
        doors = {door.model_id: door for door in self.registry.admission.snapshot()}
        return [
            {**self._row(model), **_traffic(model, doors.get(model.id)), "belief": belief_of(facts.get(model.id, {}))}
            for model in tuple(self.registry.values())
        ]

    def _row(self, model: Model) -> dict[str, Any]:
        health = self.registry.health.status_of(model)
        calls, errors, cost_usd = self.history.so_far(model.id)
        wait_s = health.returns_in_s
        return {
            "id": model.id,
            "provider": model.provider,
            "is_local": model.is_local,
            "status": health.status,
            "reason": health.reason or next(iter(health.issues), None) or _setup_issue(model),
            "returns_at": None if wait_s is None else round(self.registry.clock.time() + wait_s),
            "failures": health.failures,
            "out_in": None,
            "last_check": health.last_check,
            "calls": calls,
            "errors": errors,
            "cost_usd": rounded(cost_usd),
            "is_priced": model.cost is not None,
            **self._measures(model, calls),
        }

    def _measures(self, model: Model, calls: int) -> dict[str, float | None]:
        """Quantiles are worked out anew only when there were calls."""
        kept = self._measured.get(model.id)
        if kept is None or kept[0] != calls:
            metrics = model.metrics
            figures = (metrics.latency_p50, metrics.latency_p95, metrics.throughput)
            kept = (calls, dict(zip(_MEASURED, map(rounded, figures), strict=True)))
            self._measured[model.id] = kept
        return kept[1]

    def _now(self) -> float:
        return round(self.registry.clock.time(), 1)

    def _step_s(self) -> float:
        """When the step began that is running now."""
        step_s = SPANS["minutes"].step_s
        return self.registry.clock.time() // step_s * step_s


def _setup_issue(model: Model) -> str | None:
    """Why a model cannot be called at all, such as a key that is not set."""
    try:
        return model.setup_issue()
    except Exception as error:  # noqa: BLE001 - a provider of the user's may raise anything; its words are its own
        return f"cannot be set up: {type(error).__name__}"


def _traffic(model: Model, door: Traffic | None) -> dict[str, Any]:
    if door is None:
        return {"in_flight": model.metrics.in_flight, "limit": None, "waiting": 0, "requests_left": None}
    left = None if door.requests_left is None else int(door.requests_left)
    waiting = sum(door.waiting.values())
    return {"in_flight": door.in_flight, "limit": door.limit, "waiting": waiting, "requests_left": left}
