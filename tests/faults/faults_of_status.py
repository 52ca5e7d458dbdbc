"""B. What a status says."""

from __future__ import annotations

import json

from fault_row import CALLER, GONE, KEY, NEXT, NOTHING, PAUSE, SAME, STRIKE, Row

from orchestrator.testing import Answer, Fail, Head, Raw, Refuse, Send

PAGE = b"<html><head><title>404</title></head></html>"


def said(status: int, body: object, headers=()):
    """A reply with this status and this JSON."""
    data = json.dumps(body).encode()
    return [Head(status, dict(headers), length=len(data)), Send(data)]


def page(status: int):
    """A reply with a page."""
    return [Head(status, {"Content-Type": "text/html"}, length=len(PAGE)), Send(PAGE)]


def limited(retry_after: str | None, **headers: str):
    """A 429 with this hint."""
    hint = {} if retry_after is None else {"Retry-After": retry_after}
    return Refuse(Fail(429), {"Date": "Thu, 01 Jan 2026 00:00:00 GMT", **hint, **headers})


def row(number: int, fault: str, then: str, error: str | None, health, play, **more) -> Row:  # noqa: PLR0917 - a table reads by place
    """A status and what follows."""
    return Row(number=number, fault=fault, then=then, error=error, health=health, play=play, **more)


FIRST = (0.7, 1.3)  # seconds: one, with jitter

OTHERS = ("anthropic", "google", "ollama")


def said_by(number: int, fault: str, kind: str, then: str, health, *, providers=OTHERS, error=None):
    """The same fault in the words of other providers."""
    return [
        row(number, fault, then, error or kind, health, Refuse(Fail(kind=kind)), provider=name, variant=name, alone=1)
        for name in providers
    ]


# fmt: off
STATUSES = [
    row(20, "400 malformed", CALLER, "invalid_request", NOTHING, Refuse(Fail(400)), alone=1),
    *said_by(20, "400 malformed", "invalid_request", CALLER, NOTHING),
    row(21, "401 bad key", NEXT, "authentication", KEY, Refuse(Fail(401)), alone=1),
    row(21, "401 bad key", NEXT, "authentication", KEY, Refuse(Fail(401)), alone=1, stream=True),
    *said_by(21, "401 bad key", "authentication", NEXT, KEY),
    row(22, "402 no credit", NEXT, "quota", KEY, said(402, {"error": {"message": "Insufficient credits"}})),
    row(22, "429 insufficient_quota", NEXT, "quota", KEY, Refuse(Fail(kind="quota")), alone=1),
    *said_by(22, "no credit in other words", "quota", NEXT, KEY, providers=("ollama",)),
    row(22, "400 credit balance too low (Anthropic)", NEXT, "quota", KEY, Refuse(Fail(kind="quota")), provider="anthropic"),
    row(23, "403 permission or region", NEXT, "permission", GONE, Refuse(Fail(403))),
    *said_by(23, "403 permission or region", "permission", NEXT, GONE),
    row(23, "403 moderation", CALLER, "content_filter", NOTHING, said(403, {"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["violence"], "flagged_input": "x"}}})),
    *said_by(23, "the content is refused", "content_filter", CALLER, NOTHING, providers=("openai", "anthropic", "ollama")),
    row(24, "404 the model is gone", NEXT, "not_found", GONE, Refuse(Fail(404)), alone=1),
    *said_by(24, "404 the model is gone", "not_found", NEXT, GONE),
    row(25, "404 with a page (wrong base_url)", NEXT, "not_found", GONE, page(404)),
    *(row(26, "a status for a wrong kind of request", CALLER, "invalid_request", NOTHING, said(status, {"error": {"message": "no"}}), variant=str(status)) for status in (405, 415, 426)),
    row(27, "408 request timeout", NEXT, "server", STRIKE, said(408, {"error": {"message": "late"}}), alone=2),
    row(28, "409 conflict", NEXT, "server", NOTHING, said(409, {"error": {"message": "busy"}}), alone=2),
    row(29, "413 too large", NEXT, "context_length", NOTHING, said(413, {"error": {"message": "too large"}})),
    row(30, "422 validation", CALLER, "invalid_request", NOTHING, said(422, {"detail": [{"msg": "field required"}]})),
    row(30, "422 about the length", NEXT, "context_length", NOTHING, said(422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096"})),
    row(31, "429 Retry-After: 2", NEXT, "rate_limit", PAUSE, limited("2"), out_s=(1.5, 2), alone=3),
    row(31, "429 Retry-After: 2", NEXT, "rate_limit", PAUSE, limited("2"), out_s=(1.5, 2), alone=3, stream=True),
    row(32, "429 with a date 7 s ahead of the server's clock", NEXT, "rate_limit", PAUSE, limited("Thu, 01 Jan 2026 00:00:07 GMT"), out_s=(6.5, 7)),
    row(32, "429 with a date", NEXT, "rate_limit", PAUSE, limited("Thu, 01 Jan 2025 00:00:00 GMT"), out_s=FIRST, variant="past"),
    row(32, "429 with a date", NEXT, "rate_limit", PAUSE, limited("Thu, 99 Foo 2026"), out_s=FIRST, variant="impossible"),
    row(33, "429 without a hint", NEXT, "rate_limit", PAUSE, limited(None), out_s=FIRST),
    row(34, "429 with a hint of a day", NEXT, "rate_limit", PAUSE, limited("86400"), out_s=(3500, 3600), alone=1),
    *(row(35, "429 with a hint that is none", NEXT, "rate_limit", PAUSE, limited(hint), out_s=FIRST, variant=hint) for hint in ("-5", "NaN", "9e99", "soon")),
    row(36, "429 Request too large", NEXT, "context_length", NOTHING, said(429, {"error": {"message": "Request too large for gpt-4o on tokens per min (TPM)", "type": "tokens", "code": "rate_limit_exceeded"}})),
    row(37, "429 on tokens with requests left", NEXT, "rate_limit", PAUSE, limited("3", **{"x-ratelimit-remaining-requests": "99", "x-ratelimit-remaining-tokens": "0"})),
    *(row(38, "the server fails", NEXT, "server", STRIKE, said(status, {"error": {"message": "oops"}}), alone=3, variant=str(status)) for status in (500, 502, 504)),
    row(38, "the server fails", NEXT, "server", STRIKE, said(500, {"error": {"message": "oops"}}), alone=3, variant="500", stream=True),
    row(38, "the server is full (503)", NEXT, "overloaded", STRIKE, said(503, {"error": {"message": "oops"}}), alone=3),
    row(39, "the server is full (529)", NEXT, "overloaded", STRIKE, Refuse(Fail(kind="overloaded")), provider="anthropic", alone=3),
    *(row(40, "a status of a CDN, with a page", NEXT, "server", STRIKE, page(status), variant=str(status)) for status in (499, 520, 522, 524, 527)),
    row(41, "200 with an error inside", NEXT, "rate_limit", PAUSE, said(200, {"error": {"code": 429, "message": "slow"}}), variant="by its code"),
    row(41, "200 with an error inside", NEXT, "overloaded", STRIKE, said(200, {"error": {"type": "overloaded_error"}}), variant="by its type", stream=True),
    row(42, "an empty body", NEXT, "server", STRIKE, Head(204, length=0), alone=3, variant="204"),
    row(42, "an empty body", NEXT, "server", STRIKE, Head(200, length=0), alone=3, variant="200"),
    row(43, "103 before the answer", SAME, None, NOTHING, [Raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), Answer()]),
    *(row(43, "a status without sense", NEXT, "not_found", GONE, Head(status, length=0), variant=str(status)) for status in (300, 304)),
]
