"""What a store does with a parcel and with a wish, over tables of any kind: the meaning that all stores share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.state.store import DRAWN_LIFE_S, Delivery, Flow, Grant, Limit, Parcel

__all__ = ["Desk", "Tables"]

_REMEMBERED_S = 86_400.0  # the last sequence of a process that is not heard of
_HAIR_USD = 1e-12
_HAIR = 1e-9
_SHARE = 8  # one part in so many of what is left may be drawn beyond need


class Tables(Protocol):
    """Tables of rows by name; a row holds numbers or texts by field."""

    def row(self, table: str, name: str) -> dict[str, float | str]:
        """All fields of a row; none where it is not there."""

    def rows(self, table: str) -> Mapping[str, dict[str, float | str]]:
        """Every row of a table."""

    def put(self, table: str, name: str, fields: Mapping[str, float | str]) -> None:
        """Write these fields of a row."""

    def drop(self, table: str, name: str) -> None:
        """Forget a row."""

    def changed(self, since: int) -> Mapping[str, dict[str, float]]:
        """The sums of every record whose version is above `since`."""


class Desk:
    """One visit: tables that nobody else touches meanwhile, and the time in seconds."""

    def __init__(self, tables: Tables, now_s: float) -> None:
        self._tables = tables
        self._now_s = now_s

    def exchange(self, parcel: Parcel) -> Delivery:
        """Add the news unless this sequence is known already, and tell what is new."""
        meta = self._tables.row("meta", "")
        if not meta:
            meta = {"era": secrets.token_hex(8), "version": 0}
            self._tables.put("meta", "", meta)
        era, version = str(meta["era"]), int(meta["version"])
        if parcel.era in ("", era):
            is_new = self._is_new(parcel)
            if is_new:
                version = self._add(parcel, version)
            for account, usd in parcel.released.items():
                held = self._drawn(account).get(parcel.drawer)
                if held is not None:
                    self._draw(account, parcel.drawer, max(0.0, held - usd * is_new))
            self._tables.put("notes", parcel.process, {"text": parcel.note, "ends_s": self._now_s + parcel.note_life_s})
            since = parcel.since if parcel.era else 0
        else:
            since = 0
        return Delivery(era, version, self._tables.changed(since), self._notes())

    def _is_new(self, parcel: Parcel) -> bool:
        known = self._tables.row("seen", parcel.process)
        if known and parcel.sequence <= int(known["sequence"]):
            return False
        self._tables.put("seen", parcel.process, {"sequence": parcel.sequence, "at_s": self._now_s})
        if not known:
            for process, row in tuple(self._tables.rows("seen").items()):
                if self._now_s - float(row["at_s"]) > _REMEMBERED_S:
                    self._tables.drop("seen", process)
        return True

    def _add(self, parcel: Parcel, version: int) -> int:
        if parcel.added:
            version += 1
            self._tables.put("meta", "", {"version": version})
        for record, fields in parcel.added.items():
            before = self._tables.row("sums", record)
            sums = {name: float(before.get(name, 0.0)) + number for name, number in fields.items()}
            self._tables.put("sums", record, sums)
            self._tables.put("versions", record, {"version": version, "at_s": self._now_s})
        for name, amount in parcel.returned.items():
            self._fill(name, amount)
        for name, level in parcel.lowered.items():
            row = self._tables.row("flows", name)
            if row and level < float(row["level"]):
                self._tables.put("flows", name, {"level": level})
        return version

    def _notes(self) -> dict[str, str]:
        notes = {}
        for process, row in tuple(self._tables.rows("notes").items()):
            if float(row["ends_s"]) > self._now_s:
                notes[process] = str(row["text"])
            else:
                self._tables.drop("notes", process)
        return notes

    # money

    def draw_usd(self, process: str, limits: Sequence[Limit]) -> Grant:
        """Set aside from every account what is needed, more where there is plenty; all or nothing."""
        drawn = [self._drawn(limit.account) for limit in limits]
        left = [
            limit.limit_usd - self._spent(limit.account) - sum(held.values())
            for limit, held in zip(limits, drawn, strict=True)
        ]
        for limit, left_usd in zip(limits, left, strict=True):
            if limit.needed_usd > left_usd + _HAIR_USD:
                return Grant((), tuple(left), refused=limit.account)
        amounts = tuple(
            max(limit.needed_usd, min(limit.wanted_usd, left_usd / _SHARE))
            for limit, left_usd in zip(limits, left, strict=True)
        )
        for limit, held, usd in zip(limits, drawn, amounts, strict=True):
            self._draw(limit.account, process, held.get(process, 0.0) + usd)
        return Grant(amounts, tuple(left_usd - usd for left_usd, usd in zip(left, amounts, strict=True)))

    def _spent(self, account: str) -> float:
        return float(self._tables.row("sums", f"money:{account}").get("spent_usd", 0.0))

    def _drawn(self, account: str) -> dict[str, float]:
        """USD by process; what a process has drawn that is not heard of any more is free again."""
        found = {}
        for process, text in self._tables.row("drawn", account).items():
            usd, ends_s = map(float, str(text).split())
            if usd > 0 and ends_s > self._now_s:
                found[process] = usd
        return found

    def _draw(self, account: str, process: str, usd: float) -> None:
        self._tables.put("drawn", account, {process: f"{usd!r} {self._now_s + DRAWN_LIFE_S!r}"})

    # limits by the minute

    def draw_flow(self, flows: Sequence[Flow]) -> Grant:
        """Take from every limit by the minute what is needed, more where there is plenty; all or nothing."""
        levels = [self._level(flow) for flow in flows]
        waits = [
            max(0.0, flow.needed - level) / (flow.per_minute / 60)
            for flow, level in zip(flows, levels, strict=True)
            if flow.needed - level > _HAIR * flow.capacity
        ]
        if waits:
            return Grant((), tuple(levels), wait_s=max(waits))
        amounts = tuple(
            max(flow.needed, min(flow.wanted, level / _SHARE)) for flow, level in zip(flows, levels, strict=True)
        )
        left = tuple(level - amount for level, amount in zip(levels, amounts, strict=True))
        for flow, level in zip(flows, left, strict=True):
            self._tables.put("flows", flow.name, {"level": level})
        return Grant(amounts, left)

    def _level(self, flow: Flow) -> float:
        """What has come by now; the pace and capacity told last hold."""
        row = self._tables.row("flows", flow.name)
        level, at_s = float(row.get("level", flow.capacity)), float(row.get("at_s", self._now_s))
        level = min(flow.capacity, level + max(0.0, self._now_s - at_s) * flow.per_minute / 60)
        self._tables.put("flows", flow.name, {"level": level, "at_s": self._now_s, "capacity": flow.capacity})
        return level

    def _fill(self, name: str, amount: float) -> None:
        row = self._tables.row("flows", name)
        if row:
            level = min(float(row["capacity"]), float(row["level"]) + amount)
            self._tables.put("flows", name, {"level": level})
