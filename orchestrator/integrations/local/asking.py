"""A request in the words of transformers: turns for the chat template, arguments for `generate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.core.messages import Request
from orchestrator.integrations.dialects.prompt_marks import MARKS
from orchestrator.integrations.failures import UnsupportedFeatureError
from orchestrator.integrations.local.stops import stop_words

__all__ = ["MOST_NEW_TOKENS", "asked_for", "plain_prompt", "turns"]

MOST_NEW_TOKENS = 512  # where the request sets no limit
_OURS = {"max_tokens", "max_completion_tokens", "temperature", "stop", "n", "stream", "user", MARKS}
_FOR_SAMPLING = {"top_p", "top_k", "min_p", "typical_p"}


def turns(request: Request) -> list[dict[str, str]]:
    """The conversation as chat templates want it; UnsupportedFeatureError for what a text model cannot take."""
    if request.has_images:
        raise UnsupportedFeatureError("a model in this process reads text only: leave the images out, or use a server")
    if request.tools:
        raise UnsupportedFeatureError("a model in this process calls no tools: leave tools= out, or use a server")
    if request.wants_json:
        raise UnsupportedFeatureError("a model in this process promises no JSON: leave response_format= out")
    return [{"role": message.role, "content": message.text} for message in request.messages]


def plain_prompt(said: list[dict[str, str]]) -> str:
    r"""The same for a model without a chat template: one turn as it is, several with their roles before them.

    >>> plain_prompt([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
    'system: Be brief.\nuser: Hello\nassistant:'
    """
    if len(said) == 1:
        return said[0]["content"]
    return "".join(f"{turn['role']}: {turn['content']}\n" for turn in said) + "assistant:"


def asked_for(params: Mapping[str, Any], usual: int | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments of `generate` for common parameters, others as they are; and the stop strings.

    `usual` is how many tokens the model's own settings allow an answer, where they do.

    >>> asked_for({"max_tokens": 9, "temperature": 0, "stop": "END", "top_k": 5})
    ({'max_new_tokens': 9, 'do_sample': False}, ('END',))
    """
    if params.get("n") not in (None, 1):
        raise UnsupportedFeatureError(f"n={params['n']!r}: a model in this process gives one answer a call")
    arguments = {name: value for name, value in params.items() if name not in _OURS and value is not None}
    most = params.get("max_completion_tokens") or params.get("max_tokens")
    arguments.setdefault("max_new_tokens", most or usual or MOST_NEW_TOKENS)
    temperature = params.get("temperature")
    if temperature is not None and temperature > 0:
        arguments |= {"do_sample": True, "temperature": float(temperature)}
    elif temperature is not None:
        arguments = {name: value for name, value in arguments.items() if name not in _FOR_SAMPLING}
        arguments["do_sample"] = False
    elif "top_p" in arguments or "top_k" in arguments:
        arguments.setdefault("do_sample", True)
    return arguments, stop_words(params.get("stop"))
