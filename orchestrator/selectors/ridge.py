"""Many ridge regressions over the same features, each updated by rank-one steps."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from orchestrator.selectors.arms import Column

__all__ = ["Ridge"]

_INVERT_ANEW: Final = 1_000  # steps after which rounding is swept out
_ROUNDING: Final = 1e-6


class Ridge:
    """A row a regression: the inverse of ridge x I + sum x x', and the sum of x y.

    >>> lines = Ridge(1, ridge=1.0)
    >>> for y in (1.0, 1.0, 1.0):
    ...     lines.learn(0, np.ones(1), y)
    >>> [numbers.tolist() for numbers in lines.predict(np.ones(1))]
    [[0.75], [0.25]]
    """

    def __init__(self, size: int, *, ridge: float) -> None:
        self.size = size
        self.ridge = ridge
        self._gram = np.zeros((0, size, size))
        self._inverse = np.zeros((0, size, size))
        self._moment = np.zeros((0, size))
        self._theta = np.zeros((0, size))
        self._steps: list[int] = []

    def predict(self, x: Column) -> tuple[Column, Column]:
        """Every regression's value at x, and x' A^-1 x."""
        means: Column = self._theta @ x
        variances: Column = (self._inverse @ x) @ x
        return means, np.maximum(variances, 0.0)

    def learn(self, row: int, x: npt.NDArray[np.float64], y: float) -> None:
        """Add the pair (x, y) to one regression (Sherman and Morrison 1950)."""
        if row >= len(self._theta):
            self.clear(row)
        inverse = self._inverse[row]
        leaned = inverse @ x
        inverse -= np.outer(leaned, leaned) / (1.0 + x @ leaned)
        self._gram[row] += np.outer(x, x)
        self._moment[row] += x * y
        self._steps[row] += 1
        if self._steps[row] % _INVERT_ANEW == 0:
            fresh = np.linalg.inv(self._gram[row])
            inverse[:] = (fresh + fresh.T) / 2
        self._theta[row] = inverse @ self._moment[row]

    def correct(self, row: int, x: npt.NDArray[np.float64], change: float) -> None:
        """The y of an earlier pair was so much larger."""
        if row < len(self._theta):
            self._moment[row] += x * change
            self._theta[row] = self._inverse[row] @ self._moment[row]

    def sums(self, row: int) -> dict[str, list[float]] | None:
        """What one regression has summed up, as JSON: sum x x' by its upper triangle, and sum x y."""
        if row >= len(self._theta) or not self._steps[row]:
            return None
        seen = self._gram[row] - np.eye(self.size) * self.ridge
        return {"gram": seen[np.triu_indices(self.size)].tolist(), "moment": self._moment[row].tolist()}

    def add(self, row: int, gram: Column, moment: Column) -> bool:
        """Add another's sums; False for what cannot be true: no covariance, or of another size."""
        square = np.zeros((self.size, self.size))
        upper = np.triu_indices(self.size)
        if gram.shape != upper[0].shape or moment.shape != (self.size,):
            return False
        square[upper] = gram
        square += np.triu(square, 1).T
        if not (np.isfinite(square).all() and np.isfinite(moment).all()) or np.linalg.eigvalsh(square)[0] < -_ROUNDING:
            return False
        if row >= len(self._theta):
            self.clear(row)
        self._gram[row] += square
        self._moment[row] += moment
        self._steps[row] += 1
        fresh = np.linalg.inv(self._gram[row])
        self._inverse[row] = (fresh + fresh.T) / 2
        self._theta[row] = self._inverse[row] @ self._moment[row]
        return True

    def clear(self, row: int) -> None:
        """This regression starts anew; rows up to it are made."""
        missing = row + 1 - len(self._theta)
        if missing > 0:
            self._gram, self._inverse = (
                np.concatenate([cube, np.zeros((missing, self.size, self.size))])
                for cube in (self._gram, self._inverse)
            )
            self._moment, self._theta = (
                np.concatenate([grid, np.zeros((missing, self.size))]) for grid in (self._moment, self._theta)
            )
            self._steps += [0] * missing
        for fresh in range(row - max(missing - 1, 0), row + 1):
            self._gram[fresh] = np.eye(self.size) * self.ridge
            self._inverse[fresh] = np.eye(self.size) / self.ridge
            self._moment[fresh] = self._theta[fresh] = 0.0
            self._steps[fresh] = 0
