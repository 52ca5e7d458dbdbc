"""The buttons: what an operator may do to a model, and who may."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal, get_args

from aiohttp import web

from orchestrator.errors import did_you_mean
from orchestrator.gateway.bodies import json_body
from orchestrator.gateway.dashboard.snapshot import Watchman
from orchestrator.gateway.keys import Doorkeeper
from orchestrator.gateway.members import required
from orchestrator.gateway.refusals import RefusedError
from orchestrator.models.health_monitor import ModelHealthMonitor

__all__ = ["ACTIONS", "operator_of", "order_of", "press"]

Action = Literal["drain", "restore", "probe", "reset"]
ACTIONS: tuple[Action, ...] = get_args(Action)
_PAST = {"drain": "drained", "restore": "restored", "probe": "probed", "reset": "reset"}
_log = logging.getLogger(__name__)


async def order_of(http: web.Request, *, read_s: float) -> dict[str, str]:
    """What the body says: `{"action": ..., "model": ...}`."""
    body = await json_body(http, read_s=read_s)
    action = required(body, "action", str, words=f"one of {', '.join(ACTIONS)}")
    model_id = required(body, "model", str, words="the id of a model")
    if action not in ACTIONS:
        raise RefusedError(400, "invalid_request", f"action={action!r}: {did_you_mean(action, list(ACTIONS))}")
    return {"action": action, "model": model_id}


async def press(watchman: Watchman, order: Mapping[str, str], *, by: str) -> dict[str, Any]:
    """Do it, and tell how the model is now."""
    action, model_id = order["action"], order["model"]
    await _do(watchman.registry.health, action, model_id)
    watchman.note(model_id, _PAST[action], by)
    _log.info("%s %s %r on the dashboard", by, _PAST[action], model_id)
    status = watchman.registry.health.status_of(watchman.registry[model_id])
    return {"model": model_id, "action": action, "status": status.status, "reason": status.reason}


async def _do(health: ModelHealthMonitor, action: str, model_id: str) -> None:
    if action == "probe":
        await health.probe(model_id)
    elif action == "drain":
        health.drain(model_id)
    elif action == "restore":
        health.restore(model_id)
    else:
        health.reset(model_id)


def operator_of(doorkeeper: Doorkeeper, headers: Mapping[str, str]) -> str:
    """The name of the admin key that these headers carry; RefusedError when they carry none."""
    key = doorkeeper.find(headers)
    if key is None:
        raise RefusedError(
            401, "authentication", "the buttons need an admin key: send Authorization: Bearer ..., see GatewayKey.admin"
        )
    if not key.admin:
        raise RefusedError(403, "permission", f"the key {key.name!r} is no admin key: set admin=True on it")
    return key.name
