"""The key of a request: a hash over everything that can change its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from operator import attrgetter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.core.messages import Image, Message, Request

if TYPE_CHECKING:
    from orchestrator.core.info import ModelInfo

__all__ = [
    "ANY_MODEL",
    "CALL_OPTIONS",
    "IRRELEVANT",
    "SCHEMA",
    "Answerer",
    "canonical",
    "digest_of",
    "identity",
    "key_of",
    "label",
    "relevant",
]

SCHEMA = 1  # raise it when the meaning of a key or of an entry changes: old entries are then never found

CALL_OPTIONS = frozenset({"cache", "cache_tags"})
"""Parameters of a call that speak to the cache; no provider sees them."""

IRRELEVANT = CALL_OPTIONS | {
    "deadline_s",
    "max_attempts",
    "hedge",
    "resume",
    "priority",
    "wait_for_capacity",
    "timeout",
    "timeout_s",
    "stream",
    "stream_options",
    "request_id",
    "idempotency_key",
    "trace_id",
    "traceparent",
    "cache_marks",
    "prompt_cache_key",
}
"""The only parameters left out of a key: none of them can change an answer. Whatever is new counts as relevant."""

_ANYONE = "0" * 16
_without_thoughts = attrgetter(*(name for name in Message._fields if name != "thoughts"))
ANY_MODEL = "*"


class Answerer(Protocol):
    """Who answers, as far as an answer depends on it: a model."""

    info: ModelInfo

    @property
    def id(self) -> str:
        """Its name in the registry."""

    @property
    def key_id(self) -> str:
        """Which key pays, without the key."""


@lru_cache(maxsize=8192)
def label(name: str | None) -> str:
    r"""Sixteen hex digits for a model, a tenant or a tag, so that no name can forge a pattern or another name.

    >>> label(None), len(label("a\n*{}")), label("a") == label("b")
    ('0000000000000000', 16, False)
    """
    if name is None:
        return _ANYONE
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def key_of(model: Answerer | None, request: Request, wanted: Mapping[str, Any] | None = None) -> str | None:
    """`model.tenant.digest`, or None when some part of the request has no canonical form, and so cannot be told apart.

    Without a model the key stands for "whichever model meets what is wanted"; `wanted` should then hold the
    `pool_of` the models that are asked, so that two pools never share an answer.
    """
    tenant = request.tenant
    digest = digest_of(
        [
            SCHEMA,
            ANY_MODEL if model is None else identity(model),
            tenant,
            [list(turn if turn.thoughts else _without_thoughts(turn)) for turn in request.messages],
            relevant(request.params),
            list(map(list, request.tools)),
            request.tool_choice,
            request.response_format,
            wanted,
        ]
    )
    if digest is None:
        return None
    return f"{label(ANY_MODEL if model is None else model.id)}.{label(tenant)}.{digest}"


def pool_of(models: Iterable[Answerer]) -> str | None:
    """The hash of all who might answer: part of what is wanted, where "any model" of one pool is asked.

    It changes with every model that comes, goes, moves or gets another version or key.
    """
    return digest_of(sorted(map(digest_of, map(identity, models)), key=str))


def identity(model: Answerer) -> list[Any]:
    """Who answers: provider, address, name, version, and which key pays, without the key."""
    info = model.info
    base_url = getattr(model, "base_url", None) or info.base_url
    return [info.provider, base_url, info.id, info.name, info.version, model.key_id]


def relevant(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are part of a key."""
    if IRRELEVANT.isdisjoint(params):
        return params
    return {name: value for name, value in params.items() if name not in IRRELEVANT}


def digest_of(parts: Any) -> str | None:
    """The 256-bit hash of a value's canonical form, or None where it has none.

    >>> digest_of({"a": 1, "b": (1.5, None)}) == digest_of({"b": [1.5, None], "a": 1})
    True
    >>> digest_of(object()) is None
    True
    """
    try:
        return blake2b(canonical(parts), digest_size=32).hexdigest()
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    """What JSON does not know, as something that it does; each kind is marked, so that none passes for another."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Image):
        return ["\0image", value.url, value.media_type, value.data]
    if isinstance(value, bytes | bytearray | memoryview):
        return ["\0bytes", blake2b(value, digest_size=32).hexdigest()]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PurePath):
        return ["\0path", str(value)]
    if isinstance(value, AbstractSet):
        return ["\0set", sorted(filter(None, map(digest_of, value))), len(value)]
    if hasattr(value, "model_json_schema"):  # a pydantic class, as a response format
        return ["\0schema", value.__qualname__, value.model_json_schema()]
    raise TypeError(f"{type(value).__name__} has no canonical form")


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=True, default=_plain
).encode


def _slow_canonical(value: Any) -> bytes:
    """Canonical JSON by the standard library; half a surrogate pair is told apart too."""
    return _encode(value).encode("utf-8", "surrogatepass")


def _fast_canonical() -> Callable[[Any], bytes] | None:
    """The same by orjson, ten times faster; what it refuses (large integers, surrogates) goes the slow way."""
    try:
        import orjson
    except ImportError:
        return None
    dumps, options = orjson.dumps, orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS

    def fast(value: Any) -> bytes:
        try:
            encoded: bytes = dumps(value, default=_plain, option=options)
        except TypeError:
            return _slow_canonical(value)
        return encoded

    return fast


canonical: Callable[[Any], bytes] = _fast_canonical() or _slow_canonical
"""The one spelling of a value: sorted keys, no spaces."""
