"""Ollama's own dialect: one JSON object a line, and streams unless told not to."""

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
REQUEST_ID = ""

_NS_PER_TOKEN = 10_000_000
_PARTS = 4  # in which a download is told
_DIGEST = "0123456789abcdef"
_OLD = "old"  # /api/embeddings: one prompt, one vector

# kind: status, message
_ERRORS: dict[str, tuple[int, str]] = {
    "authentication": (401, "unauthorized"),
    "content_filter": (400, "the request was blocked by the content policy"),
    "context_length": (400, "prompt too long; exceeded max context length ({tokens} > {window} tokens)"),
    "invalid_request": (400, "invalid request"),
    "not_found": (404, 'model "{model}" not found, try pulling it first'),
    "overloaded": (503, "server busy, please try again.  maximum pending requests exceeded"),
    "permission": (403, "forbidden"),
    "quota": (402, "you have reached your usage limit, please upgrade to continue"),
    "rate_limit": (429, "too many requests"),
    "server": (500, "llama runner process has terminated: exit status 2"),
    "timeout": (504, "timed out waiting for llama runner to start"),
}


def read(method: str, path: str, query: str, body: bytes) -> Asked | None:  # noqa: ARG001 - the query says nothing here
    """What is asked."""
    if method == "GET":
        return {"/api/tags": Asked("models"), "/api/version": Asked("version")}.get(path)
    if path == "/api/chat":
        return _chat(json.loads(body))
    if path in ("/api/embed", "/api/embeddings"):
        return _embed(json.loads(body))
    if path == "/api/pull":
        given = json.loads(body)
        return Asked("pull", given.get("model") or given["name"], stream=given.get("stream", True))
    if path == "/api/show":
        given = json.loads(body)
        return Asked("model", given.get("model") or given["name"])
    return None


def _chat(body: Mapping[str, Any]) -> Asked:
    turns = [texts_in(turn.get("content")) for turn in body["messages"]]
    limit = (body.get("options") or {}).get("num_predict")
    return Asked(
        "chat",
        body["model"],
        "".join(turns[-1]) if turns else "",
        sum(len(text) for texts in turns for text in texts),
        bool(body.get("stream", True)),
        max_tokens=limit if limit and limit > 0 else None,
    )


def _embed(body: Mapping[str, Any]) -> Asked:
    given = body["input"] if "input" in body else body["prompt"]
    texts = (given,) if isinstance(given, str) else tuple(map(str, given))
    form = "" if "input" in body else _OLD
    chars = sum(map(len, texts))
    return Asked("embed", body["model"], chars=chars, texts=texts, dimensions=body.get("dimensions"), form=form)


def key_in(headers: Mapping[str, str]) -> str | None:
    """The key of `Authorization: Bearer ...`."""
    return headers.get("Authorization", "").removeprefix("Bearer ") or None


def reply(answer: Answer) -> dict[str, Any]:
    """One object, done."""
    return _object(answer, answer.text, calls=_calls(answer)) | _end(answer)


def stream(asked: Asked, answer: Answer) -> Frames:  # noqa: ARG001 - counts always come along
    """Objects with pieces, calls whole, the last one done and with counts."""
    pieces = [_line(_object(answer, piece) | {"done": False}) for piece in pieces_of(answer.text)]
    if answer.call is not None:
        pieces.append(_line(_object(answer, "", calls=_calls(answer)) | {"done": False}))
    return Frames(b"", pieces, _line(_object(answer, "") | _end(answer)), "application/x-ndjson")


def _object(answer: Answer, text: str, calls: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = calls
    created = datetime.fromtimestamp(answer.created_s, UTC).isoformat().replace("+00:00", "Z")
    return {"model": answer.model, "created_at": created, "message": message}


def _calls(answer: Answer) -> list[dict[str, Any]]:
    if answer.call is None:
        return []
    return [{"function": {"name": answer.call.name, "arguments": dict(answer.call.arguments)}}]


def _end(answer: Answer) -> dict[str, Any]:
    prompt_ns, answer_ns = answer.prompt_tokens * _NS_PER_TOKEN, answer.completion_tokens * _NS_PER_TOKEN
    return {
        "done": True,
        "done_reason": "length" if answer.finish == "length" else "stop",
        "total_duration": prompt_ns + answer_ns,
        "load_duration": 0,
        "prompt_eval_count": answer.prompt_tokens,
        "prompt_eval_duration": prompt_ns,
        "eval_count": answer.completion_tokens,
        "eval_duration": answer_ns,
    }


def error(fail: Fail, asked: Asked, *, window: int) -> ErrorReply:
    """`{"error": "text"}`."""
    status, message = _ERRORS.get(kind_of(fail), _ERRORS["server"])
    text = fail.message or message.format(model=asked.model, tokens=tokens_in(asked.chars), window=window)
    headers = {} if fail.retry_after_s is None else {"Retry-After": f"{fail.retry_after_s:g}"}
    return ErrorReply(fail.status or status, {"error": text}, headers)


def stream_error(error: ErrorReply) -> bytes:
    """A line that is an error, after which nothing comes."""
    return _line(error.body)


def embeddings(asked: Asked, vectors: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Vectors, or the one vector of the old path."""
    rows = [list(vector) for vector in vectors]
    if asked.form == _OLD:
        return {"embedding": rows[0]}
    count = tokens_in(asked.chars)
    return {
        "model": asked.model,
        "embeddings": rows,
        "total_duration": count * _NS_PER_TOKEN,
        "prompt_eval_count": count,
    }


def models(models: Iterable[EmulatedModel]) -> dict[str, Any]:
    """What has been pulled."""
    return {"models": [_tag(model) for model in models]}


def _tag(model: EmulatedModel) -> dict[str, Any]:
    details = {"format": "gguf", "family": "emulated", "parameter_size": "7.6B", "quantization_level": "Q4_K_M"}
    when = "2026-01-01T00:00:00Z"
    return {"name": model.name, "model": model.name, "modified_at": when, "size": 4_683_075_271, "details": details}


def model(model: EmulatedModel) -> dict[str, Any]:
    """What `/api/show` says: the window among the model's facts."""
    facts = {"general.architecture": "emulated", "emulated.context_length": model.context_window}
    details = {"format": "gguf", "family": "emulated"}
    return {"details": details, "model_info": facts, "capabilities": ["completion", "tools", "embedding"]}


def pulled(model: EmulatedModel) -> Frames:
    """The steps of a download, the last one its success."""
    total = model.download_bytes
    steps: list[dict[str, Any]] = [{"status": "pulling manifest"}]
    for part in range(_PARTS + 1):
        layer = {"status": f"pulling {_DIGEST}", "digest": f"sha256:{_DIGEST * 4}", "total": total}
        steps.append(layer | ({"completed": total * part // _PARTS} if part else {}))
    steps += [{"status": "verifying sha256 digest"}, {"status": "writing manifest"}]
    return Frames(b"", [_line(step) for step in steps], _line({"status": "success"}), "application/x-ndjson")


def not_in_library() -> Frames:
    """What comes of a name that nobody has published: a 200, and then an error."""
    text = "pull model manifest: file does not exist"
    lines = [_line({"status": "pulling manifest"}), _line({"error": text})]
    return Frames(b"", lines, b"", "application/x-ndjson")


def limit_headers(limits: Limits, now_s: float) -> dict[str, str]:  # noqa: ARG001 - Ollama tells nothing
    """None."""
    return {}


def _line(payload: Mapping[str, Any]) -> bytes:
    return dumps(payload) + b"\n"
