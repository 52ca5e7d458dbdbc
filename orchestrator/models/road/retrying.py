"""Asking the same model again: after what pause, and whether at all."""

from __future__ import annotations

import random

from orchestrator.errors import Blame, ProviderAPIError

__all__ = ["pause_s", "was_told"]

_BACK_OFF_S, _MAX_BACK_OFF_S = 0.5, 8.0


def was_told(error: ProviderAPIError) -> bool:
    """True where the model has named a moment from which on it wants to be asked again.

    >>> from orchestrator.errors import RateLimitError
    >>> was_told(RateLimitError("x", retry_after_s=2)), was_told(RateLimitError("x"))
    (True, False)
    """
    return error.blame is Blame.LIMIT and bool(error.retry_after_s)


def pause_s(error: ProviderAPIError, made: int, rng: random.Random) -> float | None:
    """Seconds to wait after so many attempts before the same model is asked again; None where that is hopeless.

    As long as it says, else full jitter: anything up to half a second, doubling with each attempt up to eight.
    """
    if made > error.again or (error.blame is Blame.LIMIT and error.retry_after_s is None):
        return None
    if error.retry_after_s is not None:
        return error.retry_after_s  # who is asked knows better
    return rng.random() * min(_MAX_BACK_OFF_S, _BACK_OFF_S * 2.0**made)
