"""Who is calling, and whether this key may call now."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from orchestrator.core.clock import Clock
from orchestrator.core.info import ModelConstraints
from orchestrator.gateway.browsers import refuse_foreign_page
from orchestrator.gateway.refusals import RefusedError
from orchestrator.gateway.settings import GatewayKey
from orchestrator.models.limits.buckets import CoupledBuckets, RateLimits
from orchestrator.models.limits.entrances import RatesMaker

__all__ = ["Doorkeeper"]

_NO_KEY = "the key is missing or not known; send Authorization: Bearer ..., or x-api-key"


class Doorkeeper:
    """Lets a request in by its key; every key is compared in constant time, and all of them are.

    Keys come as `Authorization: Bearer KEY`, as OpenAI's clients send them, or `x-api-key`, as Anthropic's do.
    """

    def __init__(
        self, keys: Sequence[GatewayKey], clock: Clock, rates_of: Callable[[str], RatesMaker] = lambda _: CoupledBuckets
    ) -> None:
        self._clock = clock
        self._rates_of = rates_of
        self._limits: dict[tuple[str, float], RateLimits] = {}
        self.heed(keys)

    def heed(self, keys: Sequence[GatewayKey]) -> None:
        """Know these keys and no others; who keeps a limit keeps what is used of it."""
        self._keys = [(_digest(key.key), key) for key in keys]
        places = {(key.name, key.requests_per_minute) for key in keys}
        self._limits = {place: limits for place, limits in self._limits.items() if place in places}

    def admit(self, headers: Mapping[str, str]) -> GatewayKey | None:
        """The key of an allowed caller; None when no keys are set; RefusedError says what is wrong."""
        if not self._keys:
            if "Origin" in headers:
                refuse_foreign_page(headers)
            return None
        key = self.find(headers)
        if key is None:
            raise RefusedError(401, "authentication", _NO_KEY)
        if key.requests_per_minute is not None:
            self._spend(key, key.requests_per_minute)
        return key

    def find(self, headers: Mapping[str, str]) -> GatewayKey | None:
        """The key these headers carry, if it is one of ours."""
        presented = _digest(_presented(headers))
        found = None
        for digest, key in self._keys:
            if hmac.compare_digest(digest, presented):
                found = key
        return found

    def _spend(self, key: GatewayKey, per_minute: float) -> None:
        now = self._clock.monotonic()
        limits = self._limits.get((key.name, per_minute))
        if limits is None:
            told = ModelConstraints(max_requests_per_minute=per_minute)
            limits = self._limits[key.name, per_minute] = self._rates_of(f"key {key.name}")(told, now)
        wait_s = limits.take(0, now)
        if wait_s:
            raise RefusedError(
                429,
                "rate_limit",
                f"this key may make {per_minute:g} requests a minute; retry in {wait_s:.1f} s",
                retry_after_s=wait_s,
            )


def _presented(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
