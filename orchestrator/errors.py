"""Every error the engine raises, split by what the caller can do about it.

::

    OrchestratorError
      ConfigurationError          fix the settings
        ProviderConfigError       ... of one provider
      ModelError
        ModelNotFoundError        no such id (also KeyError)
          AmbiguousModelError     several models answer to this name
        DuplicateModelError       the id is taken (also ValueError)
        ModelProviderError        set-up: a key or an address is missing
        NoEligibleModelsError     no model fits: .reasons says why not, model by model
        ProviderAPIError          the call failed: .error_type, .status, .retry_after_s, .attempts
          AuthenticationError  PermissionDeniedError  QuotaError          the key or the account
          RateLimitError  OverloadedError                                 too much at once
          ServerError  ProviderTimeoutError  ProviderConnectionError      the far end or the road to it
          MalformedResponseError  StreamTruncatedError                    an answer that is none
          UpstreamNotFoundError                                           the provider no longer has the model
          InvalidRequestError  ContextLengthError  ContentFilterError     this request
      BudgetExceededError         .limit_usd, .spent_usd, .reserved_usd, .resets_at, .resets_in_s
      CapacityError               queue or limits are full: .retry_after_s
        DrainingError             this process is going down and takes no new calls

No error text holds a key or a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from orchestrator.conduct import CONDUCT, Blame, Conduct, Toll

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.core.tries import Attempt

__all__ = [
    "CONDUCT",
    "PROVIDER_ERRORS",
    "AmbiguousModelError",
    "AuthenticationError",
    "Blame",
    "BudgetExceededError",
    "CapacityError",
    "Conduct",
    "ConfigurationError",
    "ContentFilterError",
    "ContextLengthError",
    "DrainingError",
    "DuplicateModelError",
    "InvalidRequestError",
    "MalformedResponseError",
    "ModelError",
    "ModelNotFoundError",
    "ModelProviderError",
    "NoEligibleModelsError",
    "OrchestratorError",
    "OverloadedError",
    "PermissionDeniedError",
    "ProviderAPIError",
    "ProviderConfigError",
    "ProviderConnectionError",
    "ProviderTimeoutError",
    "QuotaError",
    "RateLimitError",
    "ServerError",
    "StreamTruncatedError",
    "Toll",
    "UpstreamNotFoundError",
    "did_you_mean",
]


_MOST_REASONS = 50  # that a message tells; all of them are in `reasons`
_MOST_COMPARED = 200  # names that are looked at closely, which takes tens of microseconds each
_LONGEST_NAME = 200  # characters of an unknown name that count


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The tail of an error message: near names if there are any, else the accepted ones.

    >>> did_you_mean("gpt4", ["gpt-4", "claude"])
    "did you mean 'gpt-4'?"
    >>> did_you_mean("zzz", ["a", "b"])
    "known: 'a', 'b'"
    """
    name = name[:_LONGEST_NAME]
    near = get_close_matches(name, dict.fromkeys(_likeliest(name, known)), n=3)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    shown = ", ".join(map(repr, known[:24])) + (", ..." if len(known) > 24 else "")
    return f"known: {shown or 'none'}"


def _likeliest(name: str, known: Sequence[str]) -> Sequence[str]:
    """The names that have most three letters in a row in common with this one, and of these the like long ones."""
    if len(known) <= _MOST_COMPARED:
        return known
    pieces = {name[start : start + 3] for start in range(max(1, len(name) - 2))}

    def in_common(one: str) -> tuple[int, int]:
        return sum(map(one.__contains__, pieces)), -abs(len(one) - len(name))

    return nlargest(_MOST_COMPARED, known, key=in_common)


