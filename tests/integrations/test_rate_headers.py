"""What is left of an allowance, in every form in which providers tell it."""

from contextlib import suppress

import pytest

from orchestrator.errors import RateLimitError
from orchestrator.integrations.openai_model import OpenAIModel
from orchestrator.integrations.rate_headers import Allowance, Allowances, allowances

DATE = {"date": "Tue, 13 May 2025 13:41:13 GMT"}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (
            {
                "x-ratelimit-limit-requests": "10000",
                "x-ratelimit-remaining-requests": "9999",
                "x-ratelimit-reset-requests": "8.64s",
                "x-ratelimit-limit-tokens": "200000",
                "x-ratelimit-remaining-tokens": "199940",
                "x-ratelimit-reset-tokens": "20ms",
            },
            Allowances(Allowance(10000, 9999, 8.64), Allowance(200000, 199940, 0.02)),
        ),
        (
            {
                "x-ratelimit-limit-requests": "240",
                "x-ratelimit-remaining-requests": "239",
                "x-ratelimit-reset-requests": "60",
                "x-ratelimit-limit-tokens": "40000",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "12",
            },
            Allowances(Allowance(240, 239, 60), Allowance(40000, 0, 12)),
        ),
        (
            {
                **DATE,
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2025-05-13T13:41:23Z",
                "anthropic-ratelimit-tokens-limit": "30000",
                "anthropic-ratelimit-tokens-remaining": "29000",
                "anthropic-ratelimit-tokens-reset": "2025-05-13T13:41:15Z",
            },
            Allowances(Allowance(50, 49, 10), Allowance(30000, 29000, 2)),
        ),
        (
            {
                "x-ratelimit-limit-req-minute": "60",
                "x-ratelimit-remaining-req-minute": "59",
                "x-ratelimit-limit-tokens-minute": "500000",
                "x-ratelimit-remaining-tokens-minute": "499990",
                "x-ratelimit-tokens-query-cost": "10",
            },
            Allowances(Allowance(60, 59, None), Allowance(500000, 499990, None)),
        ),
        (
            {"x-ratelimit-limit": "600", "x-ratelimit-remaining": "599", "x-ratelimit-reset": "1"},
            Allowances(Allowance(600, 599, 1), None),
        ),
        (
            {"x-ratelimit-limit-requests": "480", "x-ratelimit-remaining-requests": "479"},
            Allowances(Allowance(480, 479, None), None),
        ),
        ({}, Allowances()),
    ],
    ids=["OpenAI", "Azure", "Anthropic", "Mistral", "Together", "xAI", "Gemini"],
)
def test_each_dialect_is_read(headers, told):
    """The figures as documented, seconds counted by the provider's own clock."""
    assert allowances(headers) == told


@pytest.mark.parametrize("remaining", ["", "-1", "nan", "inf", "many", "1e999"])
def test_a_figure_that_is_none_says_nothing(remaining):
    """Rather no limit than a wrong one."""
    assert allowances({"x-ratelimit-remaining-requests": remaining}) == Allowances()


@pytest.mark.parametrize("reset", ["-5", "nan", "0", "1741305600000", "soon", "2025-05-13T13:41:23Z"])
def test_an_end_that_is_none_leaves_the_rest(reset):
    """Zero, the past, a date in milliseconds, and a date without the provider's own clock beside it."""
    headers = {"x-ratelimit-remaining": "3", "x-ratelimit-reset": reset}
    assert allowances(headers).requests == Allowance(None, 3, None)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status", [200, 429])
async def test_a_model_shows_the_headers_of_its_last_reply(tiny, streamed, status):
    """Of answers, streams and refusals alike."""
    if streamed and status == 200:
        chunk = {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}
        tiny.stream(chunk)
    else:
        answer = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
        tiny.reply(answer, status=status, headers={"X-RateLimit-Remaining-Requests": "7"})
    model = OpenAIModel(name="m", api_key="k", base_url=tiny.url)
    assert model.rate_headers is None
    with suppress(RateLimitError):
        if streamed:
            _ = [chunk async for chunk in model.stream_response("hi")]
        else:
            await model.generate_response("hi")
    assert model.rate_headers["content-type"]
    expected = None if streamed and status == 200 else Allowance(None, 7, None)
    assert allowances(model.rate_headers).requests == expected
