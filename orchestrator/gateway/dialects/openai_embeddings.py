"""OpenAI's embeddings, as its clients send and read them (api reference: /v1/embeddings)."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Mapping
from typing import Any

from orchestrator.core.messages import Embeddings
from orchestrator.gateway.asking import EXTENSION, Asked
from orchestrator.gateway.dialects.dialect import only_strings, required
from orchestrator.gateway.refusals import RefusedError

__all__ = ["FORM", "read", "reply"]

FORM = "encoding_format"
"""The parameter that says how vectors are written; between us and the provider they are always numbers."""

_NOT_PARAMETERS = frozenset({"model", "input", "user", EXTENSION})


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked: the prompt is the list of texts."""
    texts = only_strings(body.get("input"), "input")
    form = body.get(FORM) or "float"
    if form not in ("float", "base64"):
        raise RefusedError(400, "invalid_request", f"{FORM}={form!r}: give 'float' or 'base64'")
    params = {name: value for name, value in body.items() if name not in _NOT_PARAMETERS and value is not None}
    return Asked(required(body, "model", str, words="the id of a model or 'auto'"), texts, params)


def reply(asked: Asked, vectors: Embeddings) -> dict[str, Any]:
    """The list of vectors, as numbers or packed in base64."""
    packed = asked.params.get(FORM) == "base64"
    rows = [
        {"object": "embedding", "index": at, "embedding": _packed(v) if packed else v} for at, v in enumerate(vectors)
    ]
    told = {"prompt_tokens": vectors.usage.prompt_tokens or 0, "total_tokens": vectors.usage.total_tokens or 0}
    return {"object": "list", "model": vectors.model_id, "data": rows, "usage": told}


def _packed(vector: list[float]) -> str:
    return base64.b64encode(array("f", vector).tobytes()).decode("ascii")
