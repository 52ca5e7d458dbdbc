"""OpenAI's embeddings, as its clients send and read them (api reference: /v1/embeddings)."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Mapping
from typing import Any

from orchestrator.core.messages import Embeddings
from orchestrator.gateway.asking import EXTENSION, Asked
from orchestrator.gateway.members import COUNT, MODEL, TEXT, Kind, checked, required, texts_in

__all__ = ["FORM", "read", "reply"]

FORM = "encoding_format"
"""The parameter that says how vectors are written; between us and the provider they are always numbers."""

_NOT_PARAMETERS = frozenset({"model", "input", "user", EXTENSION})
_FORM = Kind("'float' or 'base64'", lambda value: value in ("float", "base64"))
_KINDS = {"dimensions": COUNT, "user": TEXT, FORM: _FORM}


def read(body: Mapping[str, Any]) -> Asked:
    """What is asked: the prompt is the list of texts."""
    checked(body, _KINDS)
    texts = texts_in(body, "input")
    params = {name: value for name, value in body.items() if name not in _NOT_PARAMETERS and value is not None}
    return Asked(required(body, "model", str, words=MODEL), texts, params)


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
