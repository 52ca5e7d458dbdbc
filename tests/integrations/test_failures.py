"""Refusals are classified by a table, with the wait they ask for, and shown without secrets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PROVIDER_ERRORS, Blame, ProviderAPIError
from orchestrator.integrations.complaints import shown
from orchestrator.integrations.failures import failure, failure_in_reply

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


def body(text="", **fields):
    return json.dumps({"error": {"message": text, **fields}}).encode()


@pytest.mark.parametrize(
    ("status", "raw", "kind"),
    [
        (400, body("prompt is too long: 9 tokens > 8 maximum"), "context_length"),
        (400, body("The input token count (9) exceeds the maximum number of tokens allowed (8)."), "context_length"),
        (413, b"<html>too large</html>", "context_length"),
        (429, body("Request too large for gpt-4o: Limit 30000, Requested 36278"), "context_length"),
        (403, body("flagged", metadata={"reasons": ["violence"]}), "content_filter"),
        (400, body("x", code="content_policy_violation"), "content_filter"),
        (400, body("x", code=None, innererror={"code": "ResponsibleAIPolicyViolation"}), "content_filter"),
        (402, body("x"), "quota"),
        (429, body("x", type="insufficient_quota", code=None), "quota"),
        (429, body("x", details=[{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]), "quota"),
        (429, body("x", details=[{"violations": [{"quotaId": "GenerateRequestsPerMinute"}]}]), "rate_limit"),
        (400, body("x", status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}]), "authentication"),
        (400, body("x", code="model_not_found"), "not_found"),
        (404, b'{"error": "model \\"x\\" not found, try pulling it first"}', "not_found"),
        (403, body("x"), "permission"),
        (429, b"", "rate_limit"),
        (529, b"", "overloaded"),
        (503, b"", "overloaded"),
        (520, b"<html>", "server"),
        (408, b"", "server"),
        (418, b"", "server"),
        (422, b'{"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]}', "invalid_request"),
        (
            400,
            body("Provider returned error", metadata={"raw": '{"error":{"code":"context_length_exceeded"}}'}),
            "context_length",
        ),
        (302, b"", "not_found"),
    ],
)
def test_the_class_follows_from_status_words_and_text(status, raw, kind):
    """Status first, then codes, types and states, then text where those leave it open."""
    error = failure(status, {}, raw)
    assert error.error_type == kind
    assert error.status == status


def test_a_missing_feature_is_a_mismatch_not_a_mistake():
    """Another model may have it."""
    error = failure(400, {}, b'{"error": "model x does not support tools"}')
    assert (error.error_type, error.blame) == ("invalid_request", Blame.MISMATCH)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "Invalid content type. image_url is only supported by certain models."),
        (400, "Image input modality is not enabled for models/gemma-3-1b-it"),
        (404, "No endpoints found that support image input"),
        (400, "messages[0].content must be a string"),
        (422, "messages[0]: unknown variant `image_url`, expected `text` at line 1"),
        (400, "m is not a multimodal model"),
        (400, "At most 0 image(s) may be provided in one request."),
    ],
)
def test_a_picture_that_a_model_cannot_see_is_a_mismatch(status, text):
    """Providers refuse it in many words; another model may have eyes."""
    error = failure(status, {}, body(text, type="invalid_request_error"))
    assert (error.error_type, error.blame, error.conduct.elsewhere) == ("invalid_request", Blame.MISMATCH, True)


@pytest.mark.parametrize(("status", "again", "teaches"), [(408, 1, True), (409, 1, False)])
def test_a_conflict_and_a_slow_request_may_be_tried_once_more(status, again, teaches):
    """Once, and a conflict says nothing about the model."""
    conduct = failure(status, {}, b"").conduct
    assert (conduct.again, conduct.counts) == (again, teaches)


@pytest.mark.parametrize(
    ("headers", "raw", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, b"", 1.5),
        ({"retry-after-ms": "0", "retry-after": "1"}, b"", 1.0),
        ({"retry-after": "2.5"}, b"", 2.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": DATE}, b"", 30.0),
        ({"retry-after": "Wed, 21 Oct 2020 07:28:30 GMT", "date": DATE}, b"", None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, b"", None),
        ({"retry-after": "soon", "date": "never"}, b"", None),
        ({"retry-after": "86400"}, b"", 86_400.0),
        ({"retry-after": "9e99"}, b"", None),
        ({"retry-after": "nan"}, b"", None),
        ({"retry-after": "inf"}, b"", None),
        ({"retry-after": "-5"}, b"", None),
        ({}, body("x", details=[{"retryDelay": "43s"}]), 43.0),
        ({}, body("Please try again in 174ms. Visit"), 0.174),
        ({}, body("Please try again in 1m2s."), 62.0),
        ({}, body("Please try again in 26.604s."), 26.604),
        ({}, body("Please retry after 86400 seconds"), 86_400.0),
        ({}, body("Try again in 50 seconds"), 50.0),
        ({}, b'{"error": "loading", "estimated_time": 20.0}', 20.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m12s"}, b"", 72.0),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "1m12s"}, b"", None),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-10-21T07:28:10Z",
                "date": DATE,
            },
            b"",
            10.0,
        ),
    ],
)
def test_the_wait_is_read_from_wherever_it_is(headers, raw, seconds):
    """Headers, details, prose; zero, negative, endless and unreadable hints are none."""
    assert failure(429, headers, raw).retry_after_s == pytest.approx(seconds)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "sk-ant-api03-xyz_123",
        "sk-ab***************wxyz",
        "AIzaSyA1234567890abcdefghijk",
        "hf_abcdefghijklmnop",
        "gsk_abcdefghijklmnop",
        "Bearer abc123def456",
        "xai-abcdefgh12345",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_what_looks_like_a_key_is_hidden(secret):
    """Wherever it stands."""
    text = shown(f"The key {secret} is wrong, says '{secret}'.")
    assert secret not in text
    assert "wrong" in text


def test_a_quotation_of_the_prompt_is_hidden():
    """Whole or in part, also cut and with other white space."""
    prompt = "Tell me about\nthe time my grandmother met the mayor of Trieste"
    text = shown("Bad input: the time my grandmother met the mayor of Tri... is not allowed", [prompt])
    assert text == "Bad input:[hidden]... is not allowed"


def test_a_short_prompt_does_not_mangle_the_message():
    """Two letters in common are no quotation."""
    assert shown("This is wrong", ["is"]) == "This is wrong"


@settings(deadline=None)
@given(
    st.integers(0, 999),
    st.dictionaries(st.sampled_from(["retry-after", "date", "retry-after-ms"]), st.text()),
    st.binary(),
)
def test_any_refusal_becomes_one_of_our_errors(status, headers, raw):
    """Whatever a server sends: a known class, a bounded message, a sane wait."""
    error = failure(status, headers, raw)
    assert isinstance(error, tuple(PROVIDER_ERRORS.values()))
    assert len(str(error)) < 400
    assert error.retry_after_s is None or 0 < error.retry_after_s < 32 * 86_400


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["error", "code", "type", "message", "status", "details", "metadata", "raw", "detail"]),
                inner,
            )
        ),
    )
)
def test_any_value_in_a_reply_becomes_one_of_our_errors(value):
    """The shapes of error bodies in any combination."""
    error = failure_in_reply(value, text_so_far="so far")
    assert isinstance(error, ProviderAPIError)
    assert error.text_so_far == "so far"
