"""What a request wishes for, in the forms that several dialects need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from orchestrator.core.messages import Message, Request
from orchestrator.errors import InvalidRequestError
from orchestrator.integrations.dialects.prompt_marks import MARKS

__all__ = ["renamed", "system_text", "tool_wish", "turns"]

ToolMode = Literal["auto", "none", "required", "tool"]
_MODES: dict[str, ToolMode] = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def tool_wish(choice: Any) -> tuple[ToolMode, str | None] | None:
    """A tool choice in any of the forms in use, as a mode and, for one certain tool, its name.

    >>> tool_wish("any"), tool_wish({"type": "function", "function": {"name": "f"}}), tool_wish("f"), tool_wish(None)
    (('required', None), ('tool', 'f'), ('tool', 'f'), None)
    """
    if choice is None:
        return None
    if isinstance(choice, str):
        return (_MODES[choice], None) if choice in _MODES else ("tool", choice)
    if isinstance(choice, Mapping):
        inner = choice.get("function", choice)
        name = inner.get("name") if isinstance(inner, Mapping) else None
        if isinstance(name, str):
            return "tool", name
        kind = choice.get("type")
        if isinstance(kind, str) and kind in _MODES:
            return _MODES[kind], None
    raise InvalidRequestError("tool_choice is 'auto', 'none', 'required' or the name of a tool")


def renamed(params: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The parameters under a provider's names; what has no other name goes as it is, None not at all.

    `thinking` beside `reasoning_effort` says the same to Anthropic, and is left out; so are marks on the prompt.

    >>> renamed({"stop": "x", "reasoning_effort": "low", "thinking": {"type": "adaptive"}}, {"stop": "stop_sequences"})
    {'stop_sequences': 'x', 'reasoning_effort': 'low'}
    """
    if "thinking" in params and "reasoning_effort" in params:
        params = {name: value for name, value in params.items() if name != "thinking"}
    found = {names.get(name, name): value for name, value in params.items() if value is not None}
    found.pop(MARKS, None)
    for name, value in found.items():
        if type(value) is float and not math.isfinite(value):
            raise InvalidRequestError(f"{name}={value!r} is no number a provider takes")
    return found


def system_text(request: Request) -> str:
    """All the system turns as one text."""
    return "\n\n".join(message.text for message in request.messages if message.role == "system")


def turns(request: Request) -> list[Message]:
    """The turns that are no system turns."""
    return [message for message in request.messages if message.role != "system"]


def as_list(value: Any) -> list[Any]:
    """One or many, as many."""
    return [value] if isinstance(value, str) else list(value)
