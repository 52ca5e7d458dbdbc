"""What the reply's headers tell: who answered, why, what it cost, how often models were asked, and our own share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import ChatResponse
from orchestrator.gateway.answering import total_usage
from orchestrator.gateway.asking import Asked

__all__ = ["facts_of", "headers_of", "plain"]

_HEADERS = {
    name: "X-Orchestrator-" + name.title().replace("_", "-")
    for name in ("response_id", "model", "reason", "attempts", "cost_usd", "cache", "overhead_ms")
}


def facts_of(asked: Asked, answers: Sequence[ChatResponse], *, policy: str, elapsed_s: float) -> dict[str, Any]:
    """Facts about finished answers by name; one that is not known is None."""
    first = answers[0]
    upstream_s = 0.0 if first.cached else max(map(_upstream_s, answers))
    return {
        "response_id": first.id,
        "model": first.model_id,
        "reason": _why(asked, first, policy),
        "attempts": sum([len(answer.attempts) or 1 for answer in answers]),
        "cost_usd": 0.0 if first.cached else total_usage(answers).cost_usd,
        "cache": first.cached,
        "overhead_ms": round(max(0.0, elapsed_s - upstream_s) * 1e3, 2),
    }


def headers_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The same as headers; a fact that is not known has none.

    >>> headers_of({"attempts": 2, "cost_usd": 0.00001, "cache": None})
    {'X-Orchestrator-Attempts': '2', 'X-Orchestrator-Cost-Usd': '0.00001'}
    """
    return {_HEADERS[name]: _told(value) for name, value in facts.items() if value is not None}


def _told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return plain(value) if isinstance(value, str) else str(value)


def _upstream_s(answer: ChatResponse) -> float:
    if answer.attempts:
        return sum([attempt.latency_s for attempt in answer.attempts])
    return answer.latency_s or 0.0


def _why(asked: Asked, answer: ChatResponse, policy: str) -> str:
    if answer.cached:
        return f"remembered by the {answer.cached} cache"
    failed = [f"{attempt.model_id} ({attempt.error_type})" for attempt in answer.attempts if attempt.error_type]
    how = "asked for by id" if asked.model is not None else f"chosen by {policy}"
    return f"{how} after {', '.join(failed)}" if failed else how


def plain(text: str) -> str:
    """The text as a header may carry it: a model's name comes from outside."""
    if text.isascii() and text.isprintable():
        return text[:300]
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:300]
