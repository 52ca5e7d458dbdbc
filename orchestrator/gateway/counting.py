"""How many tokens a prompt has: asked of the provider where it tells, else estimated."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from orchestrator.conduct import Blame
from orchestrator.core.clock import Clock
from orchestrator.core.messages import Request
from orchestrator.core.requirements import estimate_tokens, prompt_tokens
from orchestrator.errors import ProviderAPIError
from orchestrator.gateway.asking import EXTENSION, Asked, completed
from orchestrator.gateway.bodies import json_body
from orchestrator.gateway.dialects.anthropic_messages import read_prompt
from orchestrator.gateway.settings import GatewayKey
from orchestrator.gateway.visit import Desk, sent
from orchestrator.integrations.strict_json import dumps

__all__ = ["count_tokens"]

Counter = Callable[..., Awaitable[int | None]]
_log = logging.getLogger(__name__)

_PATIENCE_S = 10.0  # that who counts may take; callers wait for a count before they ask


async def count_tokens(desk: Desk, http: web.Request, key: GatewayKey | None) -> web.StreamResponse:
    """The tokens of a message that has not been sent; an estimate, on the high side, says that it is one."""
    body = await json_body(http, read_s=desk.settings.read_s)
    asked = completed(read_prompt(body), http.headers, body.get(EXTENSION), key=key, profiles=desk.settings.profiles)
    counted = None if asked.model is None else await _counted(desk.registry[asked.model], asked, desk.registry.clock)
    tokens = _estimate(asked.request()) if counted is None else counted
    told = {"X-Orchestrator-Estimated": "true"} if counted is None else {}
    return sent({"input_tokens": tokens, EXTENSION: {"estimated": counted is None}}, headers=told)


async def _counted(model: Any, asked: Asked, clock: Clock) -> int | None:
    """What the provider counts; None where it does not, does not answer, or fails by no fault of the caller's."""
    counter: Counter | None = getattr(model, "count_tokens", None)
    if counter is None:
        return None
    try:
        with clock.timeout(_PATIENCE_S):
            return await counter(asked.prompt, **asked.params)
    except ProviderAPIError as error:
        if error.conduct.blame is Blame.CALLER:
            raise
        _log.info("%s did not count tokens (%s): they are estimated", model.id, error.error_type)
    except TimeoutError:
        _log.info("%s did not count tokens in time: they are estimated", model.id)
    return None


def _estimate(request: Request) -> int:
    tools = [tool._asdict() for tool in request.tools]
    return prompt_tokens(request) + (estimate_tokens(dumps(tools).decode()) if tools else 0)
