"""What a caller is told when there is no answer: one class of failure, its status, and whether to come back."""

from __future__ import annotations

import math
from typing import NamedTuple

from orchestrator.errors import (
    BudgetExceededError,
    CapacityError,
    ConfigurationError,
    DrainingError,
    ModelNotFoundError,
    NoEligibleModelsError,
    OrchestratorError,
    ProviderAPIError,
)

__all__ = ["Refusal", "RefusedError", "refusal_of"]


class Refusal(NamedTuple):
    """A failure in no dialect yet; `kind` is one of the engine's error types or of the gateway's own.

    `param` names the member of the body that is wrong, where it is known.
    """

    status: int
    kind: str
    message: str
    code: str | None = None
    retry_after_s: float | None = None
    again: bool = False  # would the same request, sent again at once or after the pause, do better?
    param: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """How clients are told whether to come back: Retry-After, and `x-should-retry` that their libraries read."""
        told = {"x-should-retry": "true" if self.again else "false"}
        if self.status == 401:
            told["WWW-Authenticate"] = "Bearer"  # RFC 9110, 11.6.1
        if self.retry_after_s is not None and self.again:
            told["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        return told


class RefusedError(OrchestratorError):
    """The gateway itself refuses a request."""

    def __init__(
        self, status: int, kind: str, message: str, *, retry_after_s: float | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        again = retry_after_s is not None
        self.refusal = Refusal(status, kind, message, retry_after_s=retry_after_s, again=again, param=param)


# What went wrong upstream, as the caller of a gateway should see it: a key or an address that is wrong there is the
# gateway's own fault, not the caller's. The engine has retried already: clients need not.
_UPSTREAM = {
    "authentication": 502,
    "permission": 502,
    "quota": 502,
    "not_found": 502,
    "rate_limit": 429,
    "overloaded": 503,
    "timeout": 504,
    "invalid_request": 400,
    "context_length": 400,
    "content_filter": 400,
}
_CODES = {"context_length": "context_length_exceeded", "content_filter": "content_filter"}


def refusal_of(error: BaseException) -> Refusal:
    """The status and kind for anything the road may raise; what nobody foresaw is a 500 without its text.

    >>> refusal_of(ModelNotFoundError("no model 'x' is registered"))[:2]
    (404, 'not_found')
    >>> refusal_of(ZeroDivisionError("secret"))[:3]
    (500, 'server', 'the gateway failed on this request; its log says how')
    """
    if isinstance(error, RefusedError):
        return error.refusal
    if isinstance(error, ProviderAPIError):
        return _upstream(error)
    if isinstance(error, BudgetExceededError):
        return Refusal(429, "budget", str(error), "insufficient_quota")
    if isinstance(error, DrainingError):
        return Refusal(503, "overloaded", str(error), retry_after_s=1, again=True)
    if isinstance(error, CapacityError):
        return Refusal(429, "rate_limit", str(error), retry_after_s=error.retry_after_s, again=True)
    if isinstance(error, ModelNotFoundError):
        return Refusal(404, "not_found", str(error), "model_not_found")
    if isinstance(error, NoEligibleModelsError):
        return Refusal(400, "invalid_request", str(error), "no_eligible_model")
    if isinstance(error, ConfigurationError | TypeError | ValueError):
        return Refusal(400, "invalid_request", str(error))
    if isinstance(error, OrchestratorError):
        return Refusal(502, "server", str(error))
    return Refusal(500, "server", "the gateway failed on this request; its log says how")


def _upstream(error: ProviderAPIError) -> Refusal:
    kind = error.error_type
    return Refusal(
        _UPSTREAM.get(kind, 502),
        kind,
        str(error) or kind,
        _CODES.get(kind),
        error.retry_after_s,
        again=kind == "rate_limit" and error.retry_after_s is not None,
    )
