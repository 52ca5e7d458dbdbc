"""What the gateway needs of a way of speaking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.refusals import Refusal, RefusedError

__all__ = ["Dialect", "StreamWriter", "count", "only_strings", "required"]


class StreamWriter(Protocol):
    """One streamed answer on its way out: each verb gives the bytes to send, which may be none."""

    def piece(self, choice: int, chunk: Chunk) -> bytes:
        """The frames for one piece; the first also brings what opens the stream."""

    def end(self, facts: Mapping[str, Any]) -> bytes:
        """The frames that close the stream; `facts` say who answered, why, at what cost."""

    def error(self, refusal: Refusal) -> bytes:
        """The frames for a failure after the first piece."""


class Dialect(Protocol):
    """One way of speaking; a module with these names is one."""

    ID: str  # how the ids of its answers begin

    def read(self, body: Mapping[str, Any]) -> Asked:
        """What is asked; RefusedError names the member that is missing or wrong."""

    def reply(self, asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:
        """The whole answer."""

    def writer(self, asked: Asked, answer_id: str, created_s: int) -> StreamWriter:
        """The same in pieces."""

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """The body of a failure."""


def required(body: Mapping[str, Any], name: str, kind: type | tuple[type, ...], *, words: str) -> Any:
    """A member that must be there, of its kind."""
    value = body.get(name)
    if value is None:
        raise RefusedError(400, "invalid_request", f"{name!r} is missing: give {words}")
    if not isinstance(value, kind) or isinstance(value, bool) or (not value and value != 0):
        raise RefusedError(400, "invalid_request", f"{name!r} must be {words}")
    return value


def count(body: Mapping[str, Any], name: str, *, default: int, most: int) -> int:
    """A whole number from 1 to `most`."""
    value = body.get(name, default)
    value = default if value is None else value
    if type(value) is not int or not 1 <= value <= most:
        raise RefusedError(400, "invalid_request", f"{name}={value!r}: give a whole number from 1 to {most}")
    return value


def only_strings(value: Any, name: str) -> list[str]:
    """One text or several, as several."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise RefusedError(400, "invalid_request", f"{name!r} must be a text or a list of texts")
    return texts
