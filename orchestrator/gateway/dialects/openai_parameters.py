"""What OpenAI's bodies say about how to answer: the kind of each member, for chat and for plain completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.gateway.asking import CALL_OPTIONS, EXTENSION
from orchestrator.gateway.members import (
    COUNT,
    FLAG,
    NUMBER,
    OBJECT,
    OBJECTS,
    TEXT,
    TEXTS,
    WHOLE,
    Kind,
    checked,
)
from orchestrator.gateway.refusals import RefusedError

__all__ = ["CHAT", "CHOICE", "COMPLETIONS", "MOST_CHOICES", "passed_on", "read_options"]

MOST_CHOICES = 8
CHOICE = Kind(
    "'none', 'auto', 'required' or an object that names a function",
    lambda value: isinstance(value, dict) or value in ("none", "auto", "required"),
)
_FORMS = ("text", "json_object", "json_schema", "object")  # the last is a schema as it is, which the engine reads, too
_WORDS = Kind("['text']: answers in words alone are served", lambda value: value == ["text"])
_FORM = Kind(
    "an object with 'type': 'text', 'json_object' or 'json_schema'",
    lambda value: isinstance(value, dict) and value.get("type") in _FORMS,
)

_SHARED = {
    "stream": FLAG,
    "stream_options": OBJECT,
    "max_tokens": COUNT,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "presence_penalty": NUMBER,
    "frequency_penalty": NUMBER,
    "seed": WHOLE,
    "stop": TEXTS,
    "logit_bias": OBJECT,
    "user": TEXT,
}
CHAT: dict[str, Kind] = {
    **_SHARED,
    "max_completion_tokens": COUNT,
    "logprobs": FLAG,
    "top_logprobs": WHOLE,
    "tools": OBJECTS,
    "tool_choice": CHOICE,
    "parallel_tool_calls": FLAG,
    "response_format": _FORM,
    "reasoning_effort": TEXT,
    "verbosity": TEXT,
    "modalities": _WORDS,
    "store": FLAG,
    "metadata": OBJECT,
}
COMPLETIONS: dict[str, Kind] = {**_SHARED, "echo": FLAG, "suffix": TEXT, "best_of": COUNT, "logprobs": WHOLE}
_OPTIONS = {"include_usage": FLAG, "include_obfuscation": FLAG}


# members that are no parameters of a model: read here, or said to OpenAI's own platform alone
_NOT_PASSED_ON = frozenset(
    {"model", "stream", "stream_options", "n", "store", "metadata", "service_tier", "user", EXTENSION}
    | {"prompt_cache_key", "prompt_cache_retention", "safety_identifier"}
)
# names that the engine reads itself: they are said in the extension, so that no body can set them unseen
_OURS = frozenset({*CALL_OPTIONS, "tenant"})
# and those that would stand beside the prompt that it has read, or in its place: with the engine, or with a provider
_NOBODYS = frozenset({"prompt", "messages", "input", "inputs", "contents", "instructions", "system"})
_NOBODYS |= {"systemInstruction", "system_instruction", "cachedContent", "cached_content", "cache_tags", "usage_tags"}


def passed_on(body: Mapping[str, Any], *, but: frozenset[str]) -> dict[str, Any]:
    """The members that are the model's to understand, be they known here or not; `but` are read by the caller."""
    for name in body.keys() & (_OURS | _NOBODYS) - but:
        if body[name] is None:
            continue
        told = f"said to the engine: put it into {EXTENSION!r}" if name in _OURS else "not served here: leave it out"
        raise RefusedError(400, "invalid_request", f"{name!r} is {told}", param=name)
    return {
        name: value
        for name, value in body.items()
        if value is not None and name not in _NOT_PASSED_ON and name not in but
    }


def read_options(options: Mapping[str, Any] | None) -> bool:
    """Whether `stream_options` ask for the usage at the end of a stream."""
    if not options:
        return False
    checked(options, _OPTIONS, of="'stream_options'")
    return bool(options.get("include_usage"))
