"""What is known of a model, a call or an answer, under the names of the conventions; never a word of the prompt."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

from orchestrator.core.messages import ChatResponse, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.passage import Operation, Passage
from orchestrator.telemetry.names import ERROR_TYPE, MODEL, PROVIDERS

__all__ = ["Attributes", "error_type_of", "of_answer", "of_model", "of_outcome", "of_passage", "of_request"]

Attributes = dict[str, Any]

_NUMBERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "n": "gen_ai.request.choice.count",
    "dimensions": "gen_ai.embeddings.dimension.count",
}
_TOKENS = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


def of_model(model: Model, operation: Operation) -> Attributes:
    """Who is asked, and where."""
    facts: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDERS.get(model.provider, model.provider),
        "gen_ai.request.model": model.name,
    }
    address = urlsplit(getattr(model, "base_url", None) or "")
    if address.hostname:
        facts["server.address"] = address.hostname
        facts["server.port"] = address.port or (443 if address.scheme == "https" else 80)
    return facts


def of_request(request: Request, *, streamed: bool) -> Attributes:
    """What was asked for beside the words; only what has the type that its name promises."""
    params = request.params
    facts: Attributes = {
        told: params[name]
        for name, told in _NUMBERS.items()
        if name in params and isinstance(params[name], int | float) and not isinstance(params[name], bool)
    }
    stop = params.get("stop")
    if isinstance(stop, str | list | tuple) and all(isinstance(one, str) for one in stop):
        facts["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if isinstance(params.get("encoding_format"), str):
        facts["gen_ai.request.encoding_formats"] = [params["encoding_format"]]
    if request.response_format is not None:
        facts["gen_ai.output.type"] = "json" if request.wants_json else "text"
    if streamed:
        facts["gen_ai.request.stream"] = True
    return facts


def of_outcome(outcome: Outcome) -> Attributes:
    """What became of one attempt; what is not known is not told."""
    facts: Attributes = {
        told: count for name, told in _TOKENS.items() if (count := getattr(outcome.usage, name)) is not None
    }
    if outcome.cost_usd is not None:
        facts["orchestrator.cost_usd"] = outcome.cost_usd
    if outcome.ttft_s is not None:
        facts["gen_ai.response.time_to_first_chunk"] = outcome.ttft_s
    if outcome.error is not None:
        facts[ERROR_TYPE] = outcome.error.error_type
        if outcome.error.status is not None:
            facts["http.response.status_code"] = outcome.error.status
    return facts


def of_answer(response: ChatResponse) -> Attributes:
    """What the answer tells of itself."""
    facts: Attributes = {
        "gen_ai.response.finish_reasons": [response.finish_reason],
        "orchestrator.response.id": response.id,
    }
    if response.upstream_model:
        facts["gen_ai.response.model"] = response.upstream_model
    return facts


def of_passage(passage: Passage, selector: str) -> Attributes:
    """How a whole request went: who decided, on what grounds, how often was asked, and our own share of the time."""
    response = passage.response
    facts: Attributes = {
        "orchestrator.attempts": len(passage.attempts),
        "orchestrator.decision.kind": "selected" if passage.chosen else "named",
        "orchestrator.decision.selector": selector if passage.chosen else None,
        "orchestrator.decision.model": passage.chosen[0] if passage.chosen else None,
        "orchestrator.decision.candidates": passage.candidates if passage.chosen else None,
        "orchestrator.decision.score": passage.score if passage.score is None or math.isfinite(passage.score) else None,
        "orchestrator.decision.propensity": passage.propensity,
        "orchestrator.cache.level": getattr(response, "cached", None),
        "orchestrator.overhead_s": passage.overhead_s,
        "orchestrator.cost_usd": _cost_usd(passage),
        "orchestrator.tenant": passage.request.tenant,
        MODEL: getattr(response, "model_id", None),
        ERROR_TYPE: error_type_of(passage.error),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _cost_usd(passage: Passage) -> float | None:
    """What all attempts have cost together; None where no price is known."""
    known = [one.outcome.cost_usd for one in passage.attempts if one.outcome.cost_usd is not None]
    return sum(known) if known or not passage.attempts else None


def error_type_of(error: BaseException | None) -> str | None:
    """The class of a failure in a word: the provider's, "cancelled", or the name of what was raised."""
    if error is None:
        return None
    if isinstance(error, GeneratorExit) or type(error).__name__ == "CancelledError":
        return "cancelled"
    told = getattr(error, "error_type", None)
    return told if isinstance(told, str) else type(error).__name__
