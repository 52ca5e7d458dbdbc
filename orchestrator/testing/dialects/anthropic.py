"""Anthropic Messages and models; there are no embeddings here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.testing.behaviour import EmulatedModel, Fail
from orchestrator.testing.exchange import (
    Answer,
    Asked,
    ErrorReply,
    Frames,
    Limits,
    dumps,
    kind_of,
    pieces_of,
    texts_in,
    tokens_in,
)

BASE = ""
REQUEST_ID = "request-id"

_FINISH = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal", "tool_calls": "tool_use"}
_ARGUMENT_CHARS = 8  # a call's arguments come in pieces of this size

# kind: status, type, message
_ERRORS: dict[str, tuple[int, str, str]] = {
    "authentication": (401, "authentication_error", "invalid x-api-key"),
    "content_filter": (400, "invalid_request_error", "Output blocked by content filtering policy"),
    "context_length": (400, "invalid_request_error", "prompt is too long: {tokens} tokens > {window} maximum"),
    "invalid_request": (400, "invalid_request_error", "The request is invalid."),
    "not_found": (404, "not_found_error", "model: {model}"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "permission": (403, "permission_error", "Your API key does not have permission to use the specified resource."),
    "quota": (
        400,
        "invalid_request_error",
        (
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits."
        ),
    ),
    "rate_limit": (429, "rate_limit_error", "This request would exceed your account's rate limit."),
    "server": (500, "api_error", "Internal server error"),
    "timeout": (504, "timeout_error", "The request timed out."),
}


def read(method: str, path: str, query: str, body: bytes) -> Asked | None:  # noqa: ARG001 - the query says nothing here
    """What is asked."""
    path = path.removeprefix("/v1")
    if method == "GET":
        if path == "/models":
            return Asked("models")
        return Asked("model", path.removeprefix("/models/")) if path.startswith("/models/") else None
    return _messages(json.loads(body)) if path == "/messages" else None


def _messages(body: Mapping[str, Any]) -> Asked:
    if not isinstance(body.get("max_tokens"), int):
        raise ValueError("max_tokens: Field required")  # noqa: TRY004 - a fault of the body, as all others
    turns = [texts_in(turn.get("content")) for turn in body["messages"]]
    sent = [*turns, texts_in(body.get("system"))]
    return Asked(
        "chat",
        body["model"],
        "".join(turns[-1]) if turns else "",
        sum(len(text) for texts in sent for text in texts),
        bool(body.get("stream")),
        max_tokens=body["max_tokens"],
    )


def key_in(headers: Mapping[str, str]) -> str | None:
    """The key of `x-api-key`, or a bearer token."""
    return headers.get("x-api-key") or headers.get("Authorization", "").removeprefix("Bearer ") or None


def reply(answer: Answer) -> dict[str, Any]:
    """A message of text and tool-use blocks."""
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    if answer.call is not None:
        content.append(_tool_use(answer, dict(answer.call.arguments)))
    usage = _usage(answer, answer.completion_tokens)
    return _message(answer) | {"content": content, "stop_reason": _FINISH[answer.finish], "usage": usage}


def stream(asked: Asked, answer: Answer) -> Frames:  # noqa: ARG001 - usage always comes along
    """Message start, blocks, message delta and message stop."""
    start = _message(answer) | {"content": [], "stop_reason": None, "usage": _usage(answer, 1)}
    head = _event("message_start", message=start)
    pieces = [*_text_events(answer.text), *_call_events(answer)]
    delta = {"stop_reason": _FINISH[answer.finish], "stop_sequence": None}
    end = _event("message_delta", delta=delta, usage={"output_tokens": answer.completion_tokens})
    return Frames(head, pieces, end + _event("message_stop"))


def _text_events(text: str) -> list[bytes]:
    """One text block; its start travels with its first piece, its stop with its last."""
    if not text:
        return []
    start = _event("content_block_start", index=0, content_block={"type": "text", "text": ""}) + _event("ping")
    return _block(0, start, [{"type": "text_delta", "text": piece} for piece in pieces_of(text)])


def _call_events(answer: Answer) -> list[bytes]:
    if answer.call is None:
        return []
    index = 1 if answer.text else 0
    start = _event("content_block_start", index=index, content_block=_tool_use(answer, {}))
    text = json.dumps(dict(answer.call.arguments)) if answer.call.arguments else ""
    parts = [text[at : at + _ARGUMENT_CHARS] for at in range(0, len(text), _ARGUMENT_CHARS)] or [""]
    return _block(index, start, [{"type": "input_json_delta", "partial_json": part} for part in parts])


def _block(index: int, start: bytes, deltas: Sequence[Mapping[str, Any]]) -> list[bytes]:
    pieces = [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
    pieces[0] = start + pieces[0]
    pieces[-1] += _event("content_block_stop", index=index)
    return pieces


def _tool_use(answer: Answer, arguments: dict[str, Any]) -> dict[str, Any]:
    assert answer.call is not None
    return {"type": "tool_use", "id": f"toolu_{answer.number:08d}", "name": answer.call.name, "input": arguments}


def error(fail: Fail, asked: Asked, *, window: int) -> ErrorReply:
    """`{"type": "error", "error": {type, message}, "request_id"}`."""
    status, kind, message = _ERRORS.get(kind_of(fail), _ERRORS["server"])
    text = fail.message or message.format(model=asked.model, tokens=tokens_in(asked.chars), window=window)
    headers = {} if fail.retry_after_s is None else {"retry-after": f"{fail.retry_after_s:g}"}
    body = {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_emulated"}
    return ErrorReply(fail.status or status, body, headers)


def stream_error(error: ErrorReply) -> bytes:
    """An `error` event, after which nothing comes."""
    return _event("error", error=error.body["error"])


def embeddings(asked: Asked, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Never called: no path of this dialect asks for vectors."""
    raise NotImplementedError(f"no embeddings in this dialect, asked for {len(asked.texts)} and {len(vectors)} given")


def models(models: Iterable[EmulatedModel]) -> dict[str, Any]:
    """The list, in one page."""
    rows = list(map(model, models))
    ids = [row["id"] for row in rows] or [None]
    return {"data": rows, "has_more": False, "first_id": ids[0], "last_id": ids[-1]}


def model(model: EmulatedModel) -> dict[str, Any]:
    """One entry of it, with the window."""
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": "2026-02-04T00:00:00Z",
        "max_input_tokens": model.context_window,
        "max_tokens": 8192,
    }


def limit_headers(limits: Limits, now_s: float) -> dict[str, str]:
    """`anthropic-ratelimit-requests-*`; the reset is a date."""
    reset = datetime.fromtimestamp(now_s + limits.reset_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "anthropic-ratelimit-requests-limit": str(limits.limit),
        "anthropic-ratelimit-requests-remaining": str(limits.remaining),
        "anthropic-ratelimit-requests-reset": reset,
    }


def _message(answer: Answer) -> dict[str, Any]:
    name = f"msg_{answer.number:08d}"
    return {"id": name, "type": "message", "role": "assistant", "model": answer.model, "stop_sequence": None}


def _usage(answer: Answer, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": answer.prompt_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _event(kind: str, **payload: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + dumps({"type": kind, **payload}) + b"\n\n"
