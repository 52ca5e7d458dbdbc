"""Anthropic's message as a whole: its head, its blocks, why it stopped, what it took, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.core.messages import ChatResponse, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.refusals import Refusal

__all__ = ["blocks_of", "error_body", "message_head", "stop_of", "usage_of", "use_block"]

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


def message_head(answer_id: str, model: str | None) -> dict[str, Any]:
    """A message that has said nothing yet."""
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


def blocks_of(answer: ChatResponse) -> list[dict[str, Any]]:
    """Thoughts, text and calls of tools, in this order."""
    text = [{"type": "text", "text": answer.text}] if answer.text else []
    return [*_thoughts_of(answer), *text, *(use_block(call, at) for at, call in enumerate(answer.tool_calls))]


def _thoughts_of(answer: ChatResponse) -> list[dict[str, Any]]:
    """As Anthropic gave them, with its seal; those of others have none, and none of theirs is ever sent back."""
    said = answer.raw.get("content") if isinstance(answer.raw, Mapping) else None
    blocks = said if isinstance(said, list) else []
    given = [one for one in blocks if isinstance(one, dict) and one.get("type") in ("thinking", "redacted_thinking")]
    if given or not answer.reasoning:
        return given
    return [{"type": "thinking", "thinking": answer.reasoning, "signature": ""}]


def use_block(call: ToolCall, place: int) -> dict[str, Any]:
    """The call of a tool."""
    given = call.arguments if isinstance(call.arguments, dict) else {}
    return {"type": "tool_use", "id": call.id or f"toolu_{place}", "name": call.name, "input": given}


def stop_of(finish_reason: str) -> str:
    """Why it stopped, in Anthropic's word."""
    return _STOPS.get(finish_reason, "end_turn")


def usage_of(usage: UsageStats) -> dict[str, int]:
    """What it took; what is not known is told as 0, which the clients insist on."""
    return {
        "input_tokens": usage.input_tokens or 0,
        "output_tokens": usage.completion_tokens or 0,
        "cache_read_input_tokens": usage.cache_read_tokens or 0,
        "cache_creation_input_tokens": usage.cache_write_tokens or 0,
    }


def error_body(refusal: Refusal) -> dict[str, Any]:
    """The body of a failure."""
    kind = _KINDS.get(refusal.kind, "api_error")
    return {"type": "error", "error": {"type": kind, "message": refusal.message}}
