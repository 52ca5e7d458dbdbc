"""A streamed Responses answer: every item is opened, filled, closed; the whole response ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.core.messages import ChatResponse, Chunk, ToolCall
from orchestrator.gateway.asking import EXTENSION, Asked
from orchestrator.gateway.dialects.responses_body import (
    Likelihoods,
    body_of,
    call_item,
    head_of,
    likelihoods_in,
    message_item,
    text_part,
)
from orchestrator.gateway.frames import event
from orchestrator.gateway.refusals import Refusal

__all__ = ["ResponsesWriter"]


class ResponsesWriter:
    """Counts its events as the clients expect, and keeps the text it has shown."""

    def __init__(self, asked: Asked, answer_id: str, created_s: int) -> None:
        self._asked = asked
        self._id = answer_id
        self._created_s = created_s
        self._number = 0
        self._text: list[str] = []
        self._likelihoods: list[Mapping[str, Any]] = []
        self._begun = self._message_open = False
        self._items = 0
        self._last: tuple[str, dict[str, Any]] = ("response.completed", {})

    def piece(self, choice: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - this dialect has one choice
        """The frames for one piece."""
        out = b"" if self._begun else self._start(chunk.model_id)
        if chunk.text or chunk.logprobs:
            out += self._say(chunk.text, likelihoods_in(chunk.logprobs))
        if chunk.finish_reason is not None:
            out += self._close_message() if self._message_open else b""
            out += b"".join(self._call(call, at) for at, call in enumerate(chunk.tool_calls))
            out += self._complete(chunk)
        return out

    def _start(self, model: str | None) -> bytes:
        self._begun = True
        head = head_of(self._asked, self._id, self._created_s, model)
        return self._event("response.created", response=head) + self._event("response.in_progress", response=head)

    def _say(self, text: str, likelihoods: Likelihoods) -> bytes:
        out = b"" if self._message_open else self._open_message()
        self._text.append(text)
        self._likelihoods.extend(likelihoods)
        return out + self._in_message("response.output_text.delta", delta=text, logprobs=likelihoods)

    def _open_message(self) -> bytes:
        self._message_open = True
        item = message_item(self._id, "") | {"status": "in_progress", "content": []}
        added = self._event("response.output_item.added", output_index=self._items, item=item)
        return added + self._in_message("response.content_part.added", part=text_part(""))

    def _close_message(self) -> bytes:
        self._message_open = False
        text, likelihoods = "".join(self._text), self._likelihoods
        out = self._in_message("response.output_text.done", text=text, logprobs=likelihoods)
        out += self._in_message("response.content_part.done", part=text_part(text, likelihoods))
        return out + self._done(message_item(self._id, text, likelihoods=likelihoods))

    def _call(self, call: ToolCall, place: int) -> bytes:
        item = call_item(self._id, call, place)
        at = {"item_id": item["id"], "output_index": self._items}
        opened = item | {"arguments": "", "status": "in_progress"}
        out = self._event("response.output_item.added", output_index=self._items, item=opened)
        out += self._event("response.function_call_arguments.delta", **at, delta=item["arguments"])
        said = {"name": item["name"], "arguments": item["arguments"]}
        return out + self._event("response.function_call_arguments.done", **at, **said) + self._done(item)

    def _done(self, item: dict[str, Any]) -> bytes:
        out = self._event("response.output_item.done", output_index=self._items, item=item)
        self._items += 1
        return out

    def _complete(self, chunk: Chunk) -> bytes:
        answer = chunk.response or ChatResponse(
            "".join(self._text),
            finish_reason=chunk.finish_reason or "stop",
            tool_calls=chunk.tool_calls,
            usage=chunk.usage,
            model_id=chunk.model_id,
        )
        body = body_of(self._asked, answer, self._id, self._created_s, self._likelihoods)
        kind = "response.completed" if body["status"] == "completed" else "response.incomplete"
        self._last = (kind, body)
        return b""

    def end(self, facts: Mapping[str, Any]) -> bytes:
        """The whole response, with the facts."""
        kind, body = self._last
        return self._event(kind, response={**body, EXTENSION: facts})

    def error(self, refusal: Refusal) -> bytes:
        """The failure as an event of its own."""
        return self._event("error", code=refusal.code or refusal.kind, message=refusal.message, param=None)

    def _in_message(self, kind: str, **facts: Any) -> bytes:
        at = {"item_id": f"msg_{self._id}", "output_index": self._items, "content_index": 0}
        return self._event(kind, **at, **facts)

    def _event(self, kind: str, **facts: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return event({"type": kind, "sequence_number": number, **facts}, kind)
