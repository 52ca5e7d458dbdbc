"""What a selector knows that has seen the decisions of a journal: a head start for another registry."""

from __future__ import annotations

import os
from typing import Any

from orchestrator.errors import ConfigurationError
from orchestrator.selectors import DEFAULT, Context, selector_named

__all__ = ["learnt_from_journal"]


def learnt_from_journal(
    path: str | os.PathLike[str], selector: str = DEFAULT, *, rated_only: bool = False
) -> dict[str, Any]:
    """The state that `registry.selector.merge` takes, of a selector that saw how every attempt in the journal ended.

    Unlike a replay it needs neither propensities nor prices: it learns what was seen, and nothing is chosen. A quality
    is the rating, else what was assumed at the time; `rated_only` leaves out what nobody has rated. Costs and latencies
    of answers are learnt too. A journal that teaches nothing is a ConfigurationError.
    """
    from orchestrator.models.journal import read_entries

    pupil = selector_named(selector)
    known: set[str] = set()
    for entry in read_entries(path):
        if entry.worth is None or (rated_only and entry.rating is None):
            continue
        if entry.model not in known:
            known.add(entry.model)
            pupil.enroll(entry.model)
        answered = entry.error is None
        pupil.settle(
            entry.model,
            quality=entry.worth,
            cost_usd=entry.cost_usd,
            latency_s=entry.latency_s if answered else None,
            context=Context(entry.category, entry.features),
        )
    if not known:
        wanted = "rated attempt" if rated_only else "attempt whose end says something about a model"
        raise ConfigurationError(f"{os.fspath(path)}: no {wanted} in this journal; there is nothing to learn from it")
    return pupil.state()
