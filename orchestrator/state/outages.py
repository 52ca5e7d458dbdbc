"""Who is out and until when, told to the others and heard from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.core.clock import Clock

if TYPE_CHECKING:
    from orchestrator.models.health_monitor import ModelHealthMonitor

__all__ = ["Outages"]

_LEAST_S = 10.0  # that a note stands; a process that is not heard of for so long counts as gone
_SAME_S = 1.0


class Outages:
    """A note about the outages that this process has found out itself; what it only heard of it does not repeat.

    Otherwise two processes would keep telling each other of an outage that an operator has ended.
    """

    def __init__(self, health: ModelHealthMonitor, clock: Clock) -> None:
        self._health = health
        self._clock = clock
        self._heard: dict[tuple[str, str], float] = {}

    def note(self) -> tuple[str, float]:
        """The note, and for how many seconds it holds."""
        own = {
            kind: {name: entry for name, entry in entries.items() if not self._is_heard(kind, name, entry["until"])}
            for kind, entries in self._health.to_state().items()
        }
        own = {kind: entries for kind, entries in own.items() if entries}
        ends = [entry["until"] - self._clock.time() for entries in own.values() for entry in entries.values()]
        return json.dumps(own) if own else "", max(_LEAST_S, *ends) if ends else _LEAST_S

    def heed(self, notes: Mapping[str, str]) -> None:
        """Take over what others have found out."""
        now = self._clock.time()
        self._heard = {place: until for place, until in self._heard.items() if until > now}
        for state in filter(None, map(_read, notes.values())):
            for place, until in _ends(state):
                self._heard[place] = max(until, self._heard.get(place, 0.0))
            self._health.merge_state(state)

    def _is_heard(self, kind: str, name: str, until: float) -> bool:
        return abs(self._heard.get((kind, name), 0.0) - until) < _SAME_S


def _read(note: str) -> dict[str, Any] | None:
    """A note as somebody has written it; what is none says nothing."""
    try:
        found = json.loads(note) if note else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _ends(state: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], float]]:
    for kind, entries in state.items():
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            until = entry.get("until") if isinstance(entry, dict) else None
            if isinstance(until, int | float):
                yield (kind, name), float(until)
