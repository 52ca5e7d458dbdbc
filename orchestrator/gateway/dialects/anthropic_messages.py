"""Anthropic Messages, as its clients send and read them (api reference: /v1/messages)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse, Chunk, Image, Message, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.asking import EXTENSION, Asked
from orchestrator.gateway.dialects.dialect import required
from orchestrator.gateway.frames import event
from orchestrator.gateway.refusals import Refusal, RefusedError

__all__ = ["ID", "error", "read", "reply", "writer"]

ID = "msg_"
_PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k")
_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "paused": "pause_turn",
}
_KINDS = {
    "authentication": "authentication_error",
    "permission": "permission_error",
    "rate_limit": "rate_limit_error",
    "budget": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "not_found": "not_found_error",
    "invalid_request": "invalid_request_error",
    "context_length": "invalid_request_error",
    "content_filter": "invalid_request_error",
    "too_large": "request_too_large",
}


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked; thinking budgets and service tiers are Anthropic's own and are not passed on."""
    turns = required(body, "messages", list, words="a list of messages with 'role' and 'content'")
    messages = [turn for spec in turns for turn in _turns_of(spec)]
    params: dict[str, Any] = {name: body[name] for name in _PARAMETERS if body.get(name) is not None}
    required(body, "max_tokens", int, words="a whole number above 0")
    if body.get("stop_sequences"):
        params["stop"] = body["stop_sequences"]
    if body.get("system"):
        params["system"] = _text_of(body["system"])
    if body.get("tools"):
        params["tools"] = body["tools"]
        params["tool_choice"] = _wish(body.get("tool_choice"))
    return Asked(
        model=required(body, "model", str, words="the id of a model, a profile's name or 'auto'"),
        prompt=messages,
        params=params,
        stream=bool(body.get("stream")),
    )


def _wish(choice: Any) -> Any:
    if not isinstance(choice, Mapping):
        return None
    return choice.get("name") if choice.get("type") == "tool" else choice.get("type")


def _turns_of(spec: Any) -> Iterator[Message]:
    """One turn here may be several elsewhere: results of tools are turns of their own."""
    if not isinstance(spec, Mapping) or spec.get("role") not in ("user", "assistant", "system"):
        raise RefusedError(400, "invalid_request", "a message has a 'role' (user or assistant) and 'content'")
    content = spec.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        raise RefusedError(400, "invalid_request", "the content of a message is a text or a list of blocks")
    yield from (_result_of(block) for block in blocks if block.get("type") == "tool_result")
    parts = tuple(part for block in blocks if (part := _part_of(block)) is not None)
    calls = tuple(_call_of(block) for block in blocks if block.get("type") == "tool_use")
    if parts or calls:
        plain = "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else parts
        yield Message(spec["role"], plain, calls)


def _result_of(block: Mapping[str, Any]) -> Message:
    return Message("tool", _text_of(block.get("content") or ""), tool_call_id=str(block.get("tool_use_id")))


def _call_of(block: Mapping[str, Any]) -> ToolCall:
    return ToolCall.read(str(block.get("name")), block.get("input"), block.get("id"))


def _part_of(block: Mapping[str, Any]) -> str | Image | None:
    """Text or a picture; thoughts are not sent to another model, and tools are read elsewhere."""
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind == "image":
        return _image_of(block.get("source"))
    if kind in ("tool_use", "tool_result", "thinking", "redacted_thinking"):
        return None
    raise RefusedError(400, "invalid_request", f"blocks of type {str(kind)[:40]!r} are not served: give text or image")


def _image_of(source: Any) -> Image:
    if isinstance(source, Mapping) and source.get("type") == "url":
        return Image(url=str(source.get("url")))
    if isinstance(source, Mapping) and source.get("type") == "base64":
        return Image.of(f"data:{source.get('media_type')};base64,{source.get('data')}")
    raise RefusedError(400, "invalid_request", "the source of an image has the type 'base64' or 'url'")


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text") or "") for block in content if isinstance(block, Mapping))


