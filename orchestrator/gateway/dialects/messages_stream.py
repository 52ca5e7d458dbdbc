"""A streamed message: every block is opened, filled, closed; why it stopped and what it took end it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from orchestrator.core.messages import Chunk, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.asking import EXTENSION
from orchestrator.gateway.dialects.messages_body import error_body, message_head, stop_of, usage_of, use_block
from orchestrator.gateway.frames import event
from orchestrator.gateway.refusals import Refusal

__all__ = ["MessagesWriter"]

_EMPTY = {"text": {"type": "text", "text": ""}, "thinking": {"type": "thinking", "thinking": "", "signature": ""}}


class MessagesWriter:
    """Events by block: thoughts and text as they come, tool calls whole."""

    def __init__(self, answer_id: str) -> None:
        self._id = answer_id
        self._begun = False
        self._blocks = 0
        self._open: Literal["text", "thinking"] | None = None

    def piece(self, choice: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - this dialect has one choice
        """The frames for one piece."""
        out = b"" if self._begun else self._start(chunk)
        if chunk.reasoning:
            out += self._say("thinking", {"type": "thinking_delta", "thinking": chunk.reasoning})
        if chunk.signature:
            out += self._say("thinking", {"type": "signature_delta", "signature": chunk.signature}) + self._close()
        if chunk.redacted:
            block = {"type": "redacted_thinking", "data": chunk.redacted}
            out += self._close() + self._whole(block)
        if chunk.text:
            out += self._say("text", {"type": "text_delta", "text": chunk.text})
        for place, call in enumerate(chunk.tool_calls):
            out += self._close() + self._tool(call, place)
        if chunk.finish_reason is not None:
            out += self._close() + self._stop(chunk)
        return out

    def _start(self, chunk: Chunk) -> bytes:
        self._begun = True
        return _event("message_start", message=message_head(self._id, chunk.model_id))

    def _say(self, kind: Literal["text", "thinking"], delta: Mapping[str, Any]) -> bytes:
        out = b""
        if self._open != kind:
            out = self._close() + _event("content_block_start", index=self._blocks, content_block=_EMPTY[kind])
            self._open = kind
        return out + _event("content_block_delta", index=self._blocks, delta=delta)

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        self._blocks += 1
        return _event("content_block_stop", index=self._blocks - 1)

    def _tool(self, call: ToolCall, place: int) -> bytes:
        given = {"type": "input_json_delta", "partial_json": call.arguments_json}
        return self._whole(use_block(call, place) | {"input": {}}, given)

    def _whole(self, block: Mapping[str, Any], *deltas: Mapping[str, Any]) -> bytes:
        """A block that comes at once."""
        at, self._blocks = self._blocks, self._blocks + 1
        return (
            _event("content_block_start", index=at, content_block=block)
            + b"".join(_event("content_block_delta", index=at, delta=delta) for delta in deltas)
            + _event("content_block_stop", index=at)
        )

    @staticmethod
    def _stop(chunk: Chunk) -> bytes:
        assert chunk.finish_reason is not None
        delta = {"stop_reason": stop_of(chunk.finish_reason), "stop_sequence": None}
        return _event("message_delta", delta=delta, usage=usage_of(chunk.usage or UsageStats()))

    def end(self, facts: Mapping[str, Any]) -> bytes:
        """The end marker, with the facts."""
        return _event("message_stop", **{EXTENSION: facts})

    def error(self, refusal: Refusal) -> bytes:
        """The failure as an event of its own."""
        return event(error_body(refusal), "error")


def _event(kind: str, **facts: Any) -> bytes:
    return event({"type": kind, **facts}, kind)
