"""OpenAI Responses, as its clients send and read them (api reference: /v1/responses); no answer is kept here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse, Message, ToolCall
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.dialects import openai_chat
from orchestrator.gateway.dialects.openai_parameters import CHOICE
from orchestrator.gateway.dialects.responses_body import body_of, likelihoods_in
from orchestrator.gateway.dialects.responses_stream import ResponsesWriter
from orchestrator.gateway.members import (
    COUNT,
    FLAG,
    MODEL,
    NUMBER,
    OBJECT,
    OBJECTS,
    TEXT,
    TEXTS,
    WHOLE,
    checked,
    required,
)
from orchestrator.gateway.refusals import RefusedError

__all__ = ["ID", "error", "read", "reply", "writer"]

error = openai_chat.error
ID = "resp_"
_PARAMETERS = ("temperature", "top_p", "parallel_tool_calls", "top_logprobs")
_LIKELIHOODS = "message.output_text.logprobs"  # the member of `include` that asks for them
_TURNS = ("user", "assistant", "system", "developer")
_KINDS = {
    "stream": FLAG,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "max_output_tokens": COUNT,
    "instructions": TEXT,
    "tools": OBJECTS,
    "tool_choice": CHOICE,
    "parallel_tool_calls": FLAG,
    "top_logprobs": WHOLE,
    "text": OBJECT,
    "reasoning": OBJECT,
    "store": FLAG,
    "background": FLAG,
    "metadata": OBJECT,
    "include": TEXTS,
}


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked; conversations kept on a server (`previous_response_id`, `conversation`) are refused."""
    checked(body, _KINDS)
    for name in ("previous_response_id", "conversation", "background"):
        if body.get(name):
            raise _refused(f"{name!r} is not served: no answer is kept; send all turns", name)
    params: dict[str, Any] = {name: body[name] for name in _PARAMETERS if body.get(name) is not None}
    if body.get("max_output_tokens") is not None:
        params["max_tokens"] = body["max_output_tokens"]
    if body.get("instructions"):
        params["system"] = body["instructions"]
    if "top_logprobs" in params or _LIKELIHOODS in (body.get("include") or ()):
        params |= {"logprobs": True, "cache": False}  # a remembered answer has none
    params.update(_tools(body))
    if (form := _form(body.get("text"))) is not None:
        params["response_format"] = form
    thinking = body.get("reasoning") or {}
    checked(thinking, {"effort": TEXT}, of="'reasoning'")
    if thinking.get("effort"):
        params["reasoning_effort"] = thinking["effort"]
    return Asked(
        model=required(body, "model", str, words=MODEL),
        prompt=_turns(required(body, "input", (str, list), words="a text or a list of items")),
        params=params,
        stream=bool(body.get("stream")),
    )


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    tools = body.get("tools")
    if not tools:
        return {}
    for tool in tools:
        if tool.get("type") != "function":
            raise _refused("tools that run on a server are not served: give functions", "tools")
    return {"tools": tools, "tool_choice": body.get("tool_choice")}


def _form(text: Any) -> Any:
    """The form of the answer, in chat's words."""
    form = (text or {}).get("format") or {}
    checked({"format": form}, {"format": OBJECT}, of="'text'")
    if form.get("type") in (None, "text"):
        return None
    if form.get("type") != "json_schema":
        return form
    return {"type": "json_schema", "json_schema": {name: form.get(name) for name in ("name", "schema", "strict")}}


def _turns(given: Any) -> Any:
    if isinstance(given, str):
        return given
    turns: list[Message] = []
    if not OBJECTS.fits(given):
        raise _refused("an item of 'input' is an object", "input")
    for item in given:
        _take(turns, item)
    return turns


def _take(turns: list[Message], item: Mapping[str, Any]) -> None:
    """One item more; calls that follow each other are one turn, as every other dialect has it."""
    kind = item.get("type") or "message"
    if kind == "message" and item.get("role") in _TURNS:
        turns.append(Message.of({"role": item["role"], "content": item.get("content")}))
    elif kind == "function_call":
        name = required(item, "name", str, words="the name of a function", of="a function_call")
        call = ToolCall.read(name, item.get("arguments"), _call_id(item))
        if turns and turns[-1].role == "assistant":
            turns[-1] = turns[-1]._replace(tool_calls=(*turns[-1].tool_calls, call))
        else:
            turns.append(Message("assistant", "", (call,)))
    elif kind == "function_call_output":
        said = item.get("output")
        text = said if isinstance(said, str) else Message.of({"role": "user", "content": said}).text
        turns.append(Message("tool", text, tool_call_id=_call_id(item)))
    elif kind == "message":
        raise _refused(f"a message of 'input' has a role among {', '.join(_TURNS)}", "input")
    elif kind != "reasoning":
        raise _refused(f"items of type {str(kind)[:40]!r} are not served", "input")


def _call_id(item: Mapping[str, Any]) -> str:
    return str(required(item, "call_id", str, words="the id of the call", of=f"a {item['type']}"))


def _refused(why: str, name: str) -> RefusedError:
    return RefusedError(400, "invalid_request", why, param=name)


def reply(asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:
    """A response."""
    likelihoods = likelihoods_in(openai_chat.logprobs_of(answers[0].raw))
    return body_of(asked, answers[0], answers[0].id, created_s, likelihoods)


def writer(asked: Asked, answer_id: str, created_s: int) -> ResponsesWriter:
    """The answer in pieces."""
    return ResponsesWriter(asked, answer_id, created_s)
