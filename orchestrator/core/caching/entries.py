"""An answer as bytes: what every level holds, so that nothing is shared by reference and nothing is pickled."""

from __future__ import annotations

import json
import struct
import zlib
from copy import deepcopy
from typing import Any, NamedTuple

from orchestrator.core.messages import ChatResponse, ToolCall
from orchestrator.core.replies import Rater
from orchestrator.core.usage import UsageStats

__all__ = [
    "CHAT",
    "VALUE",
    "VECTOR",
    "Entry",
    "Found",
    "gratis",
    "pack",
    "pack_response",
    "response_from",
    "storable",
    "unpack",
]

_MAGIC = b"OrC\x01"  # the last byte is the version of this layout
_HEAD = struct.Struct("<4sccdddBI")  # magic, kind, compression, stored_at, fresh_s, took_s, tags, length of meta
_TAG_BYTES = 16
_PLAIN, _ZLIB = b"p", b"z"
MOST_BYTES = 64 * 1024 * 1024  # of one entry, unpacked: a larger claim is a bomb

CHAT, VECTOR, VALUE = b"c", b"v", b"j"
_FINISHED = ("stop", "tool_calls")


class Entry(NamedTuple):
    """A stored value: `stored_at` is wall-clock time, `fresh_s` its life, `took_s` the time it took to get.

    `tags` are labels (sixteen characters each) by which it can be dropped.
    """

    kind: bytes
    stored_at: float
    fresh_s: float
    took_s: float
    meta: str
    body: bytes
    tags: tuple[str, ...] = ()

    def age_s(self, now: float) -> float:
        """Seconds since it was stored; a clock set back makes nothing younger than new."""
        return max(0.0, now - self.stored_at)


def pack(entry: Entry, *, compress_above: int | None = None) -> bytes:
    """The bytes of an entry; its body is compressed when it is longer than `compress_above` bytes."""
    meta, body, form = entry.meta.encode("utf-8", "surrogatepass"), entry.body, _PLAIN
    if compress_above is not None and len(meta) + len(body) > compress_above:
        body, form = zlib.compress(body, 1), _ZLIB
    tags = "".join(entry.tags[:255]).encode("ascii")
    count = len(tags) // _TAG_BYTES
    head = _HEAD.pack(_MAGIC, entry.kind, form, entry.stored_at, entry.fresh_s, entry.took_s, count, len(meta))
    return b"".join((head, tags, meta, body))


def unpack(raw: bytes) -> Entry | None:
    """The entry of these bytes, or None when they are none of ours: another version, cut short, or a bomb."""
    if len(raw) < _HEAD.size:
        return None
    magic, kind, form, stored_at, fresh_s, took_s, count, length = _HEAD.unpack_from(raw)
    start = _HEAD.size + count * _TAG_BYTES
    end = start + length
    if magic != _MAGIC or end > len(raw):
        return None
    body: bytes | None = raw[end:]
    if form == _ZLIB:
        body = _inflated(raw[end:])
    if body is None:
        return None
    try:
        meta = raw[start:end].decode("utf-8", "surrogatepass")
        tags = _tags_in(raw[_HEAD.size : start].decode("ascii")) if count else ()
    except UnicodeDecodeError:
        return None
    return Entry(kind, stored_at, fresh_s, took_s, meta, body, tags)


def _tags_in(joined: str) -> tuple[str, ...]:
    return tuple(joined[at : at + _TAG_BYTES] for at in range(0, len(joined), _TAG_BYTES))


def _inflated(body: bytes) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        whole = inflater.decompress(body, MOST_BYTES)
    except zlib.error:
        return None
    return whole if inflater.eof else None


def storable(response: ChatResponse) -> bool:
    """True for a whole answer that says something; cut, refused, filtered and broken ones are asked anew.

    >>> [storable(ChatResponse("x", finish_reason=why)) for why in ("stop", "length", "content_filter")]
    [True, False, False]
    """
    if response.finish_reason not in _FINISHED or response.refusal:
        return False
    if any(call.broken for call in response.tool_calls):
        return False
    return bool(response.text or response.tool_calls)


def pack_response(
    response: ChatResponse,
    *,
    stored_at: float,
    fresh_s: float,
    tags: tuple[str, ...] = (),
    pieces: list[list[int]] | None = None,
    compress_above: int | None = None,
) -> bytes:
    """The bytes of an answer; `pieces` are the lengths of text and reasoning that a stream came in."""
    usage = response.usage
    meta = [
        response.model_id,
        response.finish_reason,
        [getattr(usage, name) for name in _USAGE],
        response.tool_calls,
        response.reasoning,
        response.latency_s,
        response.id,
        response.provider,
        response.raw_finish,
        response.upstream_model,
        pieces,
    ]
    return pack(
        Entry(
            CHAT,
            stored_at,
            fresh_s,
            response.latency_s or 0.0,
            json.dumps(meta, separators=(",", ":"), ensure_ascii=False),
            response.text.encode("utf-8", "surrogatepass"),
            tags,
        ),
        compress_above=compress_above,
    )


_USAGE = (
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_usd",
    "estimated",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
)


class Found(NamedTuple):
    """A stored answer, and what it had cost when it was bought."""

    response: ChatResponse
    cost_usd: float | None
    latency_s: float | None
    pieces: list[list[int]] | None


def response_from(entry: Entry, *, level: str, latency_s: float, rater: Rater | None = None) -> Found | None:
    """The answer of an entry, free of charge and marked with the level it came from."""
    if entry.kind != CHAT:
        return None
    try:
        (model_id, finish, buckets, calls, reasoning, took_s, response_id, provider, raw_finish, upstream, pieces) = (
            _read(entry.meta)
        )
        usage = UsageStats.__new__(UsageStats)
        (
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            cost_usd,
            usage.estimated,
            usage.input_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
        ) = buckets
        usage.cost_usd = 0.0
        response = ChatResponse(
            entry.body.decode("utf-8", "surrogatepass"),
            usage=usage,
            model_id=model_id,
            finish_reason=finish,
            tool_calls=tuple(ToolCall(*call) for call in calls) if calls else (),
            reasoning=reasoning,
            latency_s=latency_s,
            cached=level,
            id=response_id,
            provider=provider,
            raw_finish=raw_finish,
            upstream_model=upstream,
            rater=rater,
        )
    except (ValueError, TypeError, RecursionError):
        return None
    return Found(response, cost_usd, took_s, pieces)


def gratis(response: ChatResponse, *, level: str, latency_s: float, rater: Rater | None = None) -> ChatResponse:
    """The same answer for somebody who joined the call that brought it: free of charge, shared by no reference."""
    return ChatResponse(
        response.text,
        usage=response.usage.with_cost(0.0),
        model_id=response.model_id,
        finish_reason=response.finish_reason,
        tool_calls=tuple(call._replace(arguments=deepcopy(call.arguments)) for call in response.tool_calls),
        reasoning=response.reasoning,
        refusal=response.refusal,
        latency_s=latency_s,
        cached=level,
        id=response.id,
        provider=response.provider,
        raw_finish=response.raw_finish,
        upstream_model=response.upstream_model,
        rater=rater,
    )


def _reader() -> Any:
    try:
        import orjson
    except ImportError:
        return json.loads
    loads = orjson.loads

    def read(text: str) -> Any:
        try:
            return loads(text)
        except ValueError:  # half a surrogate pair, which only the standard library reads
            return json.loads(text)

    return read


_read = _reader()
