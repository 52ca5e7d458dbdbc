"""Who is in the running and who is not, as a table and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.cli.figures import BLANK, money
from orchestrator.cli.tables import table

if TYPE_CHECKING:
    from rich.table import Table

    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.models.roster.selection import Selection

__all__ = ["Standing", "as_table", "nobody", "standings"]


class Standing(NamedTuple):
    """How one model stands: a score and the expected price of a request, or the reason it was refused."""

    model_id: str
    chosen: bool
    score: float | None
    expected_usd: float | None
    refused: str | None

    @property
    def words(self) -> str:
        """Why it stands where it does."""
        if self.refused is not None:
            return self.refused
        price = "price unknown" if self.expected_usd is None else f"about {money(self.expected_usd)} a request"
        return f"chosen: {price}" if self.chosen else price


def standings(selection: Selection, registry: ModelRegistry) -> list[Standing]:
    """Every model: the chosen one and its rivals by falling score, then the refused."""
    from orchestrator.core.requirements import Requirements, expected_cost

    usual = Requirements()
    return [
        Standing(
            candidate.model_id,
            candidate.model_id == selection.model_id,
            candidate.score,
            expected_cost(registry[candidate.model_id], usual),
            candidate.refused,
        )
        for candidate in selection.candidates
    ]


def nobody(reasons: Mapping[str, str]) -> list[Standing]:
    """Every model with the reason why none of them fits."""
    return [Standing(model_id, False, None, None, why) for model_id, why in reasons.items()]


def as_table(rows: Sequence[Standing]) -> Table:
    """The same to look at."""
    made = table("Who would answer", ("", "left"), ("Model", "left"), ("Score", "right"), ("Why", "left"))
    for row in rows:
        made.add_row(
            "→" if row.chosen else "",
            row.model_id,
            BLANK if row.score is None else f"{row.score:.4g}",
            row.words,
            style="bold green" if row.chosen else "dim" if row.refused else "",
        )
    return made
