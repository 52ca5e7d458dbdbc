"""Everything the page shows, as one plain value, and what has changed of it since it was told."""

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
    """Looks at a registry: `whole()` is all there is to see, `news()` what changed since the last look.

    Both are dicts of sections; `news()` holds the rows of `models` that changed, decisions and points that are new,
    and every other section that is not what it was.
    """

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self.history = History()
        self.decisions = Decisions(registry.clock)
        self.draining = False
        self._version = version("model-orchestrator")
        self._started_at = round(registry.clock.time(), 1)
        self._events: deque[dict[str, Any]] = deque(maxlen=_EVENTS)
        self._measured: dict[str, tuple[int, dict[str, float | None]]] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._sections: dict[str, Any] = {}
        self._told_turn = 0.0
        registry.subscribe(self.history.note)
        registry.watch_choices(self.decisions.note)
        registry.health.subscribe(self._health_changed)

    # what happens

    def turn(self) -> None:
        """End a step of the history."""
        facts = self.registry.selector.statistics()
        beliefs = {name: belief_of(figures)["estimate"] for name, figures in facts.items()}
        self.history.turn(at_s=self.registry.clock.time(), beliefs=beliefs)
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

    def whole(self) -> dict[str, Any]:
        """Every section, the history of the last minutes included."""
        return {
            **self._look(),
            "models": self._look_at_models(),
            "decisions": self.decisions.latest(),
            "series": self.history.series("minutes"),
            "at": self._now(),
        }

    def news(self) -> dict[str, Any]:
        """The sections that changed since the last call; `gone` names models that have left."""
        sections, rows = self._look(), self._look_at_models()
        told: dict[str, Any] = {name: value for name, value in sections.items() if value != self._sections.get(name)}
        changed = [row for row in rows if row != self._rows.get(row["id"])]
        gone = [name for name in self._rows if name not in self.registry]
        parts = {"models": changed, "gone": gone, "decisions": self.decisions.news(), "point": self._point()}
        self._sections, self._rows = sections, {row["id"]: row for row in rows}
        told.update({name: part for name, part in parts.items() if part})
        return told | {"at": self._now()} if told else {}

    def _look(self) -> dict[str, Any]:
        registry = self.registry
        cache, budgets = registry.recall.cache, registry.budgets
        return {
            "engine": {
                "version": self._version,
                "policy": type(registry.selector).__name__,
                "started_at": self._started_at,
                "draining": self.draining,
                "spans": {name: list(span) for name, span in SPANS.items()},
            },
            "issues": registry.health.issues,
            "events": list(self._events),
            "cache": None if cache is None else cache.get_statistics().to_dict(),
            "budgets": None if budgets is None else budgets.snapshot(),
        }

    def _look_at_models(self) -> list[dict[str, Any]]:
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

    def _point(self) -> dict[str, Any] | None:
        """The step of the history that has ended since the last look."""
        if self.history.turned_at_s == self._told_turn:
            return None
        self._told_turn = self.history.turned_at_s
        return {"at": self._told_turn, "columns": COLUMNS, "models": self.history.last()}

    def _now(self) -> float:
        return round(self.registry.clock.time(), 1)


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
