"""Every provider's word for why an answer ended, on one scale."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.core.messages import FinishReason, ToolCall

__all__ = ["finish_reason"]

_WORDS: dict[FinishReason, str] = {
    "stop": "stop eos eos_token end_turn stop_sequence completed load unload",
    "length": "length model_length max_tokens model_context_window_exceeded max_output_tokens",
    "tool_calls": "tool_calls function_call tool_use",
    "content_filter": "content_filter refusal safety recitation blocklist prohibited_content spii image_safety "
    "image_prohibited_content image_recitation model_armor jailbreak",
    "paused": "pause_turn in_progress queued",
    "error": "error failed cancelled malformed_function_call unexpected_tool_call too_many_tool_calls other "
    "insufficient_system_resource abort",
}
_SCALE: dict[str, FinishReason] = {word: reason for reason, words in _WORDS.items() for word in words.split()}


def finish_reason(
    raw: str | None, *, calls: Sequence[ToolCall] = (), text: str = "", refusal: str = ""
) -> FinishReason:
    """The reason on our scale; whether tools are called is decided by the calls, not by the word.

    >>> finish_reason("end_turn"), finish_reason("MAX_TOKENS"), finish_reason("STOP", calls=[ToolCall("f", {})])
    ('stop', 'length', 'tool_calls')
    >>> finish_reason("brand_new_word", text="Hello"), finish_reason("brand_new_word")
    ('stop', 'error')
    """
    if refusal:
        return "content_filter"
    known = _SCALE.get(raw.lower()) if raw is not None else "stop"
    if known in ("stop", "tool_calls", None) and calls:
        return "tool_calls"
    if known == "tool_calls":
        return "stop"
    return known or ("stop" if text else "error")
