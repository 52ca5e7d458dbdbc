"""Cool-downs as plain values that several processes can share: of two ends the later holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.core.circuit import Circuit
from orchestrator.core.clock import Clock

__all__ = ["merge", "state_of"]


def state_of(circuits: Mapping[str, Circuit], clock: Clock) -> dict[str, dict[str, Any]]:
    """The circuits that are out: status, reason, doublings, and until when in seconds since 1970. JSON can hold it."""
    now, date_s = clock.monotonic(), clock.time()
    return {
        name: {
            "status": circuit.status,
            "until": date_s + circuit.out_until - now,
            "reason": circuit.reason or "",
            "doublings": circuit.doublings,
        }
        for name, circuit in circuits.items()
        if circuit.status in ("unhealthy", "limited") and circuit.out_until > now
    }


def merge(state: Any, clock: Clock) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries that can be read and still hold, as arguments of `Circuit.join`.

    Other processes' clocks may be wrong; `join` has nobody out for more than an hour by their word.
    """
    for name, entry in state.items() if isinstance(state, Mapping) else ():
        wait_s = _number(entry, "until") - clock.time()
        if not 0 < wait_s < math.inf or entry.get("status") not in ("unhealthy", "limited"):
            continue
        doublings = _number(entry, "doublings")
        yield (
            str(name),
            {
                "status": entry["status"],
                "wait_s": wait_s,
                "reason": str(entry.get("reason", ""))[:200],
                "doublings": int(doublings) if 0 <= doublings < math.inf else 0,
            },
        )


def _number(entry: Any, name: str) -> float:
    value = entry.get(name) if isinstance(entry, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
