"""One line of a batch: asked until it is answered or hopeless, and the record of what came of it."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from orchestrator.batch.ledger import FACTS
from orchestrator.batch.lines import Line
from orchestrator.errors import OrchestratorError, ProviderAPIError
from orchestrator.gateway.answering import answers, embeddings
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.refusals import Refusal, refusal_of
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["failed", "is_passing", "pause_s", "record_of"]

_FINAL = {"invalid_request", "context_length", "content_filter", "not_found"}  # the same line would fail again
_BACK_OFF_S, _MOST_PAUSE_S = 1.0, 60.0


async def record_of(registry: ModelRegistry, line: Line, *, tries: int, rng: random.Random) -> dict[str, Any]:
    """The record of a line, with its answer in OpenAI's form or with its error."""
    refusal, spent_usd = line.refused, 0.0
    if line.asked is not None:
        for tried in range(1, tries + 1):
            try:
                found = await _found(registry, line, line.asked)
            except Exception as error:  # noqa: BLE001 - the boundary: a line that fails stops no other
                refusal = refusal_of(error)
                spent_usd += _billed(error)
                if tried == tries or not _is_worth_a_try(refusal, error):
                    break
                await registry.clock.sleep(pause_s(refusal, tried, rng))
            else:
                return _answered(line, found, spent_usd)
    assert refusal is not None
    return failed(line, refusal, spent_usd)


class _Found(NamedTuple):
    """What came back for a line: in its dialect, from whom, and at what cost in all (USD; None where not known)."""

    body: dict[str, Any]
    request_id: str
    model_id: str | None
    cost_usd: float | None
    facts: dict[str, Any]


async def _found(registry: ModelRegistry, line: Line, asked: Asked) -> _Found:
    if line.wants_vectors:
        vectors = await embeddings(registry, asked)
        cost_usd = vectors.usage.cost_usd
        return _Found(line.dialect.reply(asked, vectors), line.digest, vectors.model_id, cost_usd, {})
    responses = await answers(registry, asked)
    first, costs = responses[0], [response.spent_usd for response in responses]
    known = [cost for cost in costs if cost is not None]
    facts = {
        "latency_s": first.latency_s,
        "attempts": sum(max(1, len(response.attempts)) for response in responses),
        "cached": first.cached,
    }
    body = line.dialect.reply(asked, responses, int(registry.clock.time()))
    return _Found(body, first.id, first.model_id, sum(known) if len(known) == len(costs) else None, facts)


def is_passing(record: Any) -> bool:
    """True for a record whose line may do better in another run."""
    error = record.get("error")
    return error is not None and (error.get("kind") not in _FINAL or error.get("code") == "no_eligible_model")


def _is_worth_a_try(refusal: Refusal, error: Exception) -> bool:
    """Whether a pause may help: after a busy or broken provider, not after a wrong key or an empty purse."""
    return refusal.again or (isinstance(error, ProviderAPIError) and error.conduct.elsewhere and _passes(refusal))


def _passes(refusal: Refusal) -> bool:
    return refusal.kind not in _FINAL | {"authentication", "permission", "quota"}


def pause_s(refusal: Refusal, tried: int, rng: random.Random) -> float:
    """As long as was asked for, else up to a second, two, four, ... with full jitter."""
    if refusal.retry_after_s is not None:
        return min(_MOST_PAUSE_S, refusal.retry_after_s) + rng.random()
    most_s: float = min(_MOST_PAUSE_S, _BACK_OFF_S * 2**tried)
    return rng.random() * most_s


def _billed(error: Exception) -> float:
    """USD that failed attempts have cost."""
    attempts = getattr(error, "attempts", ()) if isinstance(error, OrchestratorError) else ()
    return float(sum(attempt.cost_usd or 0.0 for attempt in attempts))


def _answered(line: Line, found: _Found, spent_usd: float) -> dict[str, Any]:
    return {
        "id": f"batch_req_{found.request_id}",
        "custom_id": line.custom_id,
        "response": {"status_code": 200, "request_id": found.request_id, "body": found.body},
        "error": None,
        FACTS: {
            "digest": line.digest,
            "model": found.model_id,
            "spent_usd": None if found.cost_usd is None else found.cost_usd + spent_usd,
            **found.facts,
        },
    }


def failed(line: Line, refusal: Refusal, spent_usd: float | None) -> dict[str, Any]:
    """The record of a line that has no answer, and what the attempts have cost (USD; None where nobody knows)."""
    return {
        "id": f"batch_req_{line.digest}",
        "custom_id": line.custom_id,
        "response": None,
        "error": {"code": refusal.code or refusal.kind, "kind": refusal.kind, "message": refusal.message},
        FACTS: {"digest": line.digest, "spent_usd": spent_usd},
    }
