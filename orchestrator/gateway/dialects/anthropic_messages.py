"""Anthropic Messages, as its clients send and read them (api reference: /v1/messages)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.dialects.dialect import required
from orchestrator.gateway.dialects.messages_body import blocks_of, error_body, message_head, stop_of, usage_of
from orchestrator.gateway.dialects.messages_stream import MessagesWriter
from orchestrator.gateway.dialects.messages_thinking import thinking_wish
from orchestrator.gateway.dialects.messages_turns import text_of, turns_of
from orchestrator.gateway.refusals import Refusal

__all__ = ["ID", "error", "read", "read_prompt", "reply", "writer"]

ID = "msg_"
_PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k")


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked; service tiers are Anthropic's own and are not passed on."""
    required(body, "max_tokens", int, words="a whole number above 0")
    return read_prompt(body)


def read_prompt(body: Mapping[str, Any]) -> Asked:
    """The same without the bound on the answer, as for counting its tokens."""
    turns = required(body, "messages", list, words="a list of messages with 'role' and 'content'")
    messages = [turn for spec in turns for turn in turns_of(spec)]
    params: dict[str, Any] = {name: body[name] for name in _PARAMETERS if body.get(name) is not None}
    if body.get("stop_sequences"):
        params["stop"] = body["stop_sequences"]
    if body.get("system"):
        params["system"] = text_of(body["system"])
    if body.get("tools"):
        params["tools"] = body["tools"]
        params["tool_choice"] = _wish(body.get("tool_choice"))
    thinking = thinking_wish(body)
    return Asked(
        model=required(body, "model", str, words="the id of a model, a profile's name or 'auto'"),
        prompt=messages,
        params=params | thinking,
        stream=bool(body.get("stream")),
        needs=("reasoning",) if thinking else (),
    )


def _wish(choice: Any) -> Any:
    if not isinstance(choice, Mapping):
        return None
    return choice.get("name") if choice.get("type") == "tool" else choice.get("type")


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
