"""Budgets that hold over all processes: money is drawn in pieces from the shared accounts and spent from memory."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence

from orchestrator.core.clock import Clock
from orchestrator.models.money.accounts import Hold, Standing
from orchestrator.models.money.usage_summary import ExactSum
from orchestrator.state.store import DRAWN_LIFE_S, Limit, StateStore, StateUnavailableError, Sums

__all__ = ["SharedAccounts"]

_AHEAD = 32  # calls of this size that are drawn for at once, where there is plenty
_EMPTY_S = 0.25  # that an account without room is not asked again
_ROUNDING_USD = 1e-12


class _Purse:
    """One account as this process sees it, in USD: what all have spent, and what it has drawn and not yet used."""

    __slots__ = (
        "asked_at",
        "drawn",
        "holds",
        "over",
        "refused_usd",
        "released",
        "reserved",
        "spare_under_way",
        "spent",
        "spent_under_way",
        "unbooked",
    )

    def __init__(self) -> None:
        self.spent = ExactSum()
        self.reserved = self.drawn = self.unbooked = 0.0
        self.spent_under_way = self.spare_under_way = 0.0  # news and returns that have not arrived,
        self.released = 0.0  # and what they take off the money drawn when they do
        self.holds = 0
        self.over = False  # its period is, and it goes when the last news of it have arrived
        self.refused_usd, self.asked_at = float("inf"), 0.0

    @property
    def free(self) -> float:
        """What is drawn and neither spent nor set aside; less than nothing after a time without the others."""
        return self.drawn - self.reserved - self.unbooked - self.spent_under_way - self.spare_under_way


class SharedAccounts:
    """`Accounts` for several processes; a reservation asks the store only when the purse of this process is empty.

    All purses and all that is spent never exceed a limit while the store answers. While it does not, each process goes
    by what it knows: what all had spent until then, and what it spends itself. Afterwards everything is booked, once.
    """

    kind = "money"

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self.drawer = _new_drawer()  # the name under which money is drawn
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._purses: dict[str, _Purse] = {}
        self._heard_at = clock.monotonic()

    # the contract of accounts

    def reserve(self, holds: Sequence[Hold], usd: float) -> str | None:
        """Set aside in all of them; where one has no room nothing is, and its name comes back."""
        while True:
            with self._lock:
                wanted = self._missing(holds, usd)
                if not wanted:
                    self._set_aside(holds, usd)
                    return None
                if (empty := self._known_empty(wanted)) is not None:
                    return empty
            try:
                grant = self._store.draw_usd(self.drawer, wanted)
            except StateUnavailableError:
                return self._reserve_alone(holds, usd)
            with self._lock:
                for limit, amount in zip(wanted, grant.amounts, strict=False):
                    self._purse(limit.account).drawn += amount
                if grant.refused is not None:
                    self._remember_empty(grant.refused, wanted)
                    return grant.refused

    def settle(self, names: Sequence[str], reserved_usd: float, actual_usd: float) -> None:
        """Give back what was set aside and book what it did cost."""
        with self._lock:
            for name in names:
                purse = self._purse(name)
                if reserved_usd:
                    purse.holds -= 1
                    # the last one out leaves exactly nothing behind
                    purse.reserved = purse.reserved - reserved_usd if purse.holds else 0.0
                if actual_usd:
                    purse.spent.add(actual_usd)
                    purse.unbooked += actual_usd

    def standing(self, name: str) -> Standing:
        """What all have spent, as heard last, and what this process has set aside."""
        purse = self._purses.get(name)
        return Standing(0.0, 0.0) if purse is None else Standing(purse.spent.value, purse.reserved)

    def names(self) -> tuple[str, ...]:
        """The accounts that something was booked to or set aside in."""
        with self._lock:
            open_ = ((name, purse) for name, purse in self._purses.items() if not purse.over)
            return tuple(name for name, purse in open_ if purse.holds or purse.spent.value)

    def keep(self, periods: Sequence[str]) -> None:
        """Let go of accounts whose name begins with none of these words, once nothing is set aside in them."""
        with self._lock:
            for name, purse in tuple(self._purses.items()):
                kept = any(f"{name} ".startswith(f"{period} ") for period in periods)
                purse.over = not kept and not purse.holds
                if purse.over and not (purse.unbooked or purse.spent_under_way):
                    del self._purses[name]  # what is still drawn runs out by itself

    # what is shared

    def news(self) -> Sums:
        """What has been spent here since the last time."""
        with self._lock:
            found = {}
            for name, purse in self._purses.items():
                if purse.unbooked:
                    found[f"{self.kind}:{name}"] = {"spent_usd": purse.unbooked}
                    purse.spent_under_way += purse.unbooked
                    purse.unbooked = 0.0
            return found

    def released(self) -> dict[str, float]:
        """What of the money drawn is spent or not needed: all but what a second like the last one may want."""
        with self._lock:
            self._lapse()
            found = {}
            for name, purse in self._purses.items():
                if purse.drawn > 0:
                    purse.spare_under_way = max(0.0, purse.free - max(purse.spent_under_way, purse.reserved))
                    purse.released = min(purse.drawn, purse.spent_under_way + purse.spare_under_way)
                    found[name] = purse.released
            return found

    def arrived(self) -> None:
        """What was spent is booked."""
        with self._lock:
            self._heard_at = self._clock.monotonic()
            for purse in self._purses.values():
                purse.drawn -= purse.released
                purse.spent_under_way = purse.spare_under_way = purse.released = 0.0

    def absorb(self, changes: Sums) -> None:
        """What others have spent."""
        with self._lock:
            for record, row in changes.items():
                self._purse(record.partition(":")[2]).spent.add(row.get("spent_usd", 0.0))

    # inside, under the lock

    def _purse(self, name: str) -> _Purse:
        return self._purses.setdefault(name, _Purse())

    def _missing(self, holds: Sequence[Hold], usd: float) -> list[Limit]:
        """The accounts whose purse does not hold so much."""
        self._lapse()
        return [
            Limit(name, limit_usd, usd - free, max(usd - free, _AHEAD * usd))
            for name, limit_usd in holds
            if (free := self._purse(name).free) < usd - _ROUNDING_USD
        ]

    def _lapse(self) -> None:
        """What was drawn before a long silence may have been given to others: it is left to run out."""
        if self._clock.monotonic() - self._heard_at > DRAWN_LIFE_S / 2:
            self._heard_at = self._clock.monotonic()
            self._give_up()

    def _give_up(self) -> None:
        """Draw under another name from now on; what is drawn under this one is not renewed, and so is free in time."""
        self.drawer = _new_drawer()
        for purse in self._purses.values():
            purse.drawn = purse.spare_under_way = purse.released = 0.0

    def _set_aside(self, holds: Sequence[Hold], usd: float) -> None:
        for name, _ in holds:
            purse = self._purse(name)
            purse.reserved += usd
            purse.holds += 1

    def _known_empty(self, wanted: Sequence[Limit]) -> str | None:
        now = self._clock.monotonic()
        for limit in wanted:
            purse = self._purse(limit.account)
            if limit.needed_usd >= purse.refused_usd and now - purse.asked_at < _EMPTY_S:
                return limit.account
        return None

    def _remember_empty(self, account: str, wanted: Sequence[Limit]) -> None:
        purse = self._purse(account)
        purse.refused_usd = next(limit.needed_usd for limit in wanted if limit.account == account)
        purse.asked_at = self._clock.monotonic()

    def _reserve_alone(self, holds: Sequence[Hold], usd: float) -> str | None:
        with self._lock:
            self._give_up()  # it may have been drawn all the same
            for name, limit_usd in holds:
                purse = self._purse(name)
                if purse.spent.value + purse.reserved + usd > limit_usd + _ROUNDING_USD:
                    return name
            self._set_aside(holds, usd)
            return None


def _new_drawer() -> str:
    return secrets.token_hex(8)
