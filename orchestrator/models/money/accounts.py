"""Accounts that money is set aside in and booked to, atomically: the part of a budget that may be shared one day."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from orchestrator.models.money.usage_summary import ExactSum

if TYPE_CHECKING:
    from orchestrator.models.money.bookkeeper import Bookkeeper

__all__ = ["Accounts", "Hold", "MemoryAccounts", "Standing"]

_ROUNDING_USD = 1e-12  # limits are met to the last cent, not to the last bit


class Hold(NamedTuple):
    """An account and what may be spent from it at most, in USD."""

    account: str
    limit_usd: float


class Standing(NamedTuple):
    """What is booked and what is set aside, in USD."""

    spent_usd: float
    reserved_usd: float


class Accounts(Protocol):
    """Accounts by name. Each verb is atomic over all the accounts it names, from any thread.

    `tests/contracts/test_accounts.py` says what an implementation has to do.
    """

    def reserve(self, holds: Sequence[Hold], usd: float) -> str | None:
        """Set aside in all of them; where one has no room nothing is, and its name comes back."""

    def settle(self, names: Sequence[str], reserved_usd: float, actual_usd: float) -> None:
        """Give back what was set aside and book what it did cost."""

    def standing(self, name: str) -> Standing:
        """How an account stands; one that nobody has used stands at zero."""

    def names(self) -> tuple[str, ...]:
        """The accounts that something was booked to or set aside in."""

    def keep(self, periods: Sequence[str]) -> None:
        """Let go of accounts whose name begins with none of these words, once nothing is set aside in them."""


class _Account:
    __slots__ = ("holds", "reserved_usd", "spent")

    def __init__(self, spent: ExactSum) -> None:
        self.spent = spent
        self.reserved_usd = 0.0
        self.holds = 0


class MemoryAccounts:
    """Accounts of this process; with a bookkeeper, what is booked is on disk a second later and read at the start.

    What is set aside is not written down: in a crash it is free again.
    """

    def __init__(self, keeper: Bookkeeper | None = None) -> None:
        self._lock = threading.Lock()
        self._keeper = keeper
        self._fresh: dict[str, ExactSum] = {}
        self._saving: dict[str, ExactSum] = {}
        known = {} if keeper is None else keeper.keep_accounts(self)
        self._accounts = {name: _Account(spent) for name, spent in known.items()}

    def reserve(self, holds: Sequence[Hold], usd: float) -> str | None:
        """Set aside in all of them; where one has no room nothing is, and its name comes back."""
        with self._lock:
            for name, limit_usd in holds:
                account = self._accounts.get(name)
                taken_usd = 0.0 if account is None else account.spent.value + account.reserved_usd
                if taken_usd + usd > limit_usd + _ROUNDING_USD:
                    return name
            for name, _ in holds:
                account = self._at(name)
                account.reserved_usd += usd
                account.holds += 1
        return None

    def settle(self, names: Sequence[str], reserved_usd: float, actual_usd: float) -> None:
        """Give back what was set aside and book what it did cost."""
        with self._lock:
            for name in names:
                account = self._at(name)
                if reserved_usd:
                    account.holds -= 1
                    # the last one out leaves exactly nothing behind
                    account.reserved_usd = account.reserved_usd - reserved_usd if account.holds else 0.0
                if actual_usd:
                    account.spent.add(actual_usd)
                    if self._keeper is not None:
                        self._fresh.setdefault(name, ExactSum()).add(actual_usd)
                elif not account.holds and not account.spent.value:
                    del self._accounts[name]
        if self._keeper is not None and actual_usd:
            self._keeper.wake()

    def standing(self, name: str) -> Standing:
        """How an account stands; one that nobody has used stands at zero."""
        account = self._accounts.get(name)
        return Standing(0.0, 0.0) if account is None else Standing(account.spent.value, account.reserved_usd)

    def names(self) -> tuple[str, ...]:
        """The accounts that something was booked to or set aside in."""
        with self._lock:
            return tuple(self._accounts)

    def keep(self, periods: Sequence[str]) -> None:
        """Let go of accounts whose name begins with none of these words, once nothing is set aside in them."""
        with self._lock:
            for name, account in tuple(self._accounts.items()):
                if not account.holds and not any(f"{name} ".startswith(f"{period} ") for period in periods):
                    del self._accounts[name]

    def _at(self, name: str) -> _Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(ExactSum())
        return account

    # what the bookkeeper asks

    def take_fresh(self) -> dict[str, ExactSum]:
        """USD by account since the last time."""
        with self._lock:
            self._saving, self._fresh = self._fresh, {}
            return self._saving

    def written(self, *, success: bool) -> None:
        """It is on disk, or has to be taken again."""
        with self._lock:
            if not success:
                for name, spent in self._saving.items():
                    self._fresh.setdefault(name, ExactSum()).merge(spent)
            self._saving = {}

    def leave_parent(self) -> None:
        """After a fork: what the parent has booked is the parent's to write, what it has set aside is its own."""
        self._lock = threading.Lock()
        self._fresh, self._saving = {}, {}
        for account in self._accounts.values():
            account.holds, account.reserved_usd = 0, 0.0
