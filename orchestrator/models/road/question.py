"""A request with everything that says how it is to be answered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Objective
from orchestrator.models.limits.waiting import priority_of

__all__ = ["Question", "checked_limit", "checked_switch", "question_of"]


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


def question_of(request: Request, **facts: Any) -> Question:
    """The request, relieved of the parameters that speak to the engine and to no provider.

    >>> question = question_of(Request.of("Hello", deadline_s=5, temperature=0))
    >>> question.deadline_s, question.request.params
    (5, {'temperature': 0})
    """
    params = request.params
    if params:
        facts["deadline_s"] = checked_limit("deadline_s", params.pop("deadline_s", None), int | float)
        facts["max_attempts"] = checked_limit("max_attempts", params.pop("max_attempts", None), int)
        facts["hedge"] = checked_switch("hedge", params.pop("hedge", None))
        facts["resume"] = checked_switch("resume", params.pop("resume", None))
        facts["wait_for_capacity"] = checked_switch("wait_for_capacity", params.pop("wait_for_capacity", None))
        facts["priority"] = priority_of(params.pop("priority", None))
    return Question(request, **facts)


def checked_limit(name: str, value: Any, kind: Any) -> Any:
    """A limit on one request, or None where there is none of its own."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < math.inf):
        raise ValueError(f"{name}={value!r}: give a {'whole ' if kind is int else ''}number above 0")
    return value


def checked_switch(name: str, value: Any) -> Any:
    """An option that is on or off, or None where the call does not say."""
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name}={value!r}: give True or False")
    return value
