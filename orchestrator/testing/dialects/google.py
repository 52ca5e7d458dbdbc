"""Gemini generateContent, embeddings and models; the model stands in the path."""

from __future__ import annotations

import json
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

BASE = ""
REQUEST_ID = ""

_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY", "tool_calls": "STOP"}
_ARRAY = "array"  # a stream without alt=sse is one JSON array, sent in pieces
_BATCH = "batch"
_TYPE_URL = "type.googleapis.com/google.rpc."

_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# kind: status, message
_ERRORS: dict[str, tuple[int, str]] = {
    "authentication": (400, "API key not valid. Please pass a valid API key."),
    "context_length": (
        400,
        "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({window}).",
    ),
    "invalid_request": (400, "Request contains an invalid argument."),
    "not_found": (
        404,
        (
            "models/{model} is not found for API version v1beta, or is not supported for generateContent. "
            "Call ListModels to see the list of available models and their supported methods."
        ),
    ),
    "overloaded": (503, "The model is overloaded. Please try again later."),
    "permission": (403, "The caller does not have permission"),
    "quota": (429, "You exceeded your current quota, please check your plan and billing details."),
    "rate_limit": (429, "Resource has been exhausted (e.g. check quota)."),
    "server": (500, "An internal error has occurred. Please retry."),
    "timeout": (504, "The request timed out. Please try again."),
}


def read(method: str, path: str, query: str, body: bytes) -> Asked | None:
    """What is asked."""
    path = path.removeprefix("/v1beta").removeprefix("/v1")
    if not path.startswith("/models"):
        return None
    model, _, verb = path.removeprefix("/models").removeprefix("/").rpartition(":")
    if method == "GET":
        name = verb if not model else f"{model}:{verb}"
        return Asked("model", name) if name else Asked("models")
    if verb in ("generateContent", "streamGenerateContent"):
        return _generate(model, json.loads(body), streamed=verb[0] == "s", form="" if "alt=sse" in query else _ARRAY)
    return _embed(model, json.loads(body), verb) if verb in ("embedContent", "batchEmbedContents") else None


def _generate(model: str, body: Mapping[str, Any], *, streamed: bool, form: str) -> Asked:
    turns = [texts_in(turn.get("parts")) for turn in body["contents"]]
    system = body.get("systemInstruction") or body.get("system_instruction") or {}
    return Asked(
        "chat",
        model,
        "".join(turns[-1]) if turns else "",
        sum(len(text) for texts in [*turns, texts_in(system.get("parts"))] for text in texts),
        streamed,
        max_tokens=(body.get("generationConfig") or {}).get("maxOutputTokens"),
        form=form,
    )


def _embed(model: str, body: Mapping[str, Any], verb: str) -> Asked:
    batch = verb == "batchEmbedContents"
    requests = body["requests"] if batch else [body]
    texts = tuple("".join(texts_in(request["content"]["parts"])) for request in requests)
    dimensions = requests[0].get("outputDimensionality") if requests else None
    chars = sum(map(len, texts))
    return Asked("embed", model, chars=chars, texts=texts, dimensions=dimensions, form=_BATCH if batch else "")


def key_in(headers: Mapping[str, str]) -> str | None:
    """The key of `x-goog-api-key`, or an OAuth token."""
    return headers.get("x-goog-api-key") or headers.get("Authorization", "").removeprefix("Bearer ") or None


def reply(answer: Answer) -> dict[str, Any]:
    """One candidate with everything in it."""
    parts: list[dict[str, Any]] = [{"text": answer.text}] if answer.text else []
    if answer.call is not None:
        parts.append(_function_call(answer))
    return _chunk(answer, parts, answered_tokens=answer.completion_tokens, finish=_FINISH[answer.finish])


