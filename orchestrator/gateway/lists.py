"""What is answered at once or nearly so: vectors, the list of models, a rating, and how the gateway is."""

from __future__ import annotations

import base64
from array import array
from importlib.metadata import version
from typing import Any

from aiohttp import web

from orchestrator.core.model import Model
from orchestrator.gateway import answering
from orchestrator.gateway.asking import EXTENSION, Asked, completed
from orchestrator.gateway.bodies import json_body
from orchestrator.gateway.dialects import openai_chat
from orchestrator.gateway.dialects.dialect import only_strings, required
from orchestrator.gateway.openapi import document
from orchestrator.gateway.refusals import Refusal, RefusedError
from orchestrator.gateway.report import plain
from orchestrator.gateway.settings import AUTO, GatewayKey
from orchestrator.gateway.visit import Desk, sent
from orchestrator.telemetry import CONTENT_TYPE, prometheus_text

__all__ = ["alive", "description", "embeddings", "feedback", "metrics", "model", "models", "nowhere", "ready"]

_NOT_PARAMETERS = frozenset({"model", "input", "encoding_format", "user", EXTENSION})


async def embeddings(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:
    """One vector a text, as numbers or packed in base64 as OpenAI's clients ask for them."""
    body = await json_body(http, read_s=desk.settings.read_s)
    texts = only_strings(body.get("input"), "input")
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise RefusedError(400, "invalid_request", f"encoding_format={form!r}: give 'float' or 'base64'")
    params = {name: value for name, value in body.items() if name not in _NOT_PARAMETERS and value is not None}
    asked = Asked(required(body, "model", str, words="the id of a model or 'auto'"), texts, params)
    asked = completed(asked, http.headers, body.get(EXTENSION), key=key, profiles=desk.settings.profiles)
    vectors = await answering.embeddings(desk.registry, asked, texts)
    data = [{"object": "embedding", "index": at, "embedding": _packed(v, form)} for at, v in enumerate(vectors)]
    told = {"prompt_tokens": vectors.usage.prompt_tokens or 0, "total_tokens": vectors.usage.total_tokens or 0}
    return sent({"object": "list", "model": vectors.model_id, "data": data, "usage": told})


def _packed(vector: list[float], form: str) -> Any:
    return vector if form == "float" else base64.b64encode(array("f", vector).tobytes()).decode("ascii")


async def models(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Every name a caller may use as a model: `auto`, the profiles, and every id."""
    names = [AUTO, *desk.settings.profiles]
    entries = [{"id": name, "object": "model", "created": 0, "owned_by": "orchestrator"} for name in names]
    return sent({"object": "list", "data": entries + [_entry(one) for one in desk.registry.values()]})


async def model(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:  # noqa: ARG001 - likewise
    """One entry of that list."""
    return sent(_entry(desk.registry.service.get_model(http.match_info["model"])))


def _entry(model: Model) -> dict[str, Any]:
    facts = {"context_length": model.context_size, "is_local": model.is_local}
    return {"id": model.id, "object": "model", "created": 0, "owned_by": model.provider, EXTENSION: facts}


async def feedback(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:  # noqa: ARG001 - likewise
    """A rating from 0 to 1 for an answer, by the id that its reply carried."""
    body = await json_body(http, read_s=desk.settings.read_s)
    response_id = required(body, "response_id", str, words="the id of an answer")
    quality = required(body, "quality", (int, float), words="a number from 0 to 1")
    if not 0 <= quality <= 1:
        raise RefusedError(400, "invalid_request", f"quality={quality!r}: give a number from 0 to 1")
    return sent({"recorded": desk.registry.record_feedback(desk.spoken.known(response_id), float(quality))})


async def alive(desk: Desk, http: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """The process runs and its event loop turns."""
    return sent({"status": "ok"})


async def ready(desk: Desk, http: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Whether a balancer should send calls here: models are registered, one is fit, and the gateway stays."""
    fit = sum(desk.registry.health.status_of(one).healthy for one in desk.registry.values())
    well = not desk.draining and fit > 0
    state = "draining" if desk.draining else "ok" if fit else "no model is fit"
    return sent({"status": state, "models": len(desk.registry), "fit": fit}, status=200 if well else 503)


async def metrics(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """The figures of the registry, as Prometheus reads them; where keys are needed, with any of them."""
    told = {"Server": "orchestrator", "Content-Type": CONTENT_TYPE}
    return web.Response(body=prometheus_text(desk.registry).encode(), headers=told)


async def description(http: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """The gateway as an OpenAPI document."""
    return sent(document(version("model-orchestrator")))


async def nowhere(http: web.Request) -> web.StreamResponse:
    """A path that leads to nobody."""
    refusal = Refusal(404, "not_found", f"nothing answers {http.method} {plain(http.path)}; see /openapi.json")
    return sent(openai_chat.error(refusal), status=404)
