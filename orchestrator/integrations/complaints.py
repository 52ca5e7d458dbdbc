"""What a provider says when it refuses: one reading for all the shapes of error bodies, fit to be shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.errors import MalformedResponseError
from orchestrator.integrations import strict_json

__all__ = ["Complaint", "read_complaint", "shown", "without_keys", "without_quotation"]

MAX_SHOWN = 200  # characters of a provider's text that an error repeats
_KEYS = re.compile(
    r"\b(?:sk|pk|rk)[-_][\w*.-]{4,}|AIza[\w*-]{6,}|\b(?:hf|gsk|xai|pplx|csk|r8|ghp|ya29)[-_.][\w*.-]{4,}"
    r"|(?i:bearer|api[-_ ]?key|token)[:= ]+(?=[\w*.-]*[\d*])[\w*.-]{6,}|(?i:provided|key): ?[\w*.-]{6,}"
    r"|\b(?=\w*\d)(?=\w*[A-Za-z])\w{24,}\b"
)
_WINDOW = 20  # so many characters in a row in common with the prompt are a quotation
_CODE = re.compile(r"[\w.:/-]{1,64}")


class Complaint(NamedTuple):
    """An error body read: `words` are codes, types and states in lower case, `text` is its prose."""

    words: frozenset[str] = frozenset()
    text: str = ""
    code: str | None = None
    status: int | None = None
    details: Mapping[str, Any] = {}  # read only


def read_complaint(body: Any) -> Complaint:
    """The complaint in an error body: bytes of a reply, or the value of an `error` field.

    >>> read_complaint(b'{"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}').code
    'rate_limit_exceeded'
    >>> read_complaint({"detail": [{"msg": "field required"}]}).text
    'field required'
    """
    if isinstance(body, bytes):
        try:
            body = strict_json.loads(body)
        except MalformedResponseError:
            return Complaint(text=_prose(body))
    layers = list(_layers(body))
    words = [word for layer in layers for word in _words(layer)]
    return Complaint(
        words=frozenset(word.lower() for word in words),
        text=" ".join(dict.fromkeys(text for layer in layers for text in _texts(layer))),
        code=next((word for word in words if _CODE.fullmatch(word)), None),
        status=next((status for layer in layers if (status := _status(layer)) is not None), None),
        details={
            key: layer[key] for layer in reversed(layers) for key in ("retryDelay", "estimated_time") if key in layer
        },
    )


def _prose(body: bytes) -> str:
    """Plain text as it is; nothing of a page of HTML."""
    text = body[:4096].decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else text


def _layers(body: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every object that says something about the error, the most specific of the usual shapes first."""
    if depth > 5:
        return
    if isinstance(body, str):
        yield {"message": body}
    elif isinstance(body, list):
        for part in body[:8]:
            yield from _layers(part, depth + 1)
    elif isinstance(body, dict):
        for key in ("error",) if depth else ("error", "detail"):
            if isinstance(body.get(key), str | dict | list):
                yield from _layers(body[key], depth + 1)
        yield body
        for key in ("innererror", "metadata", "details", "violations", "raw"):
            yield from _layers(_unpacked(body.get(key)), depth + 1)


def _unpacked(value: Any) -> Any:
    """JSON inside a string, as a gateway quotes its upstream's body; free text stays text."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return strict_json.loads(value.encode("utf-8", "replace"))
        except MalformedResponseError:
            return value
    return value


def _words(layer: dict[str, Any]) -> Iterable[str]:
    for key in ("code", "type", "status", "reason", "error_type", "quotaId"):
        value = layer.get(key)
        if isinstance(value, str) and value:
            yield value
    if layer.get("reasons") or layer.get("flagged_input"):
        yield "moderation"
    if "perday" in str(layer.get("quotaId", "")).lower():
        yield "quota_per_day"


def _texts(layer: dict[str, Any]) -> Iterable[str]:
    for key in ("message", "msg"):
        value = layer.get(key)
        if isinstance(value, str) and value.strip():
            yield value.strip()


def _status(layer: dict[str, Any]) -> int | None:
    """The HTTP status that a gateway passes on inside the body."""
    for key in ("status_code", "status", "code"):
        value = layer.get(key)
        if isinstance(value, str) and value.isdecimal() and len(value) == 3:
            value = int(value)
        if type(value) is int and 400 <= value <= 599:
            return value
    return None


def shown(text: str, private: Sequence[str] = ()) -> str:
    """A provider's prose, cut to 200 characters, without anything like a key and without the `private` texts.

    >>> shown("Incorrect API key provided: sk-abc123def456. See https://example.org")
    'Incorrect API key [hidden]. See https://example.org'
    >>> shown("I cannot read 'my secret diary, page one'", ["Dear model, read my secret diary, page one!"])
    "I cannot read '[hidden]'"
    """
    text = " ".join(text[: 4 * MAX_SHOWN].split())
    text = without_keys(text)
    for secret in private:
        text = without_quotation(text, " ".join(secret.split()))
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def without_keys(text: str) -> str:
    """The text without anything that looks like a key."""
    return _KEYS.sub(_hide_key, text)


def _hide_key(found: re.Match[str]) -> str:
    dot = "." if found.group().endswith(".") else ""
    return f"[hidden]{dot}"


def without_quotation(text: str, secret: str) -> str:
    """The text without quotations of the secret: the whole of it, or a run of characters."""
    if len(secret) <= _WINDOW:
        return text.replace(secret, "[hidden]") if len(secret) > 5 else text
    hidden = [False] * len(text)
    for at in range(len(text) - _WINDOW + 1):
        if text[at : at + _WINDOW] in secret:
            hidden[at : at + _WINDOW] = [True] * _WINDOW
    if not any(hidden):
        return text
    masked = "".join("\0" if hide else letter for letter, hide in zip(text, hidden, strict=True))
    return re.sub("\0+", "[hidden]", masked)
