"""What is answered at once or nearly so: vectors, the list of models, a rating, and how the gateway is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from aiohttp import web

from orchestrator.core.model import Model
from orchestrator.gateway import answering
from orchestrator.gateway.asking import EXTENSION, completed
from orchestrator.gateway.bodies import json_body
from orchestrator.gateway.dialects import openai_embeddings
from orchestrator.gateway.members import required
from orchestrator.gateway.openapi import document
from orchestrator.gateway.refusals import RefusedError
from orchestrator.gateway.served import Serving
from orchestrator.gateway.settings import AUTO, GatewayKey
from orchestrator.gateway.visit import Desk, sent
from orchestrator.telemetry import CONTENT_TYPE, prometheus_text, together

__all__ = ["alive", "description", "embeddings", "feedback", "metrics", "model", "models", "ready"]

_UNKNOWN = "1970-01-01T00:00:00Z"


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
    """Every name a caller may use as a model: `auto`, the profiles, and every id; one page for all clients."""
    entries = [_named(name) for name in (AUTO, *desk.settings.profiles)] + [*map(_entry, desk.registry.values())]
    pages = {"has_more": False, "first_id": entries[0]["id"], "last_id": entries[-1]["id"]}
    return sent({"object": "list", "data": entries, **pages})


async def model(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:  # noqa: ARG001 - likewise
    """One entry of that list."""
    name = http.match_info["model"]
    is_ours = name == AUTO or name in desk.settings.profiles
    return sent(_named(name) if is_ours else _entry(desk.registry[name]))


def _named(name: str, owner: str = "orchestrator", **more: Any) -> dict[str, Any]:
    """A name as OpenAI's clients read it and as Anthropic's do; nobody knows when a model was made."""
    ours = {"id": name, "object": "model", "created": 0, "owned_by": owner}
    return {**ours, "type": "model", "display_name": name, "created_at": _UNKNOWN, **more}


def _entry(model: Model) -> dict[str, Any]:
    facts = {"context_length": model.context_size, "is_local": model.is_local}
    return _named(model.id, model.provider, max_input_tokens=model.context_size, **{EXTENSION: facts})


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
