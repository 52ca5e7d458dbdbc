"""OpenAI Chat Completions, as its clients send and read them (api reference: /v1/chat/completions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse, Chunk, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.answering import total_usage
from orchestrator.gateway.asking import EXTENSION, Asked
from orchestrator.gateway.dialects.openai_parameters import CHAT, MOST_CHOICES, passed_on, read_options
from orchestrator.gateway.frames import DONE, event
from orchestrator.gateway.members import MODEL, OBJECTS, checked, count, required
from orchestrator.gateway.refusals import Refusal, RefusedError

__all__ = ["ID", "error", "finish_of", "logprobs_of", "read", "reply", "usage_of", "writer"]

ID = "chatcmpl-"

_MESSAGES = frozenset({"messages"})
_BEFORE_TOOLS = frozenset({"functions", "function_call"})
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
    checked(body, CHAT)
    messages = required(body, "messages", list, words="a list of messages with 'role' and 'content'")
    if not OBJECTS.fits(messages) or not all("role" in turn for turn in messages):
        why = "each of 'messages' is an object with 'role' and 'content'"
        raise RefusedError(400, "invalid_request", why, param="messages")
    for name in _BEFORE_TOOLS & body.keys():
        why = f"{name!r} is not served any more: give 'tools' and 'tool_choice'"
        raise RefusedError(400, "invalid_request", why, param=name)
    params = passed_on(body, but=_MESSAGES)
    if "max_completion_tokens" in params:
        params["max_tokens"] = params.pop("max_completion_tokens")
    if params.get("logprobs"):
        params["cache"] = False  # a remembered answer has none
    return Asked(
        model=required(body, "model", str, words=MODEL),
        prompt=messages,
        params=params,
        stream=bool(body.get("stream")),
        choices=count(body, "n", default=1, most=MOST_CHOICES),
        with_usage=read_options(body.get("stream_options")),
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
    finish = finish_of(answer.finish_reason)
    return {"index": number, "message": message, "logprobs": logprobs_of(answer.raw), "finish_reason": finish}


def logprobs_of(raw: Any) -> Any:
    """The likelihoods of the tokens, from a provider that speaks this dialect; others tell none."""
    choices = raw.get("choices") if isinstance(raw, dict) else None
    return choices[0].get("logprobs") if choices else None


def finish_of(reason: str) -> str:
    """Why it ended, in one of this dialect's words."""
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
    code = refusal.code or refusal.kind
    return {"error": {"message": refusal.message, "type": kind, "param": refusal.param, "code": code}}


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
            return self._frame(choice, delta, None, chunk.logprobs) if delta or chunk.logprobs else b""
        return self._last(choice, chunk, delta)

    def _last(self, choice: int, chunk: Chunk, delta: dict[str, Any]) -> bytes:
        assert chunk.finish_reason is not None
        if chunk.usage is not None:
            self._usage += chunk.usage
        spoken = self._frame(choice, delta, None, chunk.logprobs) if delta or chunk.logprobs else b""
        return spoken + self._frame(choice, {}, finish_of(chunk.finish_reason))

    def _frame(self, choice: int, delta: dict[str, Any], finish: str | None, logprobs: Any = None) -> bytes:
        choices = [{"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]
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
