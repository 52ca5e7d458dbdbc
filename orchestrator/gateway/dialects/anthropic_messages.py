"""Anthropic Messages, as its clients send and read them (api reference: /v1/messages)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.dialects.messages_body import blocks_of, error_body, message_head, stop_of, usage_of
from orchestrator.gateway.dialects.messages_stream import MessagesWriter
from orchestrator.gateway.dialects.messages_thinking import thinking_wish
from orchestrator.gateway.dialects.messages_turns import text_of, turns_of
from orchestrator.gateway.dialects.messages_wishes import form_wish, marks_wish, tool_wish
from orchestrator.gateway.members import (
    COUNT,
    FLAG,
    MODEL,
    NUMBER,
    OBJECT,
    OBJECTS,
    WHOLE,
    Kind,
    checked,
    required,
)
from orchestrator.gateway.refusals import Refusal, RefusedError

__all__ = ["ID", "error", "read", "read_prompt", "reply", "writer"]

ID = "msg_"
_PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k")
_AT_ANTHROPIC = frozenset({"container", "mcp_servers"})
_LIST_OF_TEXTS = Kind("a list of texts", lambda v: isinstance(v, list) and all(isinstance(one, str) for one in v))
_KINDS = {
    "stream": FLAG,
    "max_tokens": COUNT,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "top_k": WHOLE,
    "stop_sequences": _LIST_OF_TEXTS,
    "tools": OBJECTS,
    "tool_choice": OBJECT,
    "metadata": OBJECT,
    "output_config": OBJECT,
    "cache_control": OBJECT,
}


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked; service tiers are Anthropic's own and are not passed on."""
    asked = read_prompt(body)
    required(body, "max_tokens", (int, float), words=COUNT.words)
    return asked


def read_prompt(body: Mapping[str, Any]) -> Asked:
    """The same without the bound on the answer, as for counting its tokens."""
    checked(body, _KINDS)
    for name in _AT_ANTHROPIC & body.keys():
        if body[name]:
            why = f"{name!r} is kept and run by Anthropic and is not served: give the tools with their 'input_schema'"
            raise RefusedError(400, "invalid_request", why, param=name)
    turns = required(body, "messages", list, words="a list of messages with 'role' and 'content'")
    messages = [turn for spec in turns for turn in turns_of(spec)]
    params: dict[str, Any] = {name: body[name] for name in _PARAMETERS if body.get(name) is not None}
    if body.get("stop_sequences"):
        params["stop"] = body["stop_sequences"]
    if body.get("system"):
        params["system"] = text_of(body["system"], "'system'")
    thinking = thinking_wish(body)
    tools = tool_wish(body)
    if thinking and tools:
        params["cache"] = False  # a remembered thought has lost its seal, without which no tool's result is taken
    return Asked(
        model=required(body, "model", str, words=MODEL),
        prompt=messages,
        params=params | tools | thinking | form_wish(body) | marks_wish(body),
        stream=bool(body.get("stream")),
        needs=("reasoning",) if thinking else (),
    )


def reply(asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:  # noqa: ARG001 - the protocol's signature
    """A message."""
    answer = answers[0]
    return message_head(answer.id, answer.model_id) | {
        "content": blocks_of(answer),
        "stop_reason": stop_of(answer.finish_reason),
        "usage": usage_of(answer.usage),
    }


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of a failure."""
    return error_body(refusal)


def writer(asked: Asked, answer_id: str, created_s: int) -> MessagesWriter:  # noqa: ARG001 - the protocol's signature
    """The answer in pieces."""
    return MessagesWriter(answer_id)
