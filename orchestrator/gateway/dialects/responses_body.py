"""The object that OpenAI's Responses clients read: the answer as a list of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.gateway.asking import Asked

__all__ = ["Likelihoods", "body_of", "call_item", "head_of", "items_of", "likelihoods_in", "message_item"]

Likelihoods = Sequence[Mapping[str, Any]]
"""One entry a token; chat and Responses tell them alike."""


def head_of(asked: Asked, answer_id: str, created_s: int, model: str | None) -> dict[str, Any]:
    """What is known before the first word."""
    params = asked.params
    return {
        "id": answer_id,
        "object": "response",
        "created_at": created_s,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": params.get("system"),
        "max_output_tokens": params.get("max_tokens"),
        "metadata": {},
        "model": model,
        "output": [],
        "parallel_tool_calls": bool(params.get("parallel_tool_calls", True)),
        "previous_response_id": None,
        "store": False,
        "temperature": params.get("temperature"),
        "text": {"format": {"type": "text"}},
        "tool_choice": params.get("tool_choice") or "auto",
        "tools": list(params.get("tools") or ()),
        "top_p": params.get("top_p"),
        "truncation": "disabled",
        "usage": None,
    }


def body_of(
    asked: Asked, answer: ChatResponse, answer_id: str, created_s: int, likelihoods: Likelihoods = ()
) -> dict[str, Any]:
    """The whole response."""
    cut = answer.finish_reason in ("length", "content_filter")
    reason = "max_output_tokens" if answer.finish_reason == "length" else "content_filter"
    return head_of(asked, answer_id, created_s, answer.model_id) | {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": reason} if cut else None,
        "output": items_of(answer, answer_id, likelihoods),
        "usage": _usage_of(answer.usage),
    }


def items_of(answer: ChatResponse, answer_id: str, likelihoods: Likelihoods = ()) -> list[dict[str, Any]]:
    """The message, if there is one, and every call."""
    said = answer.text or answer.refusal or not answer.tool_calls
    items = [message_item(answer_id, answer.text, answer.refusal, likelihoods)] if said else []
    return items + [call_item(answer_id, call, at) for at, call in enumerate(answer.tool_calls)]


def message_item(answer_id: str, text: str, refusal: str = "", likelihoods: Likelihoods = ()) -> dict[str, Any]:
    """A finished message."""
    content = {"type": "refusal", "refusal": refusal} if refusal else text_part(text, likelihoods)
    status = {"id": f"msg_{answer_id}", "type": "message", "status": "completed", "role": "assistant"}
    return {**status, "content": [content]}


def likelihoods_in(told: Mapping[str, Any] | None) -> Likelihoods:
    """Those that chat's form tells, if there are any."""
    content = told.get("content") if told else None
    return content if isinstance(content, list) else ()


def text_part(text: str, likelihoods: Likelihoods = ()) -> dict[str, Any]:
    """A text within a message, with the likelihoods of its tokens where they were asked for."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": list(likelihoods)}


def call_item(answer_id: str, call: ToolCall, place: int) -> dict[str, Any]:
    """A finished call of a function."""
    return {
        "id": f"fc_{answer_id}_{place}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id or f"call_{place}",
        "name": call.name,
        "arguments": call.arguments_json,
    }


def _usage_of(usage: UsageStats) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens or 0,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens or 0},
        "output_tokens": usage.completion_tokens or 0,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.total_tokens or 0,
    }
