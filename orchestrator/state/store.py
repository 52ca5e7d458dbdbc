"""The contract of a place where processes meet: what they bring, and what they take home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from orchestrator.errors import OrchestratorError

__all__ = [
    "DRAWN_LIFE_S",
    "Delivery",
    "Flow",
    "Grant",
    "Limit",
    "Parcel",
    "StateStore",
    "StateUnavailableError",
    "Sums",
    "life_s",
]

Sums = Mapping[str, Mapping[str, float]]
"""Records by name, each a mapping of fields to numbers; two of them are merged by adding."""

DRAWN_LIFE_S = 30.0  # that a process is not heard of before the money it has drawn counts as free again
_DAY_S = 86_400.0
# without news, by the start of the name
_LIVES_DAYS = {"arm": 90, "usage": 400, "drain": 3650, "money:total": 3650, "money": 62}


class StateUnavailableError(OrchestratorError):
    """The store does not answer at present; go on alone and try again."""


def life_s(record: str) -> float:
    """For how long a record is kept that nobody adds to.

    >>> life_s("money:total") > life_s("money:2026-11-21") > _DAY_S
    True
    """
    return next((days for start, days in _LIVES_DAYS.items() if record.startswith(start)), 90) * _DAY_S


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a process brings: news that are added once by process and sequence, and what holds of it by now.

    `added`, `released` (of money drawn), `returned` (to limits by the minute) and `lowered` (levels that a provider has
    told) are news. What `drawer` has drawn of the accounts in `released` is held on to, be it by releasing 0. `note` is
    a text about the process that is forgotten after `note_life_s`.
    """

    process: str
    sequence: int
    era: str = ""
    since: int = 0
    added: Sums = field(default_factory=dict)
    released: Mapping[str, float] = field(default_factory=dict)
    returned: Mapping[str, float] = field(default_factory=dict)
    lowered: Mapping[str, float] = field(default_factory=dict)
    drawer: str = ""
    note: str = ""
    note_life_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a process takes home: the totals of every record that changed since its last visit, and all notes.

    `era` names the life of the data: another one than the parcel's means that everything was lost meanwhile, and that
    nothing of the parcel was taken.
    """

    era: str
    version: int
    totals: Sums
    notes: Mapping[str, str]


class Limit(NamedTuple):
    """An account, what all may spend from it together, what is needed now and what would be handy, in USD."""

    account: str
    limit_usd: float
    needed_usd: float
    wanted_usd: float


class Flow(NamedTuple):
    """A limit by the minute: its name, its pace and capacity, what is needed now and what would be handy."""

    name: str
    per_minute: float
    capacity: float
    needed: float
    wanted: float


class Grant(NamedTuple):
    """What was drawn of each, or nothing: then which account has no room, or how long to wait.

    `levels` are what is left of each for everybody.
    """

    amounts: tuple[float, ...]
    levels: tuple[float, ...]
    refused: str | None = None
    wait_s: float = 0.0


class StateStore(Protocol):
    """A place where processes meet. Every verb is an atomic step, from any thread, and blocks for one round trip.

    What cannot be reached in time raises StateUnavailableError; a step may then have been taken or not, and the same
    parcel can be brought again. `orchestrator.testing.contracts.StateStoreContract` says what one has to do.
    """

    name: str

    def exchange(self, parcel: Parcel) -> Delivery:
        """Add the news unless this sequence is known already, and tell what is new."""

    def draw_usd(self, process: str, limits: Sequence[Limit]) -> Grant:
        """Set aside from every account what is needed, more where there is plenty; all or nothing."""

    def draw_flow(self, flows: Sequence[Flow]) -> Grant:
        """Take from every limit by the minute what is needed, more where there is plenty; all or nothing."""

    def close(self) -> None:
        """Let go of files and connections; they open again when they are used."""
