"""What a gateway's clients waited for, counted by the names that OpenTelemetry has for servers."""

import anthropic
import openai
import pytest
from aiohttp import ClientSession
from gateway_stage import KEY, stage
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.testing import CutStream, EmulatedModel, Fail

ASK = [{"role": "user", "content": "What is 2 + 3?"}]
WHOLE, FIRST, EACH = (
    f"gen_ai_server_{name}_seconds_count"
    for name in ("request_duration", "time_to_first_token", "time_per_output_token")
)


async def counted(served, name):
    """The labels and counts under one name, as the gateway's own /metrics tells them."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with ClientSession() as http, http.get(f"{served.url}/metrics", headers=headers) as answer:
        families = text_string_to_metric_families(await answer.text())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {
        tuple(sorted((key.removeprefix("gen_ai_"), value) for key, value in one.labels.items())): one.value
        for one in samples
    }


def labels(**told):
    """Labels as `counted` gives them."""
    return tuple(sorted({"operation_name": "chat", "provider_name": "openai", **told}.items()))


async def test_a_whole_answer_has_one_time(served):
    """By what was asked for and who answered; in either dialect, and vectors apart."""
    async with served.openai() as client, served.anthropic() as other:
        await client.chat.completions.create(model="first", messages=ASK)
        await other.messages.create(model="first", max_tokens=9, messages=ASK)
        await client.embeddings.create(model="second", input="a")
    asked = {"request_model": "first", "response_model": "first"}
    vectors = {"request_model": "second", "response_model": "second", "operation_name": "embeddings"}
    assert await counted(served, WHOLE) == {labels(**asked): 2, labels(**vectors): 1}
    assert await counted(served, FIRST) == {}


async def test_a_stream_has_a_first_token_and_a_time_for_each_other(served):
    """As its reader sees them; `auto` is told as what the client said."""
    async with served.openai() as client:
        async for _ in await client.chat.completions.create(model="auto", messages=ASK, stream=True):
            pass
    for name in (WHOLE, FIRST, EACH):
        [(told, count)] = (await counted(served, name)).items()
        assert (dict(told)["request_model"], count) == ("auto", 1)


async def test_a_refusal_is_counted_with_its_class(served):
    """Without the name that nobody knows, which a stranger may have made up."""
    async with served.openai() as client, served.anthropic("wrong") as stranger:
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="made-up", messages=ASK)
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model="made-up", max_tokens=9, messages=ASK)
    ours = {"provider_name": "orchestrator"}
    found = {tuple(pair for pair in told if pair[0] != "error_type") for told in await counted(served, WHOLE)}
    assert found == {labels(**ours, request_model="other"), labels(**ours)}


async def test_a_stream_that_breaks_is_no_success():
    """It has a time and a class, and no time for a token."""
    async with (
        stage(EmulatedModel("m", script=[CutStream(after_chunks=2), Fail(503)] * 9)) as served,
        served.openai(max_retries=0) as client,
    ):
        with pytest.raises(openai.APIError):
            async for _ in await client.chat.completions.create(model="m", messages=ASK, stream=True):
                pass
        assert len(await counted(served, WHOLE)) == 1
        assert await counted(served, EACH) == await counted(served, FIRST) == {}
