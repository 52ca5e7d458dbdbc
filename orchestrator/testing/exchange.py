"""What every dialect says in its own words: what was asked, what is answered, and the verbs between the two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from orchestrator.testing.behaviour import CallTool, EmulatedModel, Fail

__all__ = [
    "Answer",
    "Asked",
    "Dialect",
    "ErrorReply",
    "Frames",
    "Limits",
    "dumps",
    "kind_of",
    "pieces_of",
    "texts_in",
    "tokens_in",
]

Operation = Literal["chat", "embed", "models", "model", "version", "pull"]

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PIECE = re.compile(r"\S+\s*|\s+")
_KINDS = {
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}


class Asked(NamedTuple):
    """One request, whatever its dialect; `prompt` is the last turn's text, `chars` counts all that was sent."""

    operation: Operation
    model: str = ""
    prompt: str = ""
    chars: int = 0
    stream: bool = False
    wants_usage: bool = True
    max_tokens: int | None = None
    texts: tuple[str, ...] = ()
    dimensions: int | None = None
    form: str = ""  # a variant which only the dialect knows: base64 vectors, a JSON array for a stream, ...


class Answer(NamedTuple):
    """What the model says; `number` counts its answers, `created_s` is the date."""

    model: str
    text: str
    finish: Literal["stop", "length", "content_filter", "tool_calls"]
    prompt_tokens: int
    completion_tokens: int
    number: int
    created_s: float
    call: CallTool | None = None


class Frames(NamedTuple):
    """A stream in the bytes of its dialect: what comes before the content, the content, and the proper end."""

    head: bytes
    pieces: list[bytes]
    tail: bytes
    content_type: str = "text/event-stream; charset=utf-8"


class ErrorReply(NamedTuple):
    """An error as the dialect tells it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


class Limits(NamedTuple):
    """How much of a model's allowance is left, and in how many seconds it is whole again."""

    limit: int
    remaining: int
    reset_s: float


class Dialect(Protocol):
    """One provider's way of talking; a module with these names is one."""

    BASE: str  # what follows the provider's label in the address a client is given
    REQUEST_ID: str  # the header that carries the request's id; empty for none

    def read(self, method: str, path: str, query: str, body: bytes) -> Asked | None:
        """What is asked, None for a path this dialect does not have; ValueError tells what is wrong with the body."""

    def key_in(self, headers: Mapping[str, str]) -> str | None:
        """The caller's key."""

    def reply(self, answer: Answer) -> dict[str, Any]:
        """A whole answer."""

    def stream(self, asked: Asked, answer: Answer) -> Frames:
        """The same, in pieces."""

    def error(self, fail: Fail, asked: Asked, *, window: int) -> ErrorReply:
        """A failure before the answer; `window` is the model's, in tokens."""

    def stream_error(self, error: ErrorReply) -> bytes:
        """A failure in the middle of a stream."""

    def embeddings(self, asked: Asked, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
        """Vectors for texts."""

    def models(self, models: Iterable[EmulatedModel]) -> dict[str, Any]:
        """What there is to ask."""

    def model(self, model: EmulatedModel) -> dict[str, Any]:
        """One entry of that list."""

    def limit_headers(self, limits: Limits, now_s: float) -> dict[str, str]:
        """How the dialect tells what is left."""


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def kind_of(fail: Fail) -> str:
    """The class of failure: as given, else by status."""
    if fail.kind is not None:
        return fail.kind
    status = fail.status or 500
    return _KINDS.get(status, "server" if status >= 500 else "invalid_request")


def pieces_of(text: str) -> list[str]:
    """A text in the pieces in which it is streamed: words with the space after them.

    >>> pieces_of("a  bc d")
    ['a  ', 'bc ', 'd']
    """
    return _PIECE.findall(text)


def texts_in(content: Any) -> list[str]:
    """The texts in a turn's content: a string, or parts of which some have `text`."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]


def tokens_in(chars: int) -> int:
    """Tokens by the rule of thumb: four characters each, and at least one.

    >>> tokens_in(0), tokens_in(4), tokens_in(5)
    (1, 1, 2)
    """
    return max(1, -(-chars // 4))
