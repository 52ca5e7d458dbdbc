"""What follows from each kind of failure: who is at fault, who is asked next, what it costs, who learns from it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["CONDUCT", "Blame", "Conduct", "Toll"]


class Blame(StrEnum):
    """Who is at fault when a call fails; it decides who is asked next and who learns from it."""

    CALLER = "caller"  # the request itself: every model would refuse it
    MODEL = "model"  # this model or its server
    LIMIT = "limit"  # this model, for now: it asks us to slow down
    MISMATCH = "mismatch"  # this request on this model; another model may take it
    KEY = "key"  # the key or the account behind it: all its models


class Toll(StrEnum):
    """What a failure costs the model's health."""

    NOTHING = "nothing"
    STRIKE = "a strike"  # enough of them, and the model is set aside
    PAUSE = "set aside as long as told"
    KEY = "sets aside all models of the key"
    GONE = "set aside for minutes"


class Conduct(NamedTuple):
    """What follows from one kind of failure.

    `again` is how often the same model may be asked once more for one request, where there is no other; `elsewhere`
    whether another model may take it; `counts` whether it enters the model's figures, `lowers` whether it lowers the
    model's score with the selector.
    """

    blame: Blame
    again: int
    elsewhere: bool
    health: Toll
    counts: bool
    lowers: bool


_ALWAYS = 9  # the attempts of the request are the bound
CONDUCT: dict[str, Conduct] = {
    # kind                             blame         again    elsewhere  health    counts  lowers
    "authentication": Conduct(         Blame.KEY,      0,       True,  Toll.KEY,     True,  False),
    "permission": Conduct(             Blame.KEY,      0,       True,  Toll.GONE,    True,  False),
    "quota": Conduct(                  Blame.KEY,      0,       True,  Toll.KEY,     True,  False),
    "rate_limit": Conduct(             Blame.LIMIT,    _ALWAYS, True,  Toll.PAUSE,   True,  False),
    "overloaded": Conduct(             Blame.MODEL,    _ALWAYS, True,  Toll.STRIKE,  True,  True),
    "server": Conduct(                 Blame.MODEL,    _ALWAYS, True,  Toll.STRIKE,  True,  True),
    "request_timeout": Conduct(        Blame.MODEL,    1,       True,  Toll.STRIKE,  True,  True),
    "conflict": Conduct(               Blame.MISMATCH, 1,       True,  Toll.NOTHING, False, False),
    "timeout": Conduct(                Blame.MODEL,    0,       True,  Toll.STRIKE,  True,  True),
    "hurried": Conduct(                Blame.MISMATCH, 0,       True,  Toll.NOTHING, False, False),
    "connection": Conduct(             Blame.MODEL,    _ALWAYS, True,  Toll.STRIKE,  True,  True),
    "malformed_response": Conduct(     Blame.MODEL,    _ALWAYS, True,  Toll.STRIKE,  True,  True),
    "truncated": Conduct(              Blame.MODEL,    _ALWAYS, True,  Toll.STRIKE,  True,  True),
    "not_found": Conduct(              Blame.MODEL,    0,       True,  Toll.GONE,    True,  True),
    "invalid_request": Conduct(        Blame.CALLER,   0,       False, Toll.NOTHING, False, False),
    "unsupported": Conduct(            Blame.MISMATCH, 0,       True,  Toll.NOTHING, False, False),
    "context_length": Conduct(         Blame.MISMATCH, 0,       True,  Toll.NOTHING, False, False),
    "content_filter": Conduct(         Blame.CALLER,   0,       False, Toll.NOTHING, False, False),
    "cancelled": Conduct(              Blame.CALLER,   0,       False, Toll.NOTHING, False, False),
    "unknown": Conduct(                Blame.MODEL,    0,       True,  Toll.STRIKE,  True,  True),
}  # fmt: skip
"""The one table of what the engine does after each kind of failure; the errors take their conduct from here."""
