"""Why the last decisions fell as they did: what the policy saw when it chose."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

from orchestrator.core.clock import Clock
from orchestrator.gateway.dashboard.history import rounded
from orchestrator.models.roster.selection import Candidate, Selection

__all__ = ["Decisions"]

KEPT = 40
_EXPLAINED = 8  # a round; of a flood of decisions the latest are told
_RUNNERS_UP, _REFUSALS = 4, 4


class Decisions:
    """Keeps choices as they are made, which costs an append, and puts them into words when somebody looks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fresh: deque[tuple[float, Selection]] = deque(maxlen=_EXPLAINED)
        self._told: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._count = 0

    def note(self, selection: Selection) -> None:
        """A request's model was chosen."""
        self._fresh.append((self._clock.time(), selection))

    def latest(self) -> list[dict[str, Any]]:
        """All that are kept, oldest first; `number` counts those that were put into words."""
        while self._fresh:
            self._count += 1
            self._told.append({"number": self._count, **_told(*self._fresh.popleft())})
        return list(self._told)


def _told(at_s: float, selection: Selection) -> dict[str, Any]:
    candidates = selection.candidates
    running = [one for one in candidates if one.refused is None]
    rivals = [one for one in running if one.model_id != selection.model_id]
    return {
        "at": round(at_s, 3),
        "model": selection.model_id,
        "score": _finite(selection.score),
        "propensity": _finite(selection.propensity),
        "panic": selection.panic,
        "running": len(running),
        "rivals": [{"model": one.model_id, "score": _finite(one.score)} for one in islice(rivals, _RUNNERS_UP)],
        "refused": _grouped(one for one in candidates if one.refused is not None),
    }


def _grouped(refused: Iterable[Candidate]) -> list[dict[str, Any]]:
    """Refusals by their reason, the commonest first."""
    groups: dict[str, list[str]] = {}
    for one in refused:
        groups.setdefault(one.refused or "", []).append(one.model_id)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [{"why": why, "models": names[:3], "count": len(names)} for why, names in ranked[:_REFUSALS]]


def _finite(number: float | None) -> float | None:
    return rounded(float(number)) if number is not None and math.isfinite(number) else None
