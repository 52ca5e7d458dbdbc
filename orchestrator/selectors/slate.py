"""The candidates of a decision, and the decision."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Arms, Column

__all__ = ["FEW", "Choice", "Slate"]

FEW = 32  # up to here a loop over the arms beats numpy, whose every step costs a microsecond or two
_NEVER = -1  # no table has this version


class Slate:
    """Candidates as row numbers, worked out once and kept by the caller while the same arms stand.

    `rows` is None when the candidates are the whole table in its own order. A slate of an older version, or with
    an arm that is not in the table (it may have left a moment ago), still works: names are looked up each time.

    >>> table = Arms(("a", "b"))
    >>> Slate(("b", "a"), table).rows.tolist(), Slate(("a", "b"), table).rows
    ([1, 0], None)
    """

    __slots__ = ("arms", "few", "rows", "table", "version")

    def __init__(self, arms: tuple[str, ...], table: Arms, known: Mapping[str, Arm] | None = None) -> None:
        self.arms = arms
        self.table = table
        self.few: list[Arm] | None = None  # the candidates themselves, where going through them beats a vector
        if known is not None and 0 < len(arms) <= FEW:
            found = [arm for name in arms if (arm := known.get(name)) is not None]
            self.few = found if len(found) == len(arms) else None
        self.version = table.version
        self.rows: npt.NDArray[np.intp] | None = None
        if arms == table.names and arms:
            return
        rows = [table.row_of.get(name) for name in arms]
        if None in rows or not rows:
            self.version = _NEVER
        else:
            self.rows = np.array(rows, dtype=np.intp)

    def __len__(self) -> int:
        return len(self.arms)


class Choice:
    """The arm to call, its score, every candidate's score in the slate's order, and how likely the choice was.

    `propensity` is 1 for a deterministic policy and None where it is not known; a score of -inf marks an arm the
    policy refuses.
    """

    __slots__ = ("arm", "propensity", "score", "scores")

    def __init__(self, arm: str, score: float, scores: Column | list[float], propensity: float | None) -> None:
        self.arm = arm
        self.score = score
        self.scores = scores
        self.propensity = propensity

    def __repr__(self) -> str:
        return f"<Choice of {self.arm!r} among {len(self.scores)}, score {self.score:.4g}>"
