"""One thing that was looked at, and how it is."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Finding", "State"]

State = Literal["well", "absent", "wrong"]


class Finding(NamedTuple):
    """`absent` is a choice, `wrong` a fault: only a fault changes the exit code; `words` never hold a key."""

    area: str
    name: str
    state: State
    words: str