def stream(asked: Asked, answer: Answer) -> Frames:
    """Whole replies with partial parts; usage grows, the last has the finish reason."""
    texts = pieces_of(answer.text)
    parts: list[dict[str, Any]] = [{"text": piece} for piece in texts]
    if answer.call is not None:
        parts.append(_function_call(answer))
    said = [answer.completion_tokens * (at + 1) // len(parts) for at in range(len(parts))]
    chunks = [dumps(_chunk(answer, [part], answered_tokens=n)) for part, n in zip(parts, said, strict=True)]
    empty = [{"text": ""}]
    last = dumps(_chunk(answer, empty, answered_tokens=answer.completion_tokens, finish=_FINISH[answer.finish]))
    if asked.form == _ARRAY:
        return Frames(b"[", [chunk + b"\n,\r\n" for chunk in chunks], last + b"\n]\n", "application/json")
    return Frames(b"", [_event(chunk) for chunk in chunks], _event(last))


def _chunk(answer: Answer, parts: Any, *, answered_tokens: int, finish: str | None = None) -> dict[str, Any]:
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    usage = {
        "promptTokenCount": answer.prompt_tokens,
        "candidatesTokenCount": answered_tokens,
        "totalTokenCount": answer.prompt_tokens + answered_tokens,
    }
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": answer.model,
        "responseId": f"{answer.number:08d}",
    }


def _function_call(answer: Answer) -> dict[str, Any]:
    assert answer.call is not None
    return {"functionCall": {"name": answer.call.name, "args": dict(answer.call.arguments)}}


def error(fail: Fail, asked: Asked, *, window: int) -> ErrorReply:
    """`{"error": {code, message, status, details}}`; a blocked prompt is a 200 without candidates."""
    kind = kind_of(fail)
    if kind == "content_filter":
        return ErrorReply(fail.status or 200, {"promptFeedback": {"blockReason": "SAFETY"}}, {})
    usual_status, message = _ERRORS.get(kind, _ERRORS["server"])
    status = fail.status or usual_status
    text = fail.message or message.format(model=asked.model, tokens=tokens_in(asked.chars), window=window)
    inner: dict[str, Any] = {"code": status, "message": text, "status": _WORDS.get(status, "UNKNOWN")}
    if details := _details(kind, fail.retry_after_s):
        inner["details"] = details
    return ErrorReply(status, {"error": inner}, {})


def _details(kind: str, retry_after_s: float | None) -> list[dict[str, Any]]:
    """What the status word leaves open: which key, which quota, how long to wait."""
    details: list[dict[str, Any]] = []
    if kind == "authentication":
        details.append({"@type": _TYPE_URL + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"})
    if kind in ("quota", "rate_limit"):
        span = "PerDay" if kind == "quota" else "PerMinute"
        violation = {"quotaId": f"GenerateRequests{span}PerProjectPerModel"}
        details.append({"@type": _TYPE_URL + "QuotaFailure", "violations": [violation]})
    if retry_after_s is not None:
        details.append({"@type": _TYPE_URL + "RetryInfo", "retryDelay": f"{retry_after_s:g}s"})
    return details


def stream_error(error: ErrorReply) -> bytes:
    """An event that is an error, after which nothing comes."""
    return _event(dumps(error.body))


def embeddings(asked: Asked, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """One vector, or the vectors of a batch."""
    rows = [{"values": list(vector)} for vector in vectors]
    return {"embeddings": rows} if asked.form == _BATCH else {"embedding": rows[0]}


def models(models: Iterable[EmulatedModel]) -> dict[str, Any]:
    """The list, in one page."""
    return {"models": list(map(model, models))}


def model(model: EmulatedModel) -> dict[str, Any]:
    """One entry of it, with its limits."""
    return {
        "name": f"models/{model.name}",
        "version": "001",
        "displayName": model.name,
        "inputTokenLimit": model.context_window,
        "outputTokenLimit": 8192,
        "supportedGenerationMethods": ["generateContent", "embedContent"],
    }


def limit_headers(limits: Limits, now_s: float) -> dict[str, str]:  # noqa: ARG001 - Gemini tells nothing
    """None."""
    return {}


def _event(payload: bytes) -> bytes:
    return b"data: " + payload + b"\r\n\r\n"
