"""One round a second, behind the requests' backs: bring what is new here, and take home what is new elsewhere."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import ConfigurationError
from orchestrator.state.accounts import SharedAccounts
from orchestrator.state.addresses import state_store_at
from orchestrator.state.consumption import Consumption
from orchestrator.state.drains import Drains
from orchestrator.state.learning import Learning
from orchestrator.state.outages import Outages
from orchestrator.state.part import Part
from orchestrator.state.rates import SharedRates
from orchestrator.state.store import Delivery, Parcel, StateStore, StateUnavailableError, Sums

if TYPE_CHECKING:
    from orchestrator.models.engine import Engine

__all__ = ["Sharing"]

_log = logging.getLogger(__name__)
_ROUNDING = 1e-12  # differences that are only rounding
_GROWING, _HALF = ("pulls", "requests"), 0.5  # counts that never fall
_BY_MODEL = ("arm", "drain")


class Sharing:
    """What a registry shares with other processes, and keeps for the next one, in a `StateStore`.

    What was added here is brought with a sequence number until its arrival is known, so that it counts exactly once
    whatever is lost on the way. What the store and this process have in common is remembered; the difference to the
    store's totals is what others have added.
    """

    def __init__(self, store: StateStore | str, *, every_s: float = 1.0, clock: Clock = SYSTEM_CLOCK) -> None:
        if not 0.05 <= every_s <= 60:
            raise ConfigurationError(f"state every_s={every_s!r}: give seconds from 0.05 to 60")
        self.store = state_store_at(store)
        self.every_s = every_s
        self.accounts = SharedAccounts(self.store, clock)
        self.rates = SharedRates(self.store)
        self.synced_at: float | None = None  # the clock's `monotonic` when the store answered last
        self._clock = clock
        self._outages: Outages | None = None
        self._learning: Learning | None = None
        self._drains: Drains | None = None
        self._parts: tuple[Part, ...] = ()
        self._lock = asyncio.Lock()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.process, self._owner = secrets.token_hex(8), os.getpid()
        self._sequence = self._version = self._tries = 0
        self._era = ""
        self._pending: Parcel | None = None
        self._common: dict[str, dict[str, float]] = {}

    def attach(self, engine: Engine, models: Container[object]) -> None:
        """Share what this engine learns of these models, sees failing, consumes and spends; it has made no call yet."""
        self._learning = Learning(engine.settlement, models)
        self._drains = Drains(engine.health, lambda: self.process, lambda: self._common)
        parts: list[Part] = [self._learning, self.accounts, self._drains]
        if engine.usage.keeper is None:  # else its ledger is where processes meet
            parts.append(Consumption(engine.usage))
        self._parts = tuple(parts)
        self._outages = Outages(engine.health, self._clock)
        engine.admission.share_rates(self.rates.maker)
        budgets = engine.budgets
        if budgets is not None and budgets.accounts is engine.usage.accounts:  # else they have accounts of their own
            budgets.accounts = self.accounts

    # rounds

    async def start(self) -> asyncio.Task[None]:
        """The task of all rounds, after the first: what others know counts from the first choice on."""
        await self.sync()
        return asyncio.create_task(self.run(), name="sharing")

    async def run(self) -> None:
        """A round every `every_s` seconds, until cancelled."""
        while True:
            await self._clock.sleep(self.every_s)
            await self.sync()

    async def sync(self) -> bool:
        """One round; False when the store does not answer, and then nothing is lost but time."""
        async with self._lock:
            if self._owner != os.getpid():
                self._leave_parent()
            arrived = await self._round()
            if self._learning is not None:
                self._learning.among(self.rates.processes)
            return arrived

    async def _round(self) -> bool:
        parcel = self._pending = self._parcel()
        self._tries += 1
        try:
            await self._take_in(parcel, await asyncio.to_thread(self.store.exchange, parcel))
        except StateUnavailableError:
            return False
        self.synced_at = self._clock.monotonic()
        return True

    async def close(self) -> None:
        """Bring what is left, and let go of the store; it opens again when it is used."""
        if self._pending is None or await self.sync():
            await self.sync()
        if self._learning is not None:
            self._learning.among(1)  # no later round would forget what is supposed of others' calls
        await asyncio.to_thread(self.store.close)

    def figures(self) -> dict[str, Any]:
        """How it goes, for people: where, whether the last round worked, and how many processes were heard of."""
        return {
            "store": self.store.name,
            "connected": self._pending is None and self.synced_at is not None,
            "synced_s_ago": None if self.synced_at is None else self._clock.monotonic() - self.synced_at,
            "processes": self.rates.processes,
        }

    # there

    def _parcel(self) -> Parcel:
        """What is new; or what has not arrived yet, once more."""
        note, note_life_s = ("", 10.0) if self._outages is None else self._outages.note()
        if self._pending is not None:
            return replace(self._pending, note=note, note_life_s=note_life_s)
        self._sequence += 1
        self._tries = 0
        added = {record: dict(row) for part in self._parts for record, row in part.news().items()}
        return Parcel(
            self.process,
            self._sequence,
            self._era,
            self._version,
            added=added,
            released=self.accounts.released(),
            returned=self.rates.returned(),
            lowered=self.rates.lowered(),
            drawer=self.accounts.drawer,
            note=note,
            note_life_s=note_life_s,
        )

    # and back

    async def _take_in(self, parcel: Parcel, delivery: Delivery) -> None:
        if parcel.era not in ("", delivery.era):
            parcel, delivery = await self._start_over(parcel, delivery)
        self._pending = None
        self._era, self._version = delivery.era, delivery.version
        for record, row in parcel.added.items():
            _add(self._common.setdefault(record, {}), row)
        self.accounts.arrived()
        if parcel.added and self._drains is not None:  # what was given up was said in vain, and is said again
            self._drains.arrived()
        self._spread(delivery.totals)
        others = {process: note for process, note in delivery.notes.items() if process != self.process}
        self.rates.processes = len(others) + 1
        if self._outages is not None:
            self._outages.heed(others)

    async def _start_over(self, parcel: Parcel, delivery: Delivery) -> tuple[Parcel, Delivery]:
        """The store has lost everything: the first who notices brings back what all had in common, once for all."""
        _log.warning("the state in %s was lost; what this process knows of it is written again", self.store.name)
        seed = Parcel(f"seed of {delivery.era}", 1, delivery.era, added=self._common)
        await asyncio.to_thread(self.store.exchange, seed)
        if self._tries > 1:  # it may have arrived before all was lost, and been brought back by now
            parcel = replace(parcel, added={})
        parcel = replace(parcel, era=delivery.era, since=0)
        delivery = await asyncio.to_thread(self.store.exchange, parcel)
        self._common = {record: row for record, row in self._common.items() if record in delivery.totals}
        return parcel, delivery

    def _spread(self, totals: Sums) -> None:
        """The difference to what was known in common goes to the part that it concerns."""
        changes: dict[str, dict[str, dict[str, float]]] = {}
        for record, row in totals.items():
            known = self._common.get(record, {})
            if any(name in known and row.get(name, 0.0) < known[name] - _HALF for name in _GROWING):
                self._common[record] = dict(row)  # the store has thrown it out meanwhile: that is no news
                continue
            change = {name: number - known.get(name, 0.0) for name, number in row.items()}
            if any(abs(number) > _ROUNDING * max(1.0, abs(row[name])) for name, number in change.items()):
                changes.setdefault(record.partition(":")[0], {})[record] = change
                self._common[record] = dict(row)
        for part in self._parts:
            if changes.get(part.kind) or part.kind in _BY_MODEL:  # models may have come that others know
                part.absorb(changes.get(part.kind, {}))

    def _leave_parent(self) -> None:
        """After a fork: what is new until now is the parent's to bring."""
        common, era, version = self._common, self._era, self._version
        self._begin_anew()
        self._common, self._era, self._version = common, era, version
        for part in self._parts:
            part.news()
        self.accounts.arrived()


def _add(row: dict[str, float], more: Mapping[str, float]) -> None:
    for name, number in more.items():
        row[name] = row.get(name, 0.0) + number
