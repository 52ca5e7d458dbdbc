"""What is said, in Pydantic AI's words and in ours: turns of a conversation one way, parts of an answer the other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from orchestrator.adapters.engine import call_id
from orchestrator.adapters.extras import extra
from orchestrator.core.messages import ChatResponse, Image, Message, ToolCall, UsageStats

with extra("pydantic-ai"):
    from pydantic_ai import messages as theirs
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.usage import RequestUsage

__all__ = ["parts_of", "turns_of", "usage_of"]


def turns_of(message: Any) -> list[Message]:
    """One message of theirs as turns of ours; what another model has thought to itself stays behind."""
    if isinstance(message, theirs.ModelResponse):
        text = "".join(part.content for part in message.parts if isinstance(part, theirs.TextPart))
        calls = [part for part in message.parts if isinstance(part, theirs.ToolCallPart)]
        read = tuple(ToolCall.read(call.tool_name, call.args, call.tool_call_id) for call in calls)
        return [Message("assistant", text, read)] if text or read else []
    return [turn for part in message.parts for turn in _turns_of_part(part)]


def _turns_of_part(part: Any) -> list[Message]:
    if isinstance(part, theirs.SystemPromptPart):
        return [Message("system", part.content)]
    if isinstance(part, theirs.UserPromptPart):
        return [Message("user", _content(part.content))]
    if isinstance(part, theirs.ToolReturnPart):
        text, files = part.model_response_str_and_user_content()
        turn = Message("tool", text, tool_call_id=part.tool_call_id, name=part.tool_name)
        return [turn, Message("user", _content(files))] if files else [turn]
    if isinstance(part, theirs.RetryPromptPart):
        if part.tool_name is None:
            return [Message("user", part.model_response())]
        return [Message("tool", part.model_response(), tool_call_id=part.tool_call_id, name=part.tool_name)]
    raise UserError(f"{type(part).__name__} has no counterpart in the engine: leave it out of the history")


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return tuple(shown for piece in content if (shown := _piece(piece)) is not None)


def _piece(piece: Any) -> str | Image | None:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, theirs.ImageUrl):
        return Image.of(piece.url)
    if isinstance(piece, theirs.BinaryContent) and piece.is_image:
        return Image(data=piece.data, media_type=piece.media_type)
    if isinstance(piece, theirs.CachePoint):
        return None
    if isinstance(text := getattr(piece, "content", None), str):
        return text
    raise UserError(f"the engine takes text and images, not {type(piece).__name__}")


def parts_of(answer: ChatResponse) -> list[Any]:
    """Thought, text and calls of an answer, in this order."""
    thought = [theirs.ThinkingPart(answer.reasoning)] if answer.reasoning else []
    said = [theirs.TextPart(answer.text)] if answer.text else []
    called = [
        theirs.ToolCallPart(call.name, call.arguments, tool_call_id=call_id(call, at))
        for at, call in enumerate(answer.tool_calls)
    ]
    return [*thought, *said, *called]


def usage_of(usage: UsageStats) -> RequestUsage:
    """Tokens and USD; a price that is not known stays None, tokens that are not known count as 0 over there."""
    return RequestUsage(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        cache_read_tokens=usage.cache_read_tokens or 0,
        cache_write_tokens=usage.cache_write_tokens or 0,
        output_reasoning_tokens=usage.reasoning_tokens or 0,
        cost=None if usage.cost_usd is None else Decimal(str(usage.cost_usd)),
    )
