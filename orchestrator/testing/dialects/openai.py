"""OpenAI chat completions, embeddings and models, and everybody who copied them."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
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

BASE = "/v1"
REQUEST_ID = "x-request-id"

_DONE = b"data: [DONE]\n\n"
_ARGUMENT_CHARS = 8  # a call's arguments come in pieces of this size
_CREATED_S = 1_686_935_002

# kind: status, type, code, message
_ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "authentication": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "content_filter": (400, "invalid_request_error", "content_policy_violation", "Your request was rejected."),
    "context_length": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        (
            "This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} "
            "tokens. Please reduce the length of the messages."
        ),
    ),
    "invalid_request": (400, "invalid_request_error", None, "The request is invalid."),
    "not_found": (
        404,
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "overloaded": (503, "server_error", None, "That model is currently overloaded with other requests."),
    "permission": (403, "permission_error", None, "You are not allowed to use this model."),
    "quota": (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached for {model} on requests per min (RPM)."),
    "server": (500, "server_error", None, "The server had an error while processing your request."),
    "timeout": (504, "server_error", None, "The request timed out."),
}


def read(method: str, path: str, query: str, body: bytes) -> Asked | None:  # noqa: ARG001 - the query says nothing here
    """What is asked."""
    path = path.removeprefix("/v1")
    if method == "GET":
        if path == "/models":
            return Asked("models")
        return Asked("model", path.removeprefix("/models/")) if path.startswith("/models/") else None
    if path == "/chat/completions":
        return _chat(json.loads(body))
    return _embed(json.loads(body)) if path == "/embeddings" else None


def _chat(body: Mapping[str, Any]) -> Asked:
    turns = [texts_in(turn.get("content")) for turn in body["messages"]]
    return Asked(
        "chat",
        body["model"],
        "".join(turns[-1]) if turns else "",
        sum(len(text) for texts in turns for text in texts),
        bool(body.get("stream")),
        wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
    )


def _embed(body: Mapping[str, Any]) -> Asked:
    given = body["input"]
    texts = (given,) if isinstance(given, str) else tuple(map(str, given))
    chars = sum(map(len, texts))
    form = body.get("encoding_format") or "float"
    return Asked("embed", body["model"], chars=chars, texts=texts, dimensions=body.get("dimensions"), form=form)


def key_in(headers: Mapping[str, str]) -> str | None:
    """The key of `Authorization: Bearer ...`."""
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def reply(answer: Answer) -> dict[str, Any]:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    if answer.call is not None:
        message |= {
            "content": answer.text or None,
            "tool_calls": [_call(answer, json.dumps(dict(answer.call.arguments)))],
        }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    return {
        "id": _id(answer),
        "object": "chat.completion",
        "created": int(answer.created_s),
        "model": answer.model,
        "choices": [choice],
        "usage": _usage(answer),
        "service_tier": "default",
        "system_fingerprint": None,
    }


def stream(asked: Asked, answer: Answer) -> Frames:
    """Chunks, the usage if it was asked for, and [DONE]."""
    shell = {
        "id": _id(answer),
        "object": "chat.completion.chunk",
        "created": int(answer.created_s),
        "model": answer.model,
        "system_fingerprint": None,
    }
    if asked.wants_usage:
        shell["usage"] = None

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _event({**shell, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]})

    head = chunk({"role": "assistant", "content": None if answer.call else "", "refusal": None})
    pieces = [chunk({"content": piece}) for piece in pieces_of(answer.text)]
    pieces += [chunk({"tool_calls": [delta]}) for delta in _call_deltas(answer)]
    usage = _event({**shell, "choices": [], "usage": _usage(answer)}) if asked.wants_usage else b""
    return Frames(head, pieces, chunk({}, answer.finish) + usage + _DONE)


def _call_deltas(answer: Answer) -> list[dict[str, Any]]:
    if answer.call is None:
        return []
    text = json.dumps(dict(answer.call.arguments))
    parts = (text[start : start + _ARGUMENT_CHARS] for start in range(0, len(text), _ARGUMENT_CHARS))
    more = [{"index": 0, "function": {"arguments": part}} for part in parts]
    return [{"index": 0, **_call(answer, "")}, *more]


def _call(answer: Answer, arguments: str) -> dict[str, Any]:
    assert answer.call is not None
    function = {"name": answer.call.name, "arguments": arguments}
    return {"id": f"call_{answer.number:08d}", "type": "function", "function": function}


def error(fail: Fail, asked: Asked, *, window: int) -> ErrorReply:
    """`{"error": {message, type, param, code}}`."""
    status, kind, code, message = _ERRORS.get(kind_of(fail), _ERRORS["server"])
    text = fail.message or message.format(model=asked.model, tokens=tokens_in(asked.chars), window=window)
    headers = {} if fail.retry_after_s is None else {"retry-after": f"{fail.retry_after_s:g}"}
    body = {"error": {"message": text, "type": kind, "param": None, "code": code}}
    return ErrorReply(fail.status or status, body, headers)


def stream_error(error: ErrorReply) -> bytes:
    """An event that is an error, after which nothing comes."""
    return _event(error.body)


def embeddings(asked: Asked, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A list of vectors, as numbers or as base64 of little-endian float32."""
    encode = _base64 if asked.form == "base64" else list
    tokens = tokens_in(asked.chars)
    rows = [{"object": "embedding", "index": at, "embedding": encode(vector)} for at, vector in enumerate(vectors)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": asked.model, "usage": usage}


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def models(models: Iterable[EmulatedModel]) -> dict[str, Any]:
    """The list: no prices, no windows."""
    return {"object": "list", "data": list(map(model, models))}


def model(model: EmulatedModel) -> dict[str, Any]:
    """One entry of it."""
    return {"id": model.name, "object": "model", "created": _CREATED_S, "owned_by": model.provider or "orchestrator"}


def limit_headers(limits: Limits, now_s: float) -> dict[str, str]:  # noqa: ARG001 - the reset is a span, not a date
    """`x-ratelimit-*` for requests."""
    return {
        "x-ratelimit-limit-requests": str(limits.limit),
        "x-ratelimit-remaining-requests": str(limits.remaining),
        "x-ratelimit-reset-requests": _span(limits.reset_s),
    }


def _span(seconds: float) -> str:
    """A span as Go writes it.

    >>> _span(0.012), _span(8.64), _span(72)
    ('12ms', '8.64s', '1m12s')
    """
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{round(rest, 3):g}s"


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _id(answer: Answer) -> str:
    return f"chatcmpl-{answer.number:08d}"


def _event(payload: Mapping[str, Any]) -> bytes:
    return b"data: " + dumps(payload) + b"\n\n"
