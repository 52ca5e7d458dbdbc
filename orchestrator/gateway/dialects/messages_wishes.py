"""Anthropic's wishes beside the prompt, in the words that others have: tools, the form of the answer, what to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.gateway.members import FLAG, OBJECT, checked, required
from orchestrator.gateway.refusals import RefusedError
from orchestrator.integrations.dialects.prompt_marks import MARKS

__all__ = ["form_wish", "marks_wish", "tool_wish"]

_CHOICES = ("auto", "any", "tool", "none")


def tool_wish(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters for tools and for which of them is to be called, one by one or several at once.

    >>> tool = {"name": "now", "input_schema": {"type": "object"}}
    >>> tool_wish({"tools": [tool], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}})["tool_choice"]
    'any'
    """
    tools = body.get("tools")
    if not tools:
        return {}
    for tool in tools:
        if tool.get("type") not in (None, "custom"):
            why = f"tools of type {str(tool['type'])[:40]!r} run on a server and are not served: give 'input_schema'"
            raise RefusedError(400, "invalid_request", why, param="tools")
    choice = body.get("tool_choice") or {}
    checked(choice, {"disable_parallel_tool_use": FLAG}, of="'tool_choice'")
    parallel = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    return {"tools": tools, "tool_choice": _chosen(choice) if choice else None, **parallel}


def _chosen(choice: Mapping[str, Any]) -> str:
    kind = choice.get("type")
    if kind not in _CHOICES:
        why = f"tool_choice.type={kind!r:.40}: give one of {', '.join(map(repr, _CHOICES))}"
        raise RefusedError(400, "invalid_request", why, param="tool_choice")
    return str(
        required(choice, "name", str, words="the name of a tool", of="'tool_choice'") if kind == "tool" else kind
    )


def form_wish(body: Mapping[str, Any]) -> dict[str, Any]:
    """The form that the answer shall have: `output_config.format`, of which there is one.

    >>> form_wish({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}})
    {'response_format': {'type': 'json_schema', 'json_schema': {'name': 'answer', 'schema': {'type': 'object'}}}}
    """
    form = (body.get("output_config") or {}).get("format")
    if form is None:
        return {}
    if not OBJECT.fits(form) or form.get("type") != "json_schema" or not OBJECT.fits(form.get("schema")):
        why = "output_config.format has the type 'json_schema' and a 'schema'"
        raise RefusedError(400, "invalid_request", why, param="output_config")
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": form["schema"]}}}


def marks_wish(body: Mapping[str, Any]) -> dict[str, Any]:
    """Up to where Anthropic shall remember the prompt: the `cache_control` with which a part of it ends.

    One further in is let fall, for here the blocks of a turn are one text. It cannot stand at the end instead: what
    varies from call to call would be written each time, at a price, and never be found.

    >>> kept = {"type": "text", "text": "a handbook", "cache_control": {"type": "ephemeral"}}
    >>> turn = {"role": "user", "content": [kept, {"type": "text", "text": "Hi"}]}
    >>> marks_wish({"system": [kept], "messages": [turn]})
    {'cache_marks': {'system': {'type': 'ephemeral'}}}
    """
    parts = {"tools": body.get("tools"), "system": body.get("system"), "messages": body["messages"][-1].get("content")}
    marks = {part: sign for part, content in parts.items() if (sign := _mark_at_end(content)) is not None}
    whole = body.get("cache_control")
    return {MARKS: marks if whole is None else {"messages": whole} | marks} if marks or whole is not None else {}


def _mark_at_end(content: Any) -> Any:
    return content[-1].get("cache_control") if content and isinstance(content, list) else None
