"""A request with everything that says how it is to be answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective

__all__ = ["Question"]


class Question(NamedTuple):
    """Who may answer (`only` this model, or any that meets what is `wanted`), by which objective, and in what time.

    None leaves deadline (seconds), attempts, hedging, resuming and waiting for a place to the service; of those who
    wait, the higher priority goes first.
    """

    request: Request
    only: Model | None = None
    wanted: Mapping[str, Any] = {}
    objective: Objective | None = None
    deadline_s: float | None = None
    max_attempts: int | None = None
    hedge: bool | None = None
    resume: bool | None = None
    wait_for_capacity: bool | None = None
    priority: int = 0
