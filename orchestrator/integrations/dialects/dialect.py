"""What every way of speaking can do: write a request, read a reply, put a stream together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from orchestrator.core.messages import Chunk, Reply, Request, ToolCall
from orchestrator.core.model import last_chunk
from orchestrator.core.usage import UsageStats
from orchestrator.errors import (
    MalformedResponseError,
    ModelProviderError,
    ProviderAPIError,
    StreamTruncatedError,
)
from orchestrator.integrations import strict_json
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.listing import ListedModel
from orchestrator.integrations.failures import failure_in_reply
from orchestrator.integrations.frames import EventFraming, Framing

__all__ = ["Dialect", "StreamReader", "Vectors", "as_object", "no_embeddings", "texts_of"]

NO_CHUNKS: tuple[Chunk, ...] = ()


class Vectors(NamedTuple):
    """Embeddings as a provider sent them, in the order asked."""

    vectors: list[list[float]]
    usage: UsageStats
    upstream_model: str | None = None


class Dialect(Protocol):
    """The paths and bodies of one API; paths are relative to the provider's base URL."""

    def framing(self) -> Framing:
        """A fresh reader of a stream's bytes."""

    def chat_path(self, model: str, *, stream: bool) -> str:
        """Where a request goes."""

    def encode(self, request: Request, model: str, *, stream: bool) -> dict[str, Any]:
        """The body of a request."""

    def decode(self, body: Any) -> Reply:
        """The answer in a body; raises the error's class when the body holds one."""

    def reader(self) -> StreamReader:
        """Reads the frames of one stream."""

    def embeddings_path(self, model: str) -> str:
        """Where texts go to become vectors."""

    def encode_embeddings(self, texts: Sequence[str], model: str, params: dict[str, Any]) -> dict[str, Any]:
        """The body of an embeddings request."""

    def decode_embeddings(self, body: Any) -> Vectors:
        """The vectors in a body."""

    def models_path(self, page: str | None) -> str:
        """Where the list of models is; `page` is what `decode_models` returned last."""

    def decode_models(self, body: Any) -> tuple[list[ListedModel], str | None]:
        """The models in a body, and the mark of the next page if there is one."""


class StreamReader:
    """Puts the frames of one stream together.

    `ended` is the proof that the answer is whole, `done` says that nothing can follow, `beats` counts the frames
    that mean something, unlike a ping.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.reasonings: list[str] = []
        self.refusals: list[str] = []
        self.usage = UsageStats()
        self.raw_finish: str | None = None
        self.upstream_model: str | None = None
        self.ended = False
        self.done = False
        self.beats = 0

    def feed(self, frame: bytes) -> Sequence[Chunk]:
        """The pieces of the answer in one frame; raises the error's class when the frame holds one."""
        event = strict_json.loads(frame)
        if not isinstance(event, dict):
            return NO_CHUNKS
        if event.get("type") != "ping":
            self.beats += 1
        return self.take(event)

    def take(self, event: dict[str, Any]) -> Sequence[Chunk]:
        """The pieces of the answer in one event."""
        raise NotImplementedError

    def finish(self) -> Chunk:
        """The closing chunk; `StreamTruncatedError` when the end marker never came."""
        if not self.ended:
            raise StreamTruncatedError(
                "the stream ended before the answer did; what came is in .text_so_far", text_so_far=self.text
            )
        calls = self.calls()
        finish = finish_reason(self.raw_finish, calls=calls, text=self.text, refusal="".join(self.refusals))
        return last_chunk(
            Reply(
                finish_reason=finish,
                usage=self.usage,
                tool_calls=calls,
                refusal="".join(self.refusals),
                raw_finish=self.raw_finish,
                upstream_model=self.upstream_model,
            )
        )

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the whole answer."""
        return ()

    @property
    def text(self) -> str:
        """All that was said so far."""
        return "".join(self.texts)

    def say(self, text: Any = "", reasoning: Any = "") -> Sequence[Chunk]:
        """The chunk for a piece of text or of reasoning, if there is any."""
        text = text if isinstance(text, str) else ""
        reasoning = reasoning if isinstance(reasoning, str) else ""
        if not text and not reasoning:
            return NO_CHUNKS
        if text:
            self.texts.append(text)
        if reasoning:
            self.reasonings.append(reasoning)
        return (Chunk(text, reasoning),)

    def failed(self, error: Any) -> ProviderAPIError:
        """The error that a frame reports, with what was said before it."""
        return failure_in_reply(error, text_so_far=self.text)


class EventDialect:
    """What dialects over server-sent events share, with refusals for what they may lack."""

    def framing(self) -> Framing:
        """Server-sent events."""
        return EventFraming()

    def embeddings_path(self, model: str) -> str:  # noqa: ARG002 - the protocol's signature
        """Where texts go to become vectors."""
        raise no_embeddings()

    def encode_embeddings(
        self,
        texts: Sequence[str],  # noqa: ARG002 - the protocol's signature
        model: str,  # noqa: ARG002 - likewise
        params: dict[str, Any],  # noqa: ARG002 - likewise
    ) -> dict[str, Any]:
        """The body of an embeddings request."""
        raise no_embeddings()

    def decode_embeddings(self, body: Any) -> Vectors:  # noqa: ARG002 - the protocol's signature
        """The vectors in a body."""
        raise no_embeddings()


def no_embeddings() -> ModelProviderError:
    """The refusal of an API without embeddings."""
    return ModelProviderError("this API computes no embeddings; choose a model with the embeddings capability")


def as_object(body: Any, what: str = "a reply") -> dict[str, Any]:
    """The body as the object it must be; an error inside it is raised as such."""
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0]
    if not isinstance(body, dict):
        raise MalformedResponseError(f"{what} is a JSON object, not {type(body).__name__}")
    if body.get("error"):
        raise failure_in_reply(body)
    return body


def texts_of(value: Any) -> str:
    """A text, or the texts of a list of parts, joined."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    return "".join(
        part if isinstance(part, str) else part["text"]
        for part in value
        if isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))
    )


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list that may be none."""
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def part(value: Any, name: str) -> dict[str, Any]:
    """An object's field that is an object itself, else an empty one."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
