"""From what a provider refused with to the error class that says what to do about it: one table, read downwards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    ProviderAPIError,
    QuotaError,
    RateLimitError,
    ServerError,
    UpstreamNotFoundError,
)
from orchestrator.integrations.complaints import Complaint, read_complaint, shown
from orchestrator.integrations.retry_hints import retry_after_s

__all__ = ["ConflictError", "RequestTimeoutError", "UnsupportedFeatureError", "failure", "failure_in_reply"]


class UnsupportedFeatureError(InvalidRequestError):
    """This model lacks a feature the request uses; another model may have it."""

    kind = "unsupported"


class RequestTimeoutError(ServerError):
    """The provider gave up waiting for the request (408); once more may do."""

    kind = "request_timeout"


class ConflictError(ServerError):
    """The request met another one at the provider (409), which says nothing about the model; once more may do."""

    kind = "conflict"


class _Row(NamedTuple):
    """All that is given must hold: the status, one of the words, the pattern in the text."""

    error: type[ProviderAPIError]
    status: frozenset[int] = frozenset()
    words: frozenset[str] = frozenset()
    text: re.Pattern[str] | None = None

    def fits(self, status: int | None, complaint: Complaint) -> bool:
        return (
            (not self.status or status in self.status)
            and (not self.words or not self.words.isdisjoint(complaint.words))
            and (self.text is None or self.text.search(complaint.text) is not None)
        )


def _row(error: type[ProviderAPIError], status: str = "", *, words: str = "", text: str | None = None) -> _Row:
    pattern = None if text is None else re.compile(text, re.IGNORECASE)
    return _Row(error, frozenset(map(int, status.split())), frozenset(words.split()), pattern)


# text decides only where status and words leave it open
_TABLE = (
    _row(ContextLengthError, words="context_length_exceeded request_too_large"),
    _row(ContextLengthError, "413"),
    _row(
        ContextLengthError,
        "400 422",
        text=r"prompt is too long|prompt too long|input token count|maximum context length|max(imum)? context"
        r"|context (window|length|size)|tokens \+ .max_new_tokens|too many (input )?tokens",
    ),
    _row(ContextLengthError, "429", text=r"request too large"),
    _row(
        ContentFilterError,
        words="content_filter content_policy_violation responsibleaipolicyviolation moderation moderation_blocked",
    ),
    _row(ContentFilterError, "403", text=r"moderation|flagged"),
    _row(ContentFilterError, "400", text=r"blocked by (the )?content|content (filtering |management )?policy"),
    _row(QuotaError, "402"),
    _row(QuotaError, words="insufficient_quota billing_error billing_hard_limit_reached quota_per_day"),
    _row(QuotaError, "400 403", text=r"credit balance|insufficient balance"),
    _row(AuthenticationError, "401"),
    _row(AuthenticationError, words="invalid_api_key api_key_invalid authentication_error unauthenticated"),
    _row(AuthenticationError, "400 403", text=r"(incorrect|invalid) api key|api key (not valid|expired)"),
    _row(
        UnsupportedFeatureError,
        "400 404 422",
        text=r"image_url.? is only supported|image input|unknown variant .?image_url|not an? (vision|multimodal) model"
        r"|content must be a string|input should be 'text'|at most 0 image|(does not|doesn't) (support|accept) image",
    ),
    _row(UpstreamNotFoundError, "404 410"),
    _row(UpstreamNotFoundError, words="model_not_found not_found not_found_error deploymentnotfound"),
    _row(UpstreamNotFoundError, "400", text=r"model .{0,80}(not found|does not exist)|try pulling it first"),
    _row(PermissionDeniedError, "403"),
    _row(PermissionDeniedError, words="permission_error permission_denied failed_precondition"),
    _row(RateLimitError, "429"),
    _row(OverloadedError, "503 529"),
    _row(RequestTimeoutError, "408"),
    _row(ConflictError, "409"),
    _row(ServerError, "425 499 500 502 504 520 521 522 523 524 525 526 527"),
    _row(UnsupportedFeatureError, "400 422", words="unsupported_parameter unsupported_value"),
    _row(UnsupportedFeatureError, "400 422", text=r"does not support"),
    _row(InvalidRequestError, "400 405 406 411 414 415 416 422 426 428 431"),
    # from here on, errors inside a reply of status 200
    _row(RateLimitError, words="rate_limit_error rate_limit_exceeded resource_exhausted ratelimitreached 1302"),
    _row(OverloadedError, words="overloaded_error overloaded unavailable service_unavailable"),
    _row(InvalidRequestError, words="invalid_request_error invalid_argument invalid-argument validation"),
)

_REMEDIES: dict[type[ProviderAPIError], str] = {
    AuthenticationError: "check the API key",
    PermissionDeniedError: "this key may not use the model, the region or the feature",
    QuotaError: "the account has no credit left",
    UpstreamNotFoundError: "check the model's name and base_url",
}


def failure(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    provider: str = "the provider",
    private: Sequence[str] = (),
) -> ProviderAPIError:
    """The error for a reply whose status is no success; `private` texts never appear in its message.

    >>> error = failure(429, {"retry-after": "2"}, b'{"error": {"message": "Slow down"}}', provider="openai")
    >>> type(error).__name__, error.retry_after_s, str(error)
    ('RateLimitError', 2.0, 'openai answered 429: Slow down')
    """
    if 300 <= status < 400:
        return UpstreamNotFoundError(
            f"{provider} answered {status}: redirects are not followed, since they would carry the key and the prompt "
            "elsewhere; set base_url to the final address",
            status=status,
        )
    complaint = read_complaint(body)
    error = _classify(status, complaint)
    return error(
        _message(f"{provider} answered {status}", error, complaint, private),
        status=status,
        code=_code(complaint, private),
        retry_after_s=retry_after_s(headers, complaint.details, complaint.text),
    )


def failure_in_reply(
    body: Any, *, provider: str = "the provider", private: Sequence[str] = (), text_so_far: str = ""
) -> ProviderAPIError:
    """The error for an `error` found inside a reply or a stream that began as a success."""
    complaint = read_complaint(body)
    error = _classify(complaint.status, complaint)
    return error(
        _message(f"{provider} reported an error in its reply", error, complaint, private),
        status=complaint.status,
        code=_code(complaint, private),
        retry_after_s=retry_after_s({}, complaint.details, complaint.text),
        text_so_far=text_so_far,
    )


def _classify(status: int | None, complaint: Complaint) -> type[ProviderAPIError]:
    return next((row.error for row in _TABLE if row.fits(status, complaint)), ServerError)


def _code(complaint: Complaint, private: Sequence[str]) -> str | None:
    """The provider's code, unless it is something to hide."""
    code = complaint.code
    return code if code is None or shown(code, private) == code else None


def _message(head: str, error: type[ProviderAPIError], complaint: Complaint, private: Sequence[str]) -> str:
    said = shown(complaint.text, private)
    remedy = _REMEDIES.get(error)
    return ": ".join(part for part in (head, said) if part) + (f" ({remedy})" if remedy else "")
