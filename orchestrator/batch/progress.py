"""How far a batch is, what it has cost, and how long it will take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Progress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Figures of a batch under way, or at its end; `total` is None where nobody knows how many lines will come.

    `done` lines stand in the output, `before` of them since an earlier run; `failed` of them have an error instead of
    an answer. `spent_usd` is for all that stands there, `spent_now_usd` for this run; answers of unknown price,
    `unpriced`, are in neither. `stopped` says why a run ended early: "stopped" or "budget".

    >>> half = Progress(total=100, done=60, before=20, failed=1, spent_usd=0.6, spent_now_usd=0.4, elapsed_s=80.0)
    >>> half.left, half.left_s, round(half.left_usd, 3)
    (40, 80.0, 0.4)
    """

    total: int | None
    done: int
    before: int = 0
    failed: int = 0
    spent_usd: float = 0.0
    spent_now_usd: float = 0.0
    unpriced: int = 0
    elapsed_s: float = 0.0
    stopped: str | None = None

    @property
    def left(self) -> int | None:
        """Lines that are not done."""
        return None if self.total is None else max(0, self.total - self.done)

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at the pace of this run; None before there is one."""
        now = self.done - self.before
        return None if self.left is None or not now else self.left * self.elapsed_s / now

    @property
    def left_usd(self) -> float | None:
        """What the rest will cost, if it costs as much as this run's lines did."""
        now = self.done - self.before
        return None if self.left is None or not now else self.left * self.spent_now_usd / now

    def to_dict(self) -> dict[str, Any]:
        """All figures by name, for JSON."""
        facts = {name: getattr(self, name) for name in self.__slots__}
        return {**facts, "left": self.left}