class OrchestratorError(Exception):
    """The root: catch this to catch everything the engine raises on purpose; `context` holds the facts."""

    def __init__(self, message: str = "", *, context: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.context: dict[str, Any] = dict(context or {})

    def __str__(self) -> str:
        # KeyError, a base of one subclass, would show the repr of the message
        return str(self.args[0]) if self.args else ""


class ConfigurationError(OrchestratorError):
    """A setting is wrong; the message names it and the accepted values."""


class ProviderConfigError(ConfigurationError):
    """A setting of one provider is wrong."""


class ModelError(OrchestratorError):
    """Something about one model or about the choice among them."""


class ModelNotFoundError(ModelError, KeyError):
    """No registered model answers to this id."""

    @classmethod
    def named(cls, model_id: str, known: Sequence[str]) -> ModelNotFoundError:
        """The error for a look-up that found nothing among the known ids."""
        return cls(f"no model {model_id!r} is registered; {did_you_mean(model_id, known)}", context={"id": model_id})


class AmbiguousModelError(ModelNotFoundError):
    """Several models answer to this bare name; use the full id."""


class DuplicateModelError(ModelError, ValueError):
    """The id is already registered; assign `registry[id] = model` to replace it."""


class ModelProviderError(ModelError):
    """A model cannot be set up: a key, an address or an extra is missing."""


class NoEligibleModelsError(ModelError):
    """No model meets the requirements; `reasons` maps each model's id to why not."""

    def __init__(self, message: str = "", *, reasons: Mapping[str, str] | None = None) -> None:
        super().__init__(message, context={"reasons": dict(reasons or {})})
        self.reasons: dict[str, str] = dict(reasons or {})

    @classmethod
    def among(cls, reasons: Mapping[str, str]) -> NoEligibleModelsError:
        """The error that lists every model with the requirement it fails."""
        if not reasons:
            return cls("no model is registered; add one with registry.register_model(...)")
        shown = islice(reasons.items(), _MOST_REASONS)
        lines = "\n".join(f"  {model_id}: {why}" for model_id, why in shown)
        if len(reasons) > _MOST_REASONS:
            lines += f"\n  and {len(reasons) - _MOST_REASONS} more: see .reasons"
        return cls(f"none of {len(reasons)} models is eligible:\n{lines}", reasons=reasons)


class ProviderAPIError(ModelError):
    """A call to a provider failed; `error_type` names the class of failure.

    `attempts` lists every model that was tried, in order, when there was more than one try; `text_so_far`
    is what a broken stream had said before it broke.
    """

    error_type: ClassVar[str] = "unknown"
    kind: ClassVar[str] = "unknown"  # the row of CONDUCT, where it is not that of the error type
    conduct: ClassVar[Conduct] = CONDUCT["unknown"]
    blame: ClassVar[Blame] = Blame.MODEL
    again: ClassVar[int] = 0

    def __init_subclass__(cls) -> None:
        """Take the conduct from the table; a class may name its row, or be blamed otherwise, in its body."""
        own = cls.__dict__
        cls.kind = own.get("kind") or own.get("error_type") or cls.kind
        cls.conduct = CONDUCT.get(cls.kind, cls.conduct)
        cls.blame, cls.again = own.get("blame", cls.conduct.blame), own.get("again", cls.conduct.again)
        cls.conduct = cls.conduct._replace(blame=cls.blame, again=int(cls.again))

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        model_id: str | None = None,
        text_so_far: str = "",
    ) -> None:
        super().__init__(message, context={"error_type": self.error_type})
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.model_id = model_id
        self.text_so_far = text_so_far
        self.attempts: tuple[Attempt, ...] = ()


class AuthenticationError(ProviderAPIError):
    """The key is wrong, revoked or missing."""

    error_type = "authentication"


class PermissionDeniedError(ProviderAPIError):
    """The key is right but may not do this: model, region or feature."""

    error_type = "permission"


class QuotaError(ProviderAPIError):
    """The account is out of money or of its daily quota; waiting seconds does not help."""

    error_type = "quota"


class RateLimitError(ProviderAPIError):
    """Too many requests or tokens for now; `retry_after_s` says for how long, if the provider did."""

    error_type = "rate_limit"


class OverloadedError(ProviderAPIError):
    """The provider is up but full."""

    error_type = "overloaded"


class ServerError(ProviderAPIError):
    """The provider failed while answering."""

    error_type = "server"


class ProviderTimeoutError(ProviderAPIError):
    """No answer, or no progress, within the time allowed."""

    error_type = "timeout"


class ProviderConnectionError(ProviderAPIError):
    """No connection: refused, reset, name not found or TLS."""

    error_type = "connection"


class MalformedResponseError(ProviderAPIError):
    """The reply cannot be read as what it claims to be."""

    error_type = "malformed_response"


class StreamTruncatedError(ProviderAPIError):
    """The stream ended without its end marker; `text_so_far` is not an answer."""

    error_type = "truncated"


class UpstreamNotFoundError(ProviderAPIError):
    """The provider does not have this model, deployment or path."""

    error_type = "not_found"


class InvalidRequestError(ProviderAPIError):
    """The request is wrong; no model would take it."""

    error_type = "invalid_request"


class ContextLengthError(ProviderAPIError):
    """The prompt does not fit this model; one with a larger window may take it."""

    error_type = "context_length"


class ContentFilterError(ProviderAPIError):
    """The provider refused the content."""

    error_type = "content_filter"


PROVIDER_ERRORS: dict[str, type[ProviderAPIError]] = {
    error.error_type: error
    for error in (
        AuthenticationError,
        PermissionDeniedError,
        QuotaError,
        RateLimitError,
        OverloadedError,
        ServerError,
        ProviderTimeoutError,
        ProviderConnectionError,
        MalformedResponseError,
        StreamTruncatedError,
        UpstreamNotFoundError,
        InvalidRequestError,
        ContextLengthError,
        ContentFilterError,
    )
}


class BudgetExceededError(OrchestratorError):
    """The next call would spend more than the budget allows; nothing was sent.

    `limit_usd`, `spent_usd` and `reserved_usd` (also `limit`, `spent`, `reserved`) are those of the budget that
    refused, `resets_at` is the moment it begins anew, or None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        limit_usd: float | None = None,
        spent_usd: float | None = None,
        reserved_usd: float | None = None,
        resets_in_s: float | None = None,
        resets_at: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.limit_usd = self.limit = limit_usd
        self.spent_usd = self.spent = spent_usd
        self.reserved_usd = self.reserved = reserved_usd
        self.resets_in_s, self.resets_at = resets_in_s, resets_at


class CapacityError(OrchestratorError):
    """Every place is taken and the queue is full; come back after `retry_after_s`."""

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DrainingError(CapacityError):
    """This registry is being drained and takes no new calls; ask another process."""
