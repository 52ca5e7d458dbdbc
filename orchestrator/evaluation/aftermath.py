"""What a change led to: how fast a policy leaves what got worse and comes back to what got better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from orchestrator.evaluation.changes import Change, Outage
from orchestrator.evaluation.table import Codes
from orchestrator.evaluation.world import Mask, World

__all__ = ["Aftermath", "aftermaths"]

_WINDOW: Final = 100  # rounds before and after a change that are looked at
_SETTLING: Final = 50  # rounds after a recovery before use is compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The model's calls around a change.

    `usual_share` is its share of the 100 rounds before, `calls_after` its calls in the 100 rounds after. For an outage
    `failed_calls` are those that failed, and `use_after_recovery` is its share of rounds 50 to 100 after the end
    divided by its usual share; None where it had none.
    """

    kind: str
    model: str
    at: int
    usual_share: float
    calls_after: int
    failed_calls: int | None = None
    use_after_recovery: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Every figure by name, for JSON."""
        return asdict(self)


def aftermaths(world: World, picks: Codes) -> Iterator[Aftermath]:
    """One record a change, in their order."""
    for change in world.changes:
        used: Mask = picks == world.table.column(change.model)
        usual = _share(used[max(0, change.at - _WINDOW) : change.at])
        yield Aftermath(
            kind=change.kind,
            model=change.model,
            at=change.at,
            usual_share=usual,
            calls_after=int(used[change.at : change.at + _WINDOW].sum()),
            failed_calls=_failed(change, used),
            use_after_recovery=_recovered(change, used, usual),
        )


def _failed(change: Change, used: Mask) -> int | None:
    return int(used[change.at : change.until].sum()) if isinstance(change, Outage) else None


def _recovered(change: Change, used: Mask, usual: float) -> float | None:
    if not isinstance(change, Outage) or not usual or change.until + _SETTLING >= len(used):
        return None
    return _share(used[change.until + _SETTLING : change.until + _WINDOW]) / usual


def _share(used: Mask) -> float:
    return float(np.mean(used)) if len(used) else 0.0
