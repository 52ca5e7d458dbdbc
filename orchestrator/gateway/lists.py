"""What is answered at once or nearly so: vectors, the list of models, a rating, and how the gateway is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from aiohttp import web

from orchestrator.core.model import Model
from orchestrator.gateway import answering
from orchestrator.gateway.asking import EXTENSION, completed
from orchestrator.gateway.bodies import json_body
from orchestrator.gateway.dialects import openai_chat, openai_embeddings
from orchestrator.gateway.dialects.dialect import required
from orchestrator.gateway.openapi import document
from orchestrator.gateway.refusals import Refusal, RefusedError
from orchestrator.gateway.report import plain
from orchestrator.gateway.served import Serving
from orchestrator.gateway.settings import AUTO, GatewayKey
from orchestrator.gateway.visit import Desk, sent
from orchestrator.telemetry import CONTENT_TYPE, prometheus_text, together

__all__ = ["alive", "description", "embeddings", "feedback", "metrics", "model", "models", "nowhere", "ready"]


async def embeddings(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:
    """One vector a text, as numbers or packed in base64 as OpenAI's clients ask for them."""
    with desk.served.serving("embeddings") as serving:
        return await _embedded(desk, http, key, serving)


async def _embedded(desk: Desk, http: web.Request, key: GatewayKey | None, serving: Serving) -> web.StreamResponse:
    body = await json_body(http, read_s=desk.settings.read_s)
    asked = openai_embeddings.read(body)
    asked = completed(asked, http.headers, body.get(EXTENSION), key=key, profiles=desk.settings.profiles)
    serving.asked = asked
    vectors = await answering.embeddings(desk.registry, asked)
    serving.answers = [vectors]
    return sent(openai_embeddings.reply(asked, vectors))


async def models(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Every name a caller may use as a model: `auto`, the profiles, and every id."""
    names = [AUTO, *desk.settings.profiles]
    entries = [{"id": name, "object": "model", "created": 0, "owned_by": "orchestrator"} for name in names]
    return sent({"object": "list", "data": entries + [_entry(one) for one in desk.registry.values()]})


async def model(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:  # noqa: ARG001 - likewise
    """One entry of that list."""
    return sent(_entry(desk.registry[http.match_info["model"]]))


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
    """The figures of this and every other worker, as Prometheus reads them; where keys are needed, with any of them."""
    told = {"Server": "orchestrator", "Content-Type": CONTENT_TYPE}
    others = await desk.siblings.ask("metrics")
    return web.Response(body=together([own_figures(desk), *others.values()]).encode(), headers=told)


def own_figures(desk: Desk) -> str:
    """The figures of this process alone."""
    return prometheus_text(desk.registry, worker=desk.siblings.number)


async def description(http: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """The gateway as an OpenAPI document."""
    return sent(document(version("model-orchestrator")))


async def nowhere(http: web.Request) -> web.StreamResponse:
    """A path that leads to nobody; the right one is told where it is wrong by one part, as base URLs often are."""
    told = _meant(http.path) or "see /openapi.json"
    refusal = Refusal(404, "not_found", f"nothing answers {http.method} {plain(http.path)}; {told}")
    return sent(openai_chat.error(refusal), status=404)


@cache
def _known_paths() -> frozenset[str]:
    return frozenset(document("")["paths"])


def _meant(path: str) -> str | None:
    known, path = _known_paths(), path.rstrip("/")
    if path in known:
        return f"did you mean {path}?"
    if f"/v1{path}" in known:
        return f"did you mean /v1{path}? the base URL ends in /v1"
    if path.startswith("/v1/v1/") and path[3:] in known:
        return f"did you mean {path[3:]}? the base URL ends before /v1"
    return None
