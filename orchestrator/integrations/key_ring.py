"""Several keys of one provider: used in turn, and each set aside for as long as it is refused."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from orchestrator.core.circuit import Circuit, Rules
from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.messages import Chunk, Request
from orchestrator.core.sentences import reason_of, sentence_of
from orchestrator.errors import AuthenticationError, ProviderAPIError, QuotaError, RateLimitError
from orchestrator.integrations.line import Line

if TYPE_CHECKING:
    from yarl import URL

__all__ = ["Key", "KeyRing", "KeyedLine", "ring_of"]

_RULES = Rules(failure_threshold=1, recovery_threshold=1)
_REFUSALS = (AuthenticationError, QuotaError, RateLimitError)
_log = logging.getLogger(__name__)
_rings: WeakValueDictionary[str, KeyRing] = WeakValueDictionary()


class Key(NamedTuple):
    """One key by its digest, and how it fares."""

    key_id: str
    circuit: Circuit


class KeyRing:
    """Deals out keys in turn; one that is refused stays away by its own circuit, and is told about once.

    It knows keys by their digests alone. A key whose quota or rate is used up comes back when the provider said, else
    after a while that doubles; a wrong one after a minute, then two, up to an hour.

    >>> ring = KeyRing("openai", ["a1", "b2"])
    >>> [next(ring.in_turn()).key_id for _ in range(3)]
    ['a1', 'b2', 'a1']
    """

    def __init__(self, provider: str, key_ids: Sequence[str], clock: Clock = SYSTEM_CLOCK) -> None:
        self._provider = provider
        self._clock = clock
        self._keys = [Key(key_id, Circuit(_RULES, random.Random(key_id))) for key_id in key_ids]
        self._first = 0

    def in_turn(self) -> Iterator[Key]:
        """The keys to try for one call, best first; when all are set aside, the one that is back soonest."""
        now, first = self._clock.monotonic(), self._first
        self._first = (first + 1) % len(self._keys)
        order = self._keys[first:] + self._keys[:first]
        fit = [key for key in order if key.circuit.lets_in(now)]
        yield from fit or [min(order, key=lambda key: key.circuit.out_until)]

    def accepted(self, key: Key) -> None:
        """A call with this key was not refused for it."""
        if not key.circuit.steady:
            now = self._clock.monotonic()
            key.circuit.succeeded(now, began=now)

    def refused(self, key: Key, error: ProviderAPIError) -> None:
        """A call with this key was refused for it."""
        now, before, reason = self._clock.monotonic(), key.circuit.status, reason_of(error)
        if isinstance(error, RateLimitError):
            key.circuit.limited(now, reason=reason, told_s=error.retry_after_s)
            return
        key.circuit.failed(now, began=now, reason=reason, sentence=sentence_of(error))
        if before not in ("unhealthy", "recovering"):
            _log.warning("key %s of %s: %s; it is set aside", key.key_id[:8], self._provider, reason)

    def verdict(self, error: ProviderAPIError) -> ProviderAPIError:
        """What to tell when no key is left: the limit, as long as one of them is only limited."""
        limited = [key.circuit.out_until for key in self._keys if key.circuit.status == "limited"]
        if not limited:
            return error
        wait_s = max(min(limited) - self._clock.monotonic(), 0.0)
        message = f"{self._provider}: none of {len(self._keys)} keys is free; the first is in {wait_s:.0f} s"
        told = RateLimitError(message, status=error.status, retry_after_s=wait_s or None, model_id=error.model_id)
        told.__cause__ = error.__cause__
        return told

    def status(self) -> dict[str, tuple[str, str | None]]:
        """Each key's digest with its status and what it was refused for."""
        return {key.key_id: (key.circuit.status, key.circuit.reason) for key in self._keys}


def ring_of(provider: str, key_ids: Sequence[str], clock: Clock) -> KeyRing:
    """The one ring of these keys in this process: what one model learns about a key, all of its users know."""
    name = "\n".join((provider, *key_ids))
    ring = _rings.get(name)
    if ring is None:
        ring = _rings.setdefault(name, KeyRing(provider, key_ids, clock))
    return ring


class KeyedLine(Line):
    """The line of a model with several keys: a line for each, and the next one where a key is refused."""

    __slots__ = ("_lines", "ring")

    def __init__(self, lines: dict[str, Line], ring: KeyRing) -> None:
        self._lines = lines
        self.ring = ring
        first = next(iter(lines.values()))
        self.dialect, self.model = first.dialect, first.model
        self.chat_url, self.stream_url = first.chat_url, first.stream_url
        self._address, self.told = first._address, None  # noqa: SLF001 - one kind

    async def ask(self, url: URL, body: bytes | None, private: Callable[[], Sequence[str]]) -> Any:
        """The JSON value that answers one of the keys."""
        refusal: ProviderAPIError | None = None
        for key in self.ring.in_turn():
            line = self._lines[key.key_id]
            try:
                answer = await line.ask(url, body, private)
            except _REFUSALS as error:
                self.ring.refused(key, error)
                refusal = error
            else:
                self.ring.accepted(key)
                return answer
            finally:
                self.told = line.told
        assert refusal is not None
        raise self.ring.verdict(refusal)

    async def listen(
        self, request: Request, model_id: str, private: Callable[[], Sequence[str]]
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of the first stream that begins; once it has, another key cannot help."""
        refusal: ProviderAPIError | None = None
        for key in self.ring.in_turn():
            line, began = self._lines[key.key_id], False
            try:
                async with aclosing(line.listen(request, model_id, private)) as pieces:
                    async for chunk in pieces:
                        began = True
                        yield chunk
            except _REFUSALS as error:
                self.ring.refused(key, error)
                if began:
                    raise
                refusal = error
            else:
                self.ring.accepted(key)
                return
            finally:
                self.told = line.told
        assert refusal is not None
        raise self.ring.verdict(refusal)
