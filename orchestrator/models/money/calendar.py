"""Which day and which month it is, and when they end, on the clock of a named time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day

from orchestrator.core.clock import Clock
from orchestrator.errors import ConfigurationError

__all__ = ["Calendar"]


class Calendar:
    """Names of the periods that run now; worked out once a day.

    >>> from orchestrator.testing import FakeClock
    >>> berlin = Calendar(FakeClock(date_s=1_767_223_800), "Europe/Berlin")  # 2025-12-31 23:30 UTC
    >>> berlin.name_of("day"), berlin.name_of("month"), berlin.end_of("month").isoformat()
    ('day 2026-01-01', 'month 2026-01', '2026-02-01T00:00:00+01:00')
    """

    def __init__(self, clock: Clock, timezone: str = "UTC") -> None:
        self._clock = clock
        self._zone = _zone(timezone)
        self._today = date.min
        self._begins_s = self._ends_s = 0.0
        self._names: dict[str, str] = {}

    def now_s(self) -> float:
        """Seconds since 1970."""
        return self._clock.time()

    def today(self) -> date:
        """The day that it is there; the same object all day long."""
        self._look()
        return self._today

    def name_of(self, period: str) -> str:
        """Such as `day 2026-11-21`, `month 2026-11` or `total`."""
        self._look()
        return self._names[period]

    def end_of(self, period: str) -> datetime | None:
        """The midnight at which the period ends; None for one that does not end."""
        self._look()
        if period == "day":
            return self._midnight(self._today + timedelta(days=1))
        if period == "month":
            return self._midnight((self._today.replace(day=1) + timedelta(days=32)).replace(day=1))
        return None

    def _look(self) -> None:
        """Turn the page when the day is over, or when the clock was set back."""
        now_s = self._clock.time()
        if self._begins_s <= now_s < self._ends_s:
            return
        today = datetime.fromtimestamp(now_s, self._zone).date()
        self._names = {"day": f"day {today.isoformat()}", "month": f"month {today:%Y-%m}", "total": "total"}
        self._today = today
        self._begins_s = self._midnight(today).timestamp()
        self._ends_s = self._midnight(today + timedelta(days=1)).timestamp()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time_of_day(), tzinfo=self._zone)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise ConfigurationError(
            f"timezone={name!r} is not known here: use a name such as 'UTC' or 'Europe/Berlin'"
            " (on a machine without time zones, install tzdata)"
        ) from None
