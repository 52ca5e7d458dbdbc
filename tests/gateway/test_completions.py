"""Completions, the form before chat, through the real client of OpenAI."""

import aiohttp
import openai
import pytest
from gateway_stage import stage

from orchestrator.testing import CutStream, EmulatedModel, Fail, Say

PROMPT = "What is 2 + 3?"


async def test_a_prompt_is_answered_whole_and_in_pieces(served):
    """Both say the same kind of thing; usage ends a stream that asked for it, with the facts about the answer."""
    async with served.openai() as client:
        whole = await client.completions.create(model="first", prompt=PROMPT)
        stream = await client.completions.create(
            model="auto", prompt=PROMPT, stream=True, stream_options={"include_usage": True}
        )
        *chunks, last = [chunk async for chunk in stream]
    assert (whole.object, whole.choices[0].finish_reason) == ("text_completion", "stop")
    assert whole.choices[0].text
    assert whole.usage.completion_tokens > 0
    assert "".join(chunk.choices[0].text for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert (last.choices, last.orchestrator["model"]) == ([], last.model)
    assert last.usage.completion_tokens > 0


def test_the_synchronous_client_completes_too(threaded_gateway):
    """From a program without an event loop."""
    with openai.OpenAI(api_key="any-key", base_url=f"{threaded_gateway}/v1") as client:
        assert client.completions.create(model="auto", prompt=PROMPT).choices[0].text
        assert list(client.completions.create(model="auto", prompt=PROMPT, stream=True))


@pytest.mark.parametrize("streamed", [False, True])
async def test_several_prompts_get_as_many_answers_each(streamed):
    """Numbered in the order of the prompts; with `echo` each begins with its own."""
    async with stage(EmulatedModel("m")) as served, served.openai() as client:
        answer = await client.completions.create(model="m", prompt=["One.", "Two."], n=2, echo=True, stream=streamed)
        texts = ["", "", "", ""]
        for choice in [c async for chunk in answer for c in chunk.choices] if streamed else answer.choices:
            texts[choice.index] += choice.text
    assert [text[:4] for text in texts] == ["One.", "One.", "Two.", "Two."]
    assert min(map(len, texts)) > 4
    assert served.emulator.requests["m"] == 4


async def test_a_prompt_for_one_answer_may_be_remembered():
    """Prompts side by side are as many questions; only several answers to one have to be asked anew."""
    options = {"cache_responses": True}
    async with stage(EmulatedModel("m"), registry_options=options) as served, served.openai() as client:
        for _ in range(2):
            await client.completions.create(model="m", prompt=["One.", "Two."])
        await client.completions.create(model="m", prompt="One.", n=2)
    assert served.emulator.requests["m"] == 4


async def test_its_limits_reach_the_model():
    """An answer is cut where it was to be cut, and says so."""
    async with stage(EmulatedModel("m")) as served, served.openai() as client:
        answer = await client.completions.create(model="m", prompt=PROMPT, max_tokens=2, stop=["x"], seed=1)
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("more", "param", "told"),
    [
        ({"prompt": None}, "prompt", "'prompt' must be a text or a list of texts, not null"),
        ({"prompt": []}, "prompt", "a text or a list of texts, not an empty list"),
        ({"prompt": [1, 2, 3]}, "prompt", "a text or a list of texts, not a list"),
        ({"prompt": ["hi"] * 9, "n": 8}, "prompt", "9 prompts with n=8 are 72 answers: ask for up to 64"),
        ({"suffix": "the end"}, "suffix", "leave 'suffix' out"),
        ({"best_of": 3, "n": 2}, "best_of", "leave 'best_of' out"),
        ({"logprobs": 9}, "logprobs", "logprobs=9: give a whole number from 0 to 5"),
        ({"logprobs": True}, "logprobs", "'logprobs' must be a whole number, not true"),
        ({"logprobs": 1, "echo": True}, "logprobs", "leave 'echo' or 'logprobs' out"),
        ({"max_tokens": 0}, "max_tokens", "'max_tokens' must be a whole number above 0, not 0"),
        ({"tenant": "other"}, "tenant", "put it into 'orchestrator'"),
    ],
)
async def test_what_is_not_served_is_told_by_name(served, more, param, told):
    """Before anybody is asked; nothing of a prompt is repeated."""
    body = {"model": "first", "prompt": PROMPT, **more}
    async with served.openai() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.post("/completions", body=body, cast_to=object)
    assert caught.value.param == param
    assert told in caught.value.body["message"]
    assert not served.emulator.requests


async def test_a_failure_is_the_client_s_own_exception():
    """Before the first piece by status, after it in the stream."""
    script = [Fail(kind="context_length"), *[CutStream(after_chunks=2)] * 9]
    async with stage(EmulatedModel("m", script=script)) as served, served.openai(max_retries=0) as client:
        with pytest.raises(openai.BadRequestError):
            await client.completions.create(model="m", prompt=PROMPT)
        stream = await client.completions.create(model="m", prompt=PROMPT, stream=True)
        with pytest.raises(openai.APIError):
            [chunk async for chunk in stream]


async def test_an_answer_in_order_closes_with_done():
    """As every reader of this dialect waits for it."""
    async with stage(EmulatedModel("m", script=[Say("Five.")]), keys=()) as served, aiohttp.ClientSession() as http:
        body = {"model": "m", "prompt": PROMPT, "stream": True}
        async with http.post(f"{served.url}/v1/completions", json=body) as reply:
            assert (await reply.text()).endswith("data: [DONE]\n\n")
            assert reply.headers["X-Orchestrator-Model"] == "m"
