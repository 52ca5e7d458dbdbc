"""OpenAI Responses, as its clients send and read them (api reference: /v1/responses); no answer is kept here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse, Message, ToolCall
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.dialects import openai_chat
from orchestrator.gateway.dialects.dialect import required
from orchestrator.gateway.dialects.responses_body import body_of
from orchestrator.gateway.dialects.responses_stream import ResponsesWriter
from orchestrator.gateway.refusals import RefusedError

__all__ = ["ID", "error", "read", "reply", "writer"]

error = openai_chat.error
ID = "resp_"
_PARAMETERS = ("temperature", "top_p", "parallel_tool_calls", "top_logprobs")
_TURNS = ("user", "assistant", "system", "developer")


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked; conversations kept on a server (`previous_response_id`, `conversation`) are refused."""
    for name in ("previous_response_id", "conversation"):
        if body.get(name) is not None:
            raise RefusedError(400, "invalid_request", f"{name!r} is not served: no answer is kept; send all turns")
    params: dict[str, Any] = {name: body[name] for name in _PARAMETERS if body.get(name) is not None}
    if body.get("max_output_tokens") is not None:
        params["max_tokens"] = body["max_output_tokens"]
    if body.get("instructions"):
        params["system"] = body["instructions"]
    params.update(_tools(body))
    if (form := _form(body.get("text"))) is not None:
        params["response_format"] = form
    if isinstance(effort := body.get("reasoning"), Mapping) and effort.get("effort"):
        params["reasoning_effort"] = effort["effort"]
    return Asked(
        model=required(body, "model", str, words="the id of a model, a profile's name or 'auto'"),
        prompt=_turns(required(body, "input", (str, list), words="a text or a list of items")),
        params=params,
        stream=bool(body.get("stream")),
    )


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    tools = body.get("tools")
    if not tools:
        return {}
    for tool in tools:
        if not isinstance(tool, Mapping) or tool.get("type") != "function":
            raise RefusedError(400, "invalid_request", "tools that run on a server are not served: give functions")
    return {"tools": tools, "tool_choice": body.get("tool_choice")}


def _form(text: Any) -> Any:
    """The form of the answer, in chat's words."""
    form = text.get("format") if isinstance(text, Mapping) else None
    if not isinstance(form, Mapping) or form.get("type") in (None, "text"):
        return None
    if form.get("type") != "json_schema":
        return form
    return {"type": "json_schema", "json_schema": {name: form.get(name) for name in ("name", "schema", "strict")}}


def _turns(given: Any) -> Any:
    if isinstance(given, str):
        return given
    turns: list[Message] = []
    for item in given:
        if not isinstance(item, Mapping):
            raise RefusedError(400, "invalid_request", "an item of 'input' is an object")
        _take(turns, item)
    return turns


def _take(turns: list[Message], item: Mapping[str, Any]) -> None:
    """One item more; calls that follow each other are one turn, as every other dialect has it."""
    kind = item.get("type") or "message"
    if kind == "message" and item.get("role") in _TURNS:
        turns.append(Message.of({"role": item["role"], "content": item.get("content")}))
    elif kind == "function_call":
        call = ToolCall.read(str(item.get("name")), item.get("arguments"), item.get("call_id"))
        if turns and turns[-1].role == "assistant":
            turns[-1] = turns[-1]._replace(tool_calls=(*turns[-1].tool_calls, call))
        else:
            turns.append(Message("assistant", "", (call,)))
    elif kind == "function_call_output":
        said = item.get("output")
        text = said if isinstance(said, str) else Message.of({"role": "user", "content": said}).text
        turns.append(Message("tool", text, tool_call_id=str(item.get("call_id"))))
    elif kind != "reasoning":
        raise RefusedError(400, "invalid_request", f"items of type {str(kind)[:40]!r} are not served")


def reply(asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:
    """A response."""
    return body_of(asked, answers[0], answers[0].id, created_s)


def writer(asked: Asked, answer_id: str, created_s: int) -> ResponsesWriter:
    """The answer in pieces."""
    return ResponsesWriter(asked, answer_id, created_s)
