"""What each model would have answered in each round: a table in playing order, with the changes worked in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.changes import Change, Falls, Joins, Leaves, Outage, Reprices
from orchestrator.evaluation.table import Codes, Grid, OutcomeTable

__all__ = ["MOST_ROUNDS", "Mask", "World", "playing_order", "world_of"]

MOST_ROUNDS = 5_000

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Rounds (rows) by models (columns): score and cost as they would be, who is there, and whose call would fail.

    A failed call scores 0 and costs nothing. `order` holds each round's row in the table.
    """

    table: OutcomeTable
    order: Codes
    changes: tuple[Change, ...]
    score: Grid
    cost_usd: Grid
    present: Mask
    failing: Mask

    def __len__(self) -> int:
        return len(self.order)

    @property
    def settled(self) -> Mask:
        """The models that are there in every round."""
        there: Mask = np.logical_and.reduce(self.present, axis=0)
        return there


def playing_order(table: OutcomeTable, *, rounds: int | None, seed: int) -> Codes:
    """Each prompt at most once, in an order drawn from the seed; 5,000 rounds unless told otherwise."""
    if rounds is not None and not 1 <= rounds <= len(table):
        raise ConfigurationError(f"rounds={rounds!r}: from 1 to {len(table)}, the number of prompts in {table.name!r}")
    order = np.random.default_rng([seed, 0]).permutation(len(table))
    return order[: MOST_ROUNDS if rounds is None else rounds].astype(np.intp)


def world_of(table: OutcomeTable, order: Codes | Sequence[int], changes: Iterable[Change] = ()) -> World:
    """The table's outcomes in this order, after the changes.

    >>> table = OutcomeTable(name="t", prompt_ids=("p", "q"), models=("a", "b"),
    ...                      score=np.ones((2, 2)), cost_usd=np.ones((2, 2)))
    >>> world_of(table, [1, 0], [Falls(model="b", at=1)]).score.tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """
    rows = np.asarray(order, dtype=np.intp)
    happened = tuple(changes)
    world = World(
        table=table,
        order=rows,
        changes=happened,
        score=table.score[rows],
        cost_usd=table.cost_usd[rows],
        present=np.ones((len(rows), len(table.models)), dtype=np.bool_),
        failing=np.zeros((len(rows), len(table.models)), dtype=np.bool_),
    )
    for change in happened:
        if change.at >= len(rows):
            raise ConfigurationError(f"{change!r} comes too late: there are {len(rows)} rounds")
        _work_in(world, change)
    if not world.settled.any():
        raise ConfigurationError("the changes leave no model that is there in every round; let one of them stay")
    return world


def _work_in(world: World, change: Change) -> None:
    column, after = world.table.column(change.model), slice(change.at, None)
    match change:
        case Falls(to=to):
            world.score[after, column] *= to
        case Reprices(factor=factor):
            world.cost_usd[after, column] *= factor
        case Joins():
            world.present[: change.at, column] = False
        case Leaves():
            world.present[after, column] = False
        case Outage(until=until, flagged=flagged):
            during = slice(change.at, until)
            world.score[during, column] = 0.0
            world.cost_usd[during, column] = 0.0
            world.failing[during, column] = flagged
