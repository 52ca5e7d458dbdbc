"""What a cache remembers: under which key a call is kept, and an entry as a record to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.cli.failing import UsageError

if TYPE_CHECKING:
    from orchestrator.cli.discovery import Where
    from orchestrator.core.caching.entries import Entry

__all__ = ["Call", "in_words", "record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to one model, as `await model.generate_response(prompt, **params)` has it."""

    prompt: str
    system: str | None
    tenant: str | None
    params: Sequence[str]

    async def key(self, where: Where) -> str:
        """The key that the call itself would look up: the same model, request and function, and nothing is asked."""
        from orchestrator.cli.discovery import discover
        from orchestrator.core.caching.keys import key_of
        from orchestrator.core.messages import Request

        (model,) = (await discover(where, selector="cost")).values()
        request = Request.of(self.prompt, system=self.system, tenant=self.tenant, **_params_of(self.params))
        key = key_of(model, request)
        assert key is not None  # text and JSON always have a canonical form
        return key


def _params_of(words: Sequence[str]) -> dict[str, Any]:
    """Parameters by name; a value is JSON, or else text.

    >>> _params_of(["temperature=0", 'stop=["."]', "user=jo"])
    {'temperature': 0, 'stop': ['.'], 'user': 'jo'}
    """
    params = {}
    for number, word in enumerate(words, start=1):
        name, found, value = word.partition("=")
        if not (found and name.isidentifier()) or name in ("prompt", "system", "tenant"):
            raise UsageError(f"--param number {number}: write name=value, such as temperature=0 or stop='[\".\"]'")
        params[name] = _value_of(value)
    return params


def _value_of(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text


def record(raw: bytes, *, now: float) -> dict[str, Any] | None:
    """All that an entry says, with what the answer had cost when it was bought; None for bytes of another version.

    Tags are kept as labels (see `core.caching.keys.label`), and so are shown.
    """
    from orchestrator.core.caching.entries import CHAT, VECTOR, unpack

    entry = unpack(raw)
    if entry is None:
        return None
    content = {CHAT: _answer, VECTOR: _vector}.get(entry.kind, _value)(entry)
    life = {"stored_at": entry.stored_at, "age_s": entry.age_s(now), "fresh_s": entry.fresh_s}
    return content and {**content, **life, "tags": list(entry.tags), "bytes": len(raw)}


def _answer(entry: Entry) -> dict[str, Any] | None:
    from orchestrator.core.caching.entries import response_from

    found = response_from(entry, level="", latency_s=0.0)
    if found is None:
        return None
    response = found.response
    return {
        "kind": "answer",
        "text": response.text,
        "model_id": response.model_id,
        "finish_reason": response.finish_reason,
        "tool_calls": [call._asdict() for call in response.tool_calls],
        "reasoning": response.reasoning,
        "id": response.id,
        "cost_usd": found.cost_usd,
        "latency_s": found.latency_s,
        "usage": response.usage.with_cost(found.cost_usd).to_dict(),
    }


def _vector(entry: Entry) -> dict[str, Any]:
    from array import array

    vector = array("d")
    vector.frombytes(entry.body)
    return {"kind": "vector", "vector": vector.tolist(), "cost_usd": json.loads(entry.meta)}


def _value(entry: Entry) -> dict[str, Any]:
    return {"kind": "value", "value": json.loads(entry.meta)}


def in_words(told: dict[str, Any]) -> str:
    """The answer itself: its text, or the calls it asks for; vectors and values as JSON."""
    if told["kind"] == "answer":
        return told["text"] or json.dumps(told["tool_calls"], ensure_ascii=False)
    return json.dumps(told[told["kind"]], ensure_ascii=False)
