"""From what a client library raises to the error that says what to do about it.

The libraries are told apart by the names of their classes, up to the root: so it works for every version of them, for
those that are not installed, and for what one has wrapped in another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.errors import (
    MalformedResponseError,
    OrchestratorError,
    ProviderAPIError,
    ProviderConnectionError,
    ProviderTimeoutError,
)
from orchestrator.integrations import strict_json
from orchestrator.integrations.failures import UnsupportedFeatureError, failure, failure_in_reply

__all__ = ["failure_of"]

_TIMEOUTS = frozenset({"APITimeoutError", "TimeoutException", "TimeoutError", "ModelTimeoutError"})
_CONNECTIONS = frozenset(
    {"APIConnectionError", "TransportError", "ConnectionError", "ClientConnectionError", "ModelConnectionError"}
)
_UNREADABLE = frozenset({"APIResponseValidationError", "JSONDecodeError", "ValidationError", "UnexpectedModelBehavior"})
_UNABLE = frozenset({"UserError", "NotImplementedError"})
_DEEPEST = 8  # causes of causes


def failure_of(error: Exception, *, provider: str, private: Sequence[str]) -> Exception:
    """The error of ours for one of theirs; the same object where it says nothing about a call.

    >>> found = failure_of(TimeoutError(), provider="openai", private=())
    >>> type(found).__name__, str(found)
    ('ProviderTimeoutError', 'openai did not answer in time (TimeoutError)')
    """
    if isinstance(error, OrchestratorError):
        return error
    layers = list(_layers(error))
    for layer in layers:
        told = _told(layer, provider, private)
        if told is not None:
            return told
    what = type(error).__name__
    for names, kind, words in (
        (_TIMEOUTS, ProviderTimeoutError, "did not answer in time"),
        (_CONNECTIONS, ProviderConnectionError, "could not be reached, or hung up"),
        (_UNABLE, UnsupportedFeatureError, "is asked for what its client cannot do"),
        (_UNREADABLE, MalformedResponseError, "sent a reply that its client cannot read"),
    ):
        if any(not names.isdisjoint(_names(layer)) for layer in layers):
            return kind(f"{provider} {words} ({what})")
    return error


def _layers(error: BaseException) -> Iterator[BaseException]:
    layer: BaseException | None = error
    for _ in range(_DEEPEST):
        if layer is None:
            return
        yield layer
        layer = layer.__cause__ or layer.__context__


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _told(error: Any, provider: str, private: Sequence[str]) -> ProviderAPIError | None:
    """What the provider itself has said, if this exception carries it: a status, or an error inside a reply."""
    response, body = getattr(error, "response", None), getattr(error, "body", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if isinstance(status, int) and status >= 300:
        headers = getattr(error, "headers", None) or getattr(response, "headers", None) or {}
        told = {str(name).lower(): str(value) for name, value in headers.items()}
        return failure(status, told, _bytes_of(response, body), provider=provider, private=private)
    if body and not _names(error).isdisjoint({"APIError", "ModelAPIError"}):
        return failure_in_reply(body, provider=provider, private=private)
    return None


def _bytes_of(response: Any, body: Any) -> bytes:
    """The body as it came, else as the client has read it."""
    try:
        content = response.content
    except Exception:  # noqa: BLE001 - a body that nobody has read to its end: what the client read must do
        content = None
    if isinstance(content, bytes) and content:
        return content
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else strict_json.dumps({"error": body})
