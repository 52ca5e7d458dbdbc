"""An outcome table: what every model answered to every prompt, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["Codes", "Expected", "Grid", "OutcomeTable"]

Grid = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Expected = float | Mapping[str, float]  # a score, or one by category
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutcomeTable:
    """Scores in [0, 1] and costs in USD of one answer, by prompt (row) and model (column); no cell is unknown.

    `category` holds a code a prompt into `categories`; `prompts` holds the texts where they are known.

    >>> table = OutcomeTable(name="two", prompt_ids=("p", "q"), models=("a", "b"),
    ...                      score=np.array([[1.0, 0.0], [1.0, 1.0]]), cost_usd=np.array([[0.02, 0.01]] * 2))
    >>> table.catalogue(), table.price_list()
    ({'a': 1.0, 'b': 0.5}, {'a': 0.02, 'b': 0.01})
    """

    name: str
    prompt_ids: tuple[str, ...]
    models: tuple[str, ...]
    score: Grid
    cost_usd: Grid
    category: Codes = field(default_factory=lambda: np.zeros(0, dtype=np.intp))
    categories: tuple[str, ...] = ("all",)
    prompts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.prompt_ids), len(self.models))
        if 0 in shape:
            raise ConfigurationError(
                f"table {self.name!r}: {shape[0]} prompts and {shape[1]} models; give some of both"
            )
        for name, grid in (("score", self.score), ("cost_usd", self.cost_usd)):
            if grid.shape != shape:
                raise ConfigurationError(f"table {self.name!r}: {name} has the shape {grid.shape}, not {shape}")
        if not ((self.score >= 0).all() and (self.score <= 1).all()):
            raise ConfigurationError(f"table {self.name!r}: every score is a number from 0 to 1")
        if not (np.isfinite(self.cost_usd).all() and (self.cost_usd >= 0).all()):
            raise ConfigurationError(f"table {self.name!r}: every cost is USD from 0 up")
        if not len(self.category):
            object.__setattr__(self, "category", np.zeros(shape[0], dtype=np.intp))

    def __len__(self) -> int:
        return len(self.prompt_ids)

    def __repr__(self) -> str:
        size = f"{len(self)} prompts, {len(self.models)} models, {len(self.categories)} categories"
        return f"<OutcomeTable {self.name!r}: {size}>"

    def column(self, model: str) -> int:
        """The column of a model; a ConfigurationError names near ones when there is none."""
        if model not in self.models:
            raise ConfigurationError(f"table {self.name!r} has no model {model!r}; {did_you_mean(model, self.models)}")
        return self.models.index(model)

    def catalogue(self) -> dict[str, float]:
        """Every model's mean score: the best prior one can have for other prompts of the same kind."""
        return dict(zip(self.models, self.score.mean(axis=0).tolist(), strict=True))

    def catalogue_by_category(self, *, least: int = 10) -> dict[str, dict[str, float]]:
        """Every model's mean score in each category of at least `least` prompts: fewer say little."""
        numbers = np.bincount(self.category, minlength=len(self.categories))
        kept = [code for code, number in enumerate(numbers.tolist()) if number >= least]
        means = {code: self.score[self.category == code].mean(axis=0).tolist() for code in kept}
        return {
            model: {self.categories[code]: means[code][column] for code in kept}
            for column, model in enumerate(self.models)
        }

    def price_list(self) -> dict[str, float]:
        """Every model's mean cost of a call in USD."""
        return dict(zip(self.models, self.cost_usd.mean(axis=0).tolist(), strict=True))

    def text_of(self, row: int) -> str | None:
        """The prompt's text, if the table has it."""
        return None if self.prompts is None else self.prompts[row]

    def taking(self, rows: Codes | Sequence[int], *, name: str | None = None) -> OutcomeTable:
        """A table of some of the prompts."""
        chosen = np.asarray(rows, dtype=np.intp)
        return OutcomeTable(
            name=name or self.name,
            prompt_ids=tuple(self.prompt_ids[row] for row in chosen),
            models=self.models,
            score=self.score[chosen],
            cost_usd=self.cost_usd[chosen],
            category=self.category[chosen],
            categories=self.categories,
            prompts=None if self.prompts is None else tuple(self.prompts[row] for row in chosen),
        )

    def halves(self, *, seed: int) -> tuple[OutcomeTable, OutcomeTable]:
        """Two tables without a prompt in common: one to set up with, one to be judged on."""
        rows = np.random.default_rng(seed).permutation(len(self))
        middle = (len(rows) + 1) // 2
        return (
            self.taking(np.sort(rows[:middle]), name=f"{self.name}/1"),
            self.taking(np.sort(rows[middle:]), name=f"{self.name}/2"),
        )

    def expected_scores(self, given: Mapping[str, Expected]) -> dict[str, Expected]:
        """The part of a prior that is about this table's models: a score of each, or one by category."""
        return {model: self._expected(model, said) for model, said in self._about(given)}

    def expectation(self, given: Mapping[str, float], *, most: float) -> dict[str, float]:
        """The part of a price list that is about this table's models; it may know others besides.

        Raises ConfigurationError when it knows none of them, or when a number is not from 0 to `most`.
        """
        return {model: _possible(repr(model), value, most=most) for model, value in self._about(given)}

    def _about(self, given: Mapping[str, _Value]) -> Iterator[tuple[str, _Value]]:
        if given and not any(model in self.models for model in given):
            self.column(next(iter(given)))
        return ((model, value) for model, value in given.items() if model in self.models)

    def _expected(self, model: str, said: Expected) -> Expected:
        if not isinstance(said, Mapping):
            return _possible(repr(model), said, most=1.0)
        if said and len(self.categories) > 1 and not any(category in self.categories for category in said):
            first = str(next(iter(said)))
            raise ConfigurationError(
                f"something is expected of {model!r} in {first!r}, and table {self.name!r} has no such category; "
                f"{did_you_mean(first, self.categories)}"
            )
        return {category: _possible(f"{model!r} in {category!r}", score, most=1.0) for category, score in said.items()}


def _possible(what: str, value: object, *, most: float) -> float:
    if not isinstance(value, int | float | np.floating | np.integer) or not 0 <= value <= most:
        raise ConfigurationError(f"what is expected of {what} is {value!r}: a number from 0 to {most:g}")
    return float(value)