def reply(asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:  # noqa: ARG001 - the protocol's signature
    """A message."""
    answer = answers[0]
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    content += [_use(call, at) for at, call in enumerate(answer.tool_calls)]
    head = _message(answer.id, answer.model_id)
    return head | {
        "content": content,
        "stop_reason": _STOPS.get(answer.finish_reason, "end_turn"),
        "usage": _usage_of(answer.usage),
    }


def _message(answer_id: str, model: str | None) -> dict[str, Any]:
    return {
        "id": answer_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _use(call: ToolCall, place: int) -> dict[str, Any]:
    given = call.arguments if isinstance(call.arguments, dict) else {}
    return {"type": "tool_use", "id": call.id or f"toolu_{place}", "name": call.name, "input": given}


def _usage_of(usage: UsageStats) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens or 0,
        "output_tokens": usage.completion_tokens or 0,
        "cache_read_input_tokens": usage.cache_read_tokens or 0,
        "cache_creation_input_tokens": usage.cache_write_tokens or 0,
    }


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of a failure."""
    kind = _KINDS.get(refusal.kind, "api_error")
    return {"type": "error", "error": {"type": kind, "message": refusal.message}}


class _Writer:
    """Events by block: text as it comes, tool calls whole, then why it stopped and what it took."""

    def __init__(self, answer_id: str) -> None:
        self._id = answer_id
        self._begun = False
        self._blocks = 0
        self._text_open = False

    def piece(self, choice: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - this dialect has one choice
        """The frames for one piece."""
        out = b"" if self._begun else self._start(chunk)
        if chunk.text:
            out += self._text(chunk.text)
        for place, call in enumerate(chunk.tool_calls):
            out += self._close_text() + self._tool(call, place)
        if chunk.finish_reason is not None:
            out += self._close_text() + self._stop(chunk)
        return out

    def _start(self, chunk: Chunk) -> bytes:
        self._begun = True
        return _event("message_start", message=_message(self._id, chunk.model_id))

    def _text(self, text: str) -> bytes:
        out = b""
        if not self._text_open:
            self._text_open = True
            out = _event("content_block_start", index=self._blocks, content_block={"type": "text", "text": ""})
        return out + _event("content_block_delta", index=self._blocks, delta={"type": "text_delta", "text": text})

    def _close_text(self) -> bytes:
        if not self._text_open:
            return b""
        self._text_open = False
        self._blocks += 1
        return _event("content_block_stop", index=self._blocks - 1)

    def _tool(self, call: ToolCall, place: int) -> bytes:
        at, self._blocks = self._blocks, self._blocks + 1
        given = {"type": "input_json_delta", "partial_json": call.arguments_json}
        return (
            _event("content_block_start", index=at, content_block=_use(call, place) | {"input": {}})
            + _event("content_block_delta", index=at, delta=given)
            + _event("content_block_stop", index=at)
        )

    @staticmethod
    def _stop(chunk: Chunk) -> bytes:
        assert chunk.finish_reason is not None
        delta = {"stop_reason": _STOPS.get(chunk.finish_reason, "end_turn"), "stop_sequence": None}
        usage = _usage_of(chunk.usage or UsageStats())
        return _event("message_delta", delta=delta, usage=usage)

    def end(self, facts: Mapping[str, Any]) -> bytes:
        """The end marker, with the facts."""
        return _event("message_stop", **{EXTENSION: facts})

    def error(self, refusal: Refusal) -> bytes:
        """The failure as an event of its own."""
        return event(error(refusal), "error")


def _event(kind: str, **facts: Any) -> bytes:
    return event({"type": kind, **facts}, kind)


def writer(asked: Asked, answer_id: str, created_s: int) -> _Writer:  # noqa: ARG001 - the protocol's signature
    """The answer in pieces."""
    return _Writer(answer_id)
