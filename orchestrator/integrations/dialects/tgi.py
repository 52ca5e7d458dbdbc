"""Hugging Face text-generation-inference: one text in, one text out (/generate and /generate_stream)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.core.messages import Chunk, Reply, Request
from orchestrator.core.usage import UsageStats
from orchestrator.errors import MalformedResponseError
from orchestrator.integrations.dialects.dialect import NO_CHUNKS, EventDialect, StreamReader, as_object, part
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.listing import ListedModel, tokens
from orchestrator.integrations.dialects.wishes import as_list, renamed

__all__ = ["TextGeneration"]

_NAMES = {
    "max_tokens": "max_new_tokens",
    "max_completion_tokens": "max_new_tokens",
    "max_output_tokens": "max_new_tokens",
    "stop_sequences": "stop",
}


class TextGeneration(EventDialect):
    """The dialect; a server serves one model, so no name is sent."""

    def chat_path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the protocol's signature
        """Where a request goes."""
        return "generate_stream" if stream else "generate"

    def encode(self, request: Request, model: str, *, stream: bool) -> dict[str, Any]:  # noqa: ARG002 - both are in the path
        """The body of a request; several turns become one text with the speakers' names."""
        parameters = renamed(request.params, _NAMES)
        if "stop" in parameters:
            parameters["stop"] = as_list(parameters["stop"])
        if request.json_schema is not None:
            parameters["grammar"] = {"type": "json", "value": request.json_schema[1]}
        return {"inputs": _text(request), "parameters": {"details": True, **parameters}}

    def decode(self, body: Any) -> Reply:
        """The answer in a body, which may be alone in a list."""
        body = as_object(body)
        text = body.get("generated_text")
        if not isinstance(text, str):
            raise MalformedResponseError("the reply has no generated_text")
        details = part(body, "details")
        raw = details.get("finish_reason")
        return Reply(text, finish_reason(raw, text=text), _usage(details), raw_finish=raw, raw=body)

    def reader(self) -> StreamReader:
        """Reads the frames of one stream."""
        return TokenReader()

    def models_path(self, page: str | None) -> str:  # noqa: ARG002 - one server, one model
        """Where the server describes its model."""
        return "info"

    def decode_models(self, body: Any) -> tuple[list[ListedModel], str | None]:
        """The one model of the server."""
        body = as_object(body)
        name = body.get("model_id")
        window = tokens(body.get("max_total_tokens"), body.get("max_input_tokens"))
        return [ListedModel(name, context_window=window)] if isinstance(name, str) else [], None


def _text(request: Request) -> str:
    if len(request.messages) == 1:
        return request.messages[0].text
    return "\n".join(f"{turn.role}: {turn.text}" for turn in request.messages) + "\nassistant:"


def _usage(details: dict[str, Any]) -> UsageStats:
    prefill = details.get("prefill")
    return UsageStats(len(prefill) if prefill else None, details.get("generated_tokens"))


class TokenReader(StreamReader):
    """Puts tokens together; the one that brings `generated_text` is the last."""

    def take(self, event: dict[str, Any]) -> Sequence[Chunk]:
        """The pieces of the answer in one event."""
        if event.get("error"):
            raise self.failed(event)
        if event.get("generated_text") is not None:
            details = part(event, "details")
            self.ended = self.done = True
            self.raw_finish, self.usage = details.get("finish_reason"), _usage(details)
        token = part(event, "token")
        return NO_CHUNKS if token.get("special") else self.say(token.get("text"))
