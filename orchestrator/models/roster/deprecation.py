"""Models that their provider will take away: offered with a warning until the day, refused from it on."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, time

from orchestrator.core.model import Model

__all__ = ["DeprecatedModelWarning", "days_end_s", "retired", "warn_once"]


class DeprecatedModelWarning(UserWarning):
    """A model was chosen that its provider has announced to withdraw."""


def days_end_s(model: Model) -> float | None:
    """When the model is withdrawn, in seconds since 1970: midnight (UTC) at which its deprecation date begins."""
    day = model.info.deprecation_date
    return None if day is None else datetime.combine(day, time(), UTC).timestamp()


def retired(model: Model, now_s: float) -> str | None:
    """Why a model is not offered any more, or None.

    >>> model = Model(id="old", provider="custom", deprecation_date="2026-01-31")
    >>> retired(model, 1_769_817_600), retired(model, 1_769_817_599)
    ('deprecated: withdrawn since 2026-01-31', None)
    """
    end_s = days_end_s(model)
    if end_s is None or now_s < end_s:
        return None
    return f"deprecated: withdrawn since {model.info.deprecation_date}"


def warn_once(model: Model, warned: set[str]) -> None:
    """Say when the model ends, the first time it is chosen."""
    if model.id not in warned:
        warned.add(model.id)
        day = model.info.deprecation_date
        warnings.warn(
            f"{model.id!r} is deprecated: it will not be chosen from {day} on; register its successor",
            DeprecatedModelWarning,
            stacklevel=4,
        )
