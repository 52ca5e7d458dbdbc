"""How long an answer lives, when it is renewed ahead of time, and when an old one is better than none."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import Enum

from orchestrator.core.caching.entries import Entry
from orchestrator.errors import Blame, OrchestratorError, ProviderAPIError

__all__ = ["Ageing", "Verdict", "excusable"]


class Verdict(Enum):
    """What to do with an entry that was found."""

    FRESH = "serve"
    RENEW = "serve, and renew behind the caller's back"
    SPARE = "keep in hand, in case the model fails"
    DEAD = "ask anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """`jitter` shortens each life by up to this share, so that what was stored together does not expire together.

    `early_refresh` above 0 renews hot entries before they expire, the likelier the nearer the end and the longer the
    answer takes (XFetch, Vattani, Chierichetti, Lowenstein: VLDB 2015, where it is called beta; 1 is their choice).
    `while_revalidating_s` and `if_error_s` are the two graces of RFC 5861 after the end.
    """

    jitter: float = 0.1
    early_refresh: float = 0.0
    while_revalidating_s: float = 0.0
    if_error_s: float = 0.0

    @property
    def watches(self) -> bool:
        """False when the levels' own expiry says it all."""
        return bool(self.early_refresh or self.while_revalidating_s or self.if_error_s)

    @property
    def grace_s(self) -> float:
        """How long an entry is kept after its end."""
        return max(self.while_revalidating_s, self.if_error_s)

    def life_s(self, ttl_s: float, rng: random.Random) -> float:
        """A life of at most `ttl_s`."""
        return ttl_s * (1 - self.jitter * rng.random())

    def verdict(self, entry: Entry, *, now: float, rng: random.Random) -> Verdict:
        """What to do with an entry at this wall-clock time.

        >>> entry = Entry(b"c", 0.0, 100.0, 2.0, "", b"")
        >>> ageing = Ageing(while_revalidating_s=10, if_error_s=60)
        >>> [ageing.verdict(entry, now=now, rng=random.Random(0)).name for now in (99, 105, 150, 170)]
        ['FRESH', 'RENEW', 'SPARE', 'DEAD']
        """
        past_s = entry.age_s(now) - entry.fresh_s
        if past_s < 0:
            gap_s = -entry.took_s * self.early_refresh * math.log(1 - rng.random())
            return Verdict.RENEW if past_s + gap_s >= 0 and self.early_refresh else Verdict.FRESH
        if past_s < self.while_revalidating_s:
            return Verdict.RENEW
        return Verdict.SPARE if past_s < self.if_error_s else Verdict.DEAD


def excusable(error: Exception) -> bool:
    """True when an old answer is better than this error: not the caller's own mistake, which would hide it."""
    return isinstance(error, OrchestratorError) and not (
        isinstance(error, ProviderAPIError) and error.blame is Blame.CALLER
    )
