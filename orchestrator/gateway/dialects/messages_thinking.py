"""How much a model shall think: Anthropic's `thinking`, and the same wish in the word that others have for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.gateway.refusals import RefusedError

__all__ = ["thinking_wish"]

_LITTLE, _MUCH = 4_096, 16_384  # tokens from which a budget is more than low, and more than medium
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def thinking_wish(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters for it: `thinking` as it is for Anthropic, `reasoning_effort` for everybody else.

    A budget in tokens becomes an effort by its size, and none at all is as if nothing had been said.

    >>> thinking_wish({"thinking": {"type": "enabled", "budget_tokens": 10_000}, "max_tokens": 20_000})
    {'thinking': {'type': 'enabled', 'budget_tokens': 10000}, 'reasoning_effort': 'medium'}
    >>> thinking_wish({"thinking": {"type": "disabled"}})
    {}
    """
    thinking = body.get("thinking")
    if thinking is None:
        return {}
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    if kind == "disabled":
        return {}
    if kind == "adaptive":
        return {"thinking": thinking, "reasoning_effort": _effort_asked(body.get("output_config"))}
    if kind == "enabled":
        return {"thinking": thinking, "reasoning_effort": _effort_worth(thinking.get("budget_tokens"), body)}
    raise RefusedError(400, "invalid_request", "'thinking' has the type 'enabled', 'adaptive' or 'disabled'")


def _effort_asked(config: Any) -> str:
    said = config.get("effort") if isinstance(config, Mapping) else None
    if said is not None and not (isinstance(said, str) and said in _EFFORTS):
        raise RefusedError(400, "invalid_request", f"output_config.effort is one of {', '.join(_EFFORTS)}")
    return _EFFORTS[said or "high"]


def _effort_worth(budget: Any, body: Mapping[str, Any]) -> str:
    if type(budget) is not int or budget < 1:
        raise RefusedError(400, "invalid_request", "'thinking' that is enabled has 'budget_tokens', a whole number")
    most = body.get("max_tokens")
    if isinstance(most, int) and budget >= most:
        raise RefusedError(400, "invalid_request", f"thinking.budget_tokens={budget} must be less than max_tokens")
    return "low" if budget < _LITTLE else "medium" if budget < _MUCH else "high"
