"""How long a provider asks us to wait, from headers or from the body of an error."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

__all__ = ["MAX_HINT_S", "duration_s", "retry_after_s", "seconds_until"]

MAX_HINT_S = 31 * 86_400.0  # longer than any quota's period: no hint but a fault
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|s|m|h|d)", re.IGNORECASE)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s?(?:ms|s|m|h|d))+", re.IGNORECASE)
_PROSE = re.compile(
    r"(?:try again|retry|wait)(?: in| after| for)?:? ((?:\d+(?:\.\d+)?\s?(?:ms|milliseconds?|s|m|h|d|"
    r"seconds?|minutes?|hours?|days?)\s?)+)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(ms|s|m|h|d)(?:illiseconds?|econds?|inutes?|ours?|ays?)", re.IGNORECASE)
_RESETS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)


def retry_after_s(headers: Mapping[str, str], details: Mapping[str, Any], text: str) -> float | None:
    """Seconds until the next try is welcome, or None; hints of zero, below, or without end are no hints.

    >>> retry_after_s({"retry-after-ms": "0", "retry-after": "2"}, {}, "")
    2.0
    >>> retry_after_s({}, {"retryDelay": "43.5s"}, ""), retry_after_s({}, {}, "Please try again in 1m2s.")
    (43.5, 62.0)
    >>> retry_after_s({"retry-after": "-1"}, {}, "") is None
    True
    """
    return next((hint for hint in _hints(headers, details, text) if _sane(hint)), None)


def _hints(headers: Mapping[str, str], details: Mapping[str, Any], text: str) -> Iterable[float | None]:
    thousandths = _number(headers.get("retry-after-ms"))
    yield None if thousandths is None else thousandths / 1000
    yield seconds_until(headers.get("retry-after"), headers)
    yield duration_s(details.get("retryDelay"))
    yield _prose_s(text)
    yield _number(details.get("estimated_time"))
    yield from (
        seconds_until(headers.get(reset), headers) for left, reset in _RESETS if _number(headers.get(left)) == 0
    )


def _sane(hint: float | None) -> bool:
    return hint is not None and math.isfinite(hint) and 0 < hint <= MAX_HINT_S


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def duration_s(value: Any) -> float | None:
    """Seconds of a duration as Go and Google write it.

    >>> duration_s("1m12s"), duration_s("17.5s"), duration_s("6ms"), duration_s("soon")
    (72.0, 17.5, 0.006, None)
    """
    if not isinstance(value, str) or len(value) > 40 or not _DURATION.fullmatch(value.strip()):
        return None
    return sum(float(count) * _UNITS_S[unit.lower()] for count, unit in _PIECE.findall(value))


def _prose_s(text: str) -> float | None:
    found = _PROSE.search(text)
    return None if found is None else duration_s(_WORDS.sub(r"\1", found.group(1)).replace(" ", ""))


def seconds_until(value: str | None, headers: Mapping[str, str]) -> float | None:
    """Seconds given as such, as a duration, or as a date seen from the provider's own clock.

    >>> seconds_until("8.64s", {}), seconds_until("12", {})
    (8.64, 12.0)
    >>> seconds_until("2026-01-01T00:00:09Z", {"date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    9.0
    """
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None:
        seconds = duration_s(value)
    if seconds is not None:
        return seconds
    moment, now = _moment(value), _moment(headers.get("date"))
    return None if moment is None or now is None else (moment - now).total_seconds()


def _moment(text: str | None) -> datetime | None:
    """A date of HTTP or of RFC 3339."""
    if not text:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, OverflowError):
            continue
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return None
