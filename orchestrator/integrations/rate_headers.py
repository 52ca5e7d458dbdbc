"""What a provider still allows us, as it says in the headers of its replies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from orchestrator.integrations.retry_hints import MAX_HINT_S, seconds_until

__all__ = ["Allowance", "Allowances", "allowances"]


class _Names(NamedTuple):
    """The three headers that tell about one limit."""

    remaining: str
    limit: str
    reset: str


def _families(*patterns: str) -> tuple[_Names, ...]:
    """Put together once: every reply is searched for them."""
    return tuple(_Names(*map(pattern.format, _Names._fields)) for pattern in patterns)


# the first family of names that tells what remains is the one that counts
_REQUESTS = _families(
    "x-ratelimit-{}-requests",  # OpenAI, Azure, Groq, xAI
    "anthropic-ratelimit-requests-{}",
    "x-ratelimit-{}-req-minute",  # Mistral
    "x-ratelimit-{}",  # Together
)
_TOKENS = _families(
    "x-ratelimit-{}-tokens",
    "anthropic-ratelimit-tokens-{}",  # the tightest of its token limits
    "anthropic-ratelimit-input-tokens-{}",
    "x-ratelimit-{}-tokens-minute",
)


class Allowance(NamedTuple):
    """One limit as the provider sees it: how much it is, what is left of it, seconds until it is whole again."""

    limit: float | None
    remaining: float | None
    reset_s: float | None

    @property
    def flow_per_s(self) -> float | None:
        """How fast it fills up again; None where the figures do not say."""
        if self.limit is None or self.remaining is None or not self.reset_s or self.limit <= self.remaining:
            return None
        return (self.limit - self.remaining) / self.reset_s


class Allowances(NamedTuple):
    """What is allowed in requests and in tokens; None where nothing was said."""

    requests: Allowance | None = None
    tokens: Allowance | None = None


def allowances(headers: Mapping[str, str]) -> Allowances:
    """The limits in a reply's headers (their names without regard to case); what cannot be read was not said.

    >>> told = allowances({
    ...     "x-ratelimit-limit-tokens": "6000",
    ...     "x-ratelimit-remaining-tokens": "5000",
    ...     "x-ratelimit-reset-tokens": "10s",
    ... })
    >>> told.tokens, told.tokens.flow_per_s, told.requests
    (Allowance(limit=6000.0, remaining=5000.0, reset_s=10.0), 100.0, None)
    """
    return Allowances(_first(headers, _REQUESTS), _first(headers, _TOKENS))


def _first(headers: Mapping[str, str], families: tuple[_Names, ...]) -> Allowance | None:
    for names in families:
        remaining = _count(headers.get(names.remaining))
        if remaining is not None:
            reset_s = seconds_until(headers.get(names.reset), headers)
            sane = reset_s is not None and 0 < reset_s <= MAX_HINT_S  # some send a date in milliseconds
            return Allowance(_count(headers.get(names.limit)), remaining, reset_s if sane else None)
    return None


def _count(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        count = float(value)
    except ValueError:
        return None
    return count if 0 <= count < math.inf else None
