"""OpenAI Chat Completions, as its clients send and read them (api reference: /v1/chat/completions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse, Chunk, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.answering import total_usage
from orchestrator.gateway.asking import EXTENSION, Asked
from orchestrator.gateway.dialects.dialect import count, required
from orchestrator.gateway.frames import DONE, event
from orchestrator.gateway.refusals import Refusal, RefusedError

__all__ = ["ID", "MOST_CHOICES", "error", "read", "reply", "usage_of", "writer"]

ID = "chatcmpl-"
MOST_CHOICES = 8

# members that are no parameters of a model: read here, or said to OpenAI's own platform alone
_NOT_PARAMETERS = frozenset(
    {"model", "messages", "stream", "stream_options", "n", "store", "metadata", "service_tier", "user", EXTENSION}
    | {"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "functions", "function_call"}
)
# names the engine uses itself: they are said in the extension, so that no body can set them unseen
_RESERVED = frozenset({"tenant", "system", "cache", "cache_tags", "deadline_s", "max_attempts", "prompt"})
_KINDS = {
    "authentication": "authentication_error",
    "permission": "permission_error",
    "rate_limit": "rate_limit_error",
    "budget": "insufficient_quota",
    "not_found": "invalid_request_error",
    "invalid_request": "invalid_request_error",
    "context_length": "invalid_request_error",
    "content_filter": "invalid_request_error",
    "too_large": "invalid_request_error",
}
_FINISH = {"paused": "stop", "error": "stop"}


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked: messages, tools, sampling parameters by their common names."""
    messages = required(body, "messages", list, words="a list of messages with 'role' and 'content'")
    if not all(isinstance(turn, Mapping) and "role" in turn for turn in messages):
        raise RefusedError(400, "invalid_request", "each of 'messages' is an object with 'role' and 'content'")
    for name in _RESERVED & body.keys():
        raise RefusedError(400, "invalid_request", f"{name!r} is said to the engine: put it into {EXTENSION!r}")
    params = {name: value for name, value in body.items() if name not in _NOT_PARAMETERS and value is not None}
    if "max_completion_tokens" in params:
        params["max_tokens"] = params.pop("max_completion_tokens")
    if params.get("logprobs"):
        params["cache"] = False  # a remembered answer has none
    options = body.get("stream_options") or {}
    return Asked(
        model=required(body, "model", str, words="the id of a model, a profile's name or 'auto'"),
        prompt=messages,
        params=params,
        stream=bool(body.get("stream")),
        choices=count(body, "n", default=1, most=MOST_CHOICES),
        with_usage=isinstance(options, Mapping) and bool(options.get("include_usage")),
    )


def reply(asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:  # noqa: ARG001 - the protocol's signature
    """A chat completion with one choice an answer."""
    return {
        "id": answers[0].id,
        "object": "chat.completion",
        "created": created_s,
        "model": answers[0].model_id,
        "choices": [_choice(number, answer) for number, answer in enumerate(answers)],
        "usage": usage_of(total_usage(answers)),
    }


def _choice(number: int, answer: ChatResponse) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": answer.refusal or None}
    if not answer.tool_calls and not answer.refusal:
        message["content"] = answer.text
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [_call(call, place) for place, call in enumerate(answer.tool_calls)]
    finish = _finish(answer.finish_reason)
    return {"index": number, "message": message, "logprobs": _logprobs(answer.raw), "finish_reason": finish}


def _logprobs(raw: Any) -> Any:
    """The likelihoods of the tokens, from a provider that speaks this dialect; others tell none."""
    choices = raw.get("choices") if isinstance(raw, dict) else None
    return choices[0].get("logprobs") if choices else None


def _finish(reason: str) -> str:
    return _FINISH.get(reason, reason)


def _call(call: ToolCall, place: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments_json}
    return {"id": call.id or f"call_{place}", "type": "function", "function": function}


def usage_of(usage: UsageStats) -> dict[str, Any]:
    """Token counts as this dialect tells them; what nobody counted is told as 0, for its clients know no null."""
    told: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens or 0,
        "completion_tokens": usage.completion_tokens or 0,
        "total_tokens": usage.total_tokens or 0,
    }
    if usage.cache_read_tokens is not None:
        told["prompt_tokens_details"] = {"cached_tokens": usage.cache_read_tokens}
    if usage.reasoning_tokens is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return told


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of a failure."""
    kind = _KINDS.get(refusal.kind, "server_error")
    return {"error": {"message": refusal.message, "type": kind, "param": None, "code": refusal.code or refusal.kind}}


class _Writer:
    """Chunks as server-sent events; the role opens each choice, usage comes last if it was asked for."""

    def __init__(self, asked: Asked, answer_id: str, created_s: int) -> None:
        self._asked = asked
        self._head = {"id": answer_id, "object": "chat.completion.chunk", "created": created_s}
        self._model: str | None = None
        self._begun: set[int] = set()
        self._usage = UsageStats()

    def piece(self, choice: int, chunk: Chunk) -> bytes:
        """The frame for one piece."""
        self._model = chunk.model_id or self._model
        delta: dict[str, Any] = {}
        if choice not in self._begun:
            self._begun.add(choice)
            delta = {"role": "assistant", "content": ""}
        if chunk.text:
            delta["content"] = chunk.text
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if chunk.refusal:
            delta["refusal"] = chunk.refusal
        if chunk.tool_calls:
            delta["tool_calls"] = [{"index": at, **_call(call, at)} for at, call in enumerate(chunk.tool_calls)]
        if chunk.finish_reason is None:
            return self._frame(choice, delta, None) if delta else b""
        return self._last(choice, chunk, delta)

    def _last(self, choice: int, chunk: Chunk, delta: dict[str, Any]) -> bytes:
        assert chunk.finish_reason is not None
        if chunk.usage is not None:
            self._usage += chunk.usage
        spoken = self._frame(choice, delta, None) if delta else b""
        return spoken + self._frame(choice, {}, _finish(chunk.finish_reason))

    def _frame(self, choice: int, delta: dict[str, Any], finish: str | None) -> bytes:
        choices = [{"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return event({**self._head, "model": self._model, "choices": choices})

    def end(self, facts: Mapping[str, Any]) -> bytes:
        """Usage, if it was asked for, with the facts; and the end marker."""
        if not self._asked.with_usage:
            return DONE
        told = {"choices": [], "usage": usage_of(self._usage), EXTENSION: facts}
        return event({**self._head, "model": self._model, **told}) + DONE

    def error(self, refusal: Refusal) -> bytes:
        """The failure as an event of its own; no end marker follows, for this is no end."""
        return event(error(refusal))


def writer(asked: Asked, answer_id: str, created_s: int) -> _Writer:
    """The answer in pieces."""
    return _Writer(asked, answer_id, created_s)
