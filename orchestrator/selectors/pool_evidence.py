"""What the pool's shared part rests on: every arm's results and what is known of it, read in pieces."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.selectors.arm import Arm
from orchestrator.selectors.arms import Column
from orchestrator.selectors.member import Member
from orchestrator.selectors.tally import Tally

__all__ = ["DIFFICULTY_RESULTS", "Evidence", "Listed", "Rows", "facts_of", "gathered", "slices"]

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

DIFFICULTY_RESULTS: Final = 8.0  # a category's difficulty is shrunk by so many results
_READ: Final = 16  # arms whose sums are read in one piece,
_TALLIED: Final = 32  # and whose results by category are
_ABSENT: Final = (0.0, 0.0, 0.0, math.nan, math.nan)
_FURTHEST: Final = 4.0  # logarithms of prices are kept so near to their mean


class Listed(NamedTuple):
    """What a catalogue says by category: a level a model, deviations by category (rows) and model, and their scatter.

    The scatter is the mean square of the deviations, each as a share of the largest variance that its level allows.
    """

    level: Column
    deviation: Column
    scatter: float


class Evidence(NamedTuple):
    """Numbers of results, sums of qualities and of their squares by model, then the first two by category (rows) too.

    `listed` is the quality that is expected of a model and `cost_usd` its mean cost a call, NaN where it is not known.
    """

    rated: Column
    total: Column
    squares: Column
    listed: Column
    cost_usd: Column
    number_by_category: Column
    total_by_category: Column
    by_category: Listed | None = None


def gathered(
    known: Sequence[Arm], members: Mapping[Arm, Member], tally: Tally
) -> Generator[None, None, tuple[Rows, Evidence]]:
    """The arms' rows and what has been seen of each; a generator of pieces that returns both.

    Arms may leave and results come in between two pieces: who has left counts as never asked.
    """
    rows = np.empty(len(known), dtype=np.intp)
    sums = np.empty((len(_ABSENT), len(known)))
    for some in slices(len(known), _READ):
        yield
        rows[some] = [arm.row for arm in known[some]]
        sums.T[some] = [_sums_of(arm, members.get(arm)) for arm in known[some]]
    number, total = (np.empty((len(tally.row_of), len(known))) for _ in range(2))
    for some in slices(len(known) if len(number) else 0, _TALLIED):
        yield
        number[:, some] = tally.number[: len(number)].take(rows[some], axis=1)
        total[:, some] = tally.total[: len(total)].take(rows[some], axis=1)
    rated, totals, squares, listed, cost_usd = sums
    return rows, Evidence(rated, totals, squares, listed, cost_usd, number, total)


def _sums_of(arm: Arm, member: Member | None) -> tuple[float, ...]:
    return _ABSENT if member is None else member.sums(arm)


def slices(number: int, size: int) -> Iterator[slice]:
    """So many things in pieces of this size.

    >>> [(piece.start, piece.stop) for piece in slices(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    return (slice(start, min(start + size, number)) for start in range(0, number, size))


def facts_of(listed: Column, cost_usd: Column) -> Generator[None, None, Column]:
    """What is known of each model (rows): 1, its expected quality and the logarithm of its price, from their means.

    Where nothing is listed, or a call is free or of unknown cost (NaN), it counts as the mean. A generator of pieces.
    """
    facts = np.zeros((len(listed), 3))
    facts[:, 0] = 1.0
    facts[:, 1] = _centred(listed, listed == listed)  # noqa: PLR0124 - NaN alone is not itself, and isnan is slower
    yield
    priced = cost_usd > 0
    prices = np.log(np.where(priced, cost_usd, 1.0))
    yield
    prices = _centred(prices, priced)
    yield
    facts[:, 2] = np.minimum(np.maximum(prices, -_FURTHEST), _FURTHEST)
    return facts


def _centred(column: Column, there: Mask) -> Column:
    """How far each number is from their mean; 0 for what is not there."""
    number = np.count_nonzero(there)
    if number == len(column):
        return column - float(np.add.reduce(column)) / number
    if not number:
        return np.zeros(len(column))
    centred: Column = np.where(there, column - np.add.reduce(np.where(there, column, 0.0)) / number, 0.0)
    return centred
