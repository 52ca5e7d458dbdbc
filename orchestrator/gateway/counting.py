"""How many tokens a prompt has: asked of the provider where it tells, else estimated."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from orchestrator.core.messages import Request
from orchestrator.core.requirements import estimate_tokens, prompt_tokens
from orchestrator.gateway.asking import EXTENSION, completed
from orchestrator.gateway.bodies import json_body
from orchestrator.gateway.dialects.anthropic_messages import read_prompt
from orchestrator.gateway.settings import GatewayKey
from orchestrator.gateway.visit import Desk, sent
from orchestrator.integrations.strict_json import dumps

__all__ = ["count_tokens"]


async def count_tokens(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:
    """The tokens of a message that has not been sent; an estimate, on the high side, says that it is one."""
    body = await json_body(http, read_s=desk.settings.read_s)
    asked = completed(read_prompt(body), http.headers, body.get(EXTENSION), key=key, profiles=desk.settings.profiles)
    model: Any = None if asked.model is None else desk.registry[asked.model]
    counter = getattr(model, "count_tokens", None)
    counted = None if counter is None else await counter(asked.prompt, **asked.params)
    tokens = _estimate(asked.request()) if counted is None else counted
    return sent({"input_tokens": tokens, EXTENSION: {"estimated": counted is None}})


def _estimate(request: Request) -> int:
    tools = [tool._asdict() for tool in request.tools]
    return prompt_tokens(request) + (estimate_tokens(dumps(tools).decode()) if tools else 0)
