"""The journal of a registry as a log to learn from: what another policy would have done on your own requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.decisions import Decision

if TYPE_CHECKING:
    from orchestrator.models.journal import Entry

__all__ = ["read_journal"]


def read_journal(
    path: str | os.PathLike[str], *, rated_only: bool = False, unknown_cost_usd: float | None = None
) -> list[Decision]:
    """The decisions that a journal has kept, in order, for `replay_log` and the estimators.

    A score is the rating, else what was assumed: 1 for an answer, 0 for a failure; `rated_only` leaves out what nobody
    has rated. Decisions whose propensity is not known teach nothing here, nor do failures that were no fault of the
    model; those of an unknown price count `unknown_cost_usd`, or are left out too. None left is a ConfigurationError.
    """
    from orchestrator.models.journal import read_entries

    entries = read_entries(path)
    wanted = [one for one in entries if not rated_only or one.rating is not None]
    fit = [made for one in wanted if (made := _decision(one, unknown_cost_usd)) is not None]
    if not fit:
        raise ConfigurationError(_why_none(os.fspath(path), entries, wanted, unknown_cost_usd))
    return fit


def _decision(entry: Entry, unknown_cost_usd: float | None) -> Decision | None:
    cost_usd = unknown_cost_usd if entry.cost_usd is None else entry.cost_usd
    if entry.error is not None and cost_usd is None:
        cost_usd = 0.0  # nothing was answered, and nothing billed
    if not entry.propensity or entry.worth is None or cost_usd is None:
        return None
    return Decision(
        prompt_id=entry.response_id or f"{entry.run}-{entry.request}",
        model=entry.model,
        score=entry.worth,
        cost_usd=cost_usd,
        propensity=entry.propensity,
        category=entry.category or "all",
        features=entry.features,
        candidates=tuple(entry.candidates),
    )


def _why_none(path: str, entries: list[Entry], wanted: list[Entry], unknown_cost_usd: float | None) -> str:
    if not entries:
        return f"{path!r} has no decisions yet"
    if not wanted:
        return f"none of the {len(entries)} decisions in {path!r} is rated: rate answers with response.rate(quality)"
    if not any(one.propensity for one in wanted):
        return f"{path!r} tells of no propensity: use a policy that knows its own, such as pool with floor=0.05"
    if unknown_cost_usd is None:
        return f"no decision in {path!r} has a known price: set cost= of the models, or give unknown_cost_usd="
    return f"no decision in {path!r} says anything about quality"
