"""A selector's memory as JSON: sums that add, so that the memories of several processes make one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.errors import ConfigurationError
from orchestrator.selectors.arm import LARGEST, SUMS, Arm

__all__ = ["FORMAT", "add_sums", "change_sums", "read_sums", "write_sums"]

FORMAT: Final = 1
_MOST_CALLS: Final = 1e15
_CEILINGS = (
    ("quality_sum", "rated", 1.0),
    ("quality_squares", "quality_sum", 1.0),
    ("cost_sum_usd", "costs", LARGEST),
    ("latency_sum_s", "latencies", LARGEST),
    ("speed_sum", "speeds", LARGEST),
)


def write_sums(arm: Arm, *, weight: float) -> dict[str, float]:
    """The sums of one arm with the newest result counting 1; calls in flight belong to their own process."""
    sums: dict[str, float] = {name: float(getattr(arm, name)) / weight for name in SUMS[1:]}
    return {"pulls": int(arm.pulls), **sums}


def add_sums(arm: Arm, sums: Mapping[str, float], *, weight: float) -> None:
    """Count what another process saw."""
    arm.pulls += int(sums["pulls"])
    for name in SUMS[1:]:
        setattr(arm, name, getattr(arm, name) + weight * sums[name])


def change_sums(arm: Arm, changes: Mapping[str, Any], *, weight: float) -> None:
    """Add differences, signed as ratings come late; no sum leaves its bounds."""
    arm.pulls = max(0, arm.pulls + round(changes.get("pulls", 0)))
    for name in SUMS[1:]:
        setattr(arm, name, max(0.0, getattr(arm, name) + weight * changes.get(name, 0.0)))
    arm.quality_sum = min(arm.quality_sum, arm.rated)
    arm.quality_squares = min(arm.quality_squares, arm.quality_sum)


def read_sums(state: Mapping[str, Any]) -> Iterable[tuple[str, dict[str, float] | None]]:
    """Every arm of a saved state with its sums, or None for a record that cannot be true."""
    if state.get("format") != FORMAT or not isinstance(state.get("arms"), Mapping):
        raise ConfigurationError(
            f"selector state of format {state.get('format')!r} cannot be read; accepted: {FORMAT}, as state() writes it"
        )
    for name, record in state["arms"].items():
        yield name, _true_sums(record)


def _true_sums(record: Any) -> dict[str, float] | None:
    """The record as numbers, if they are finite and no sum is larger than its count allows."""
    if not isinstance(record, Mapping):
        return None
    if not all(isinstance(record.get(name), int | float) for name in SUMS):
        return None
    sums = {name: record[name] for name in SUMS}
    if not all(0.0 <= value <= LARGEST * _MOST_CALLS for value in sums.values()):
        return None
    if not all(sums[count] <= _MOST_CALLS for count in ("pulls", "rated", "costs", "latencies", "speeds")):
        return None
    if any(sums[part] > sums[whole] * most for part, whole, most in _CEILINGS):
        return None
    return {name: float(value) for name, value in sums.items()}
