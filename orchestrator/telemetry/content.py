"""What was said, in the conventions' form; told only where somebody has asked for it."""

from __future__ import annotations

from typing import Any

from orchestrator.core.messages import ChatResponse, Message, Request, ToolCall
from orchestrator.integrations.strict_json import dumps
from orchestrator.telemetry.facts import Attributes

__all__ = ["of_answer", "of_request"]


def of_request(request: Request) -> Attributes:
    """The turns, system instructions apart; of a picture only that there is one."""
    system = [_text(turn.text) for turn in request.messages if turn.role == "system"]
    turns = [_turn(turn) for turn in request.messages if turn.role != "system"]
    facts: Attributes = {"gen_ai.input.messages": _written(turns)}
    if system:
        facts["gen_ai.system_instructions"] = _written(system)
    if request.tools:
        named = [{"type": "function", "name": tool.name, "description": tool.description} for tool in request.tools]
        facts["gen_ai.tool.definitions"] = _written(named)
    return facts


def of_answer(response: ChatResponse) -> Attributes:
    """The one message that came back."""
    parts = [*([_text(response.text)] if response.text else []), *map(_call, response.tool_calls)]
    said = {"role": "assistant", "parts": parts, "finish_reason": response.finish_reason}
    return {"gen_ai.output.messages": _written([said])}


def _turn(turn: Message) -> dict[str, Any]:
    if turn.role == "tool":
        return {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": turn.tool_call_id, "response": turn.text}],
        }
    parts = [_text(turn.text)] if turn.text else []
    parts += [{"type": "blob", "modality": "image"} for _ in turn.images]
    return {"role": turn.role, "parts": [*parts, *map(_call, turn.tool_calls)]}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}


def _written(value: Any) -> str:
    return dumps(value).decode()
