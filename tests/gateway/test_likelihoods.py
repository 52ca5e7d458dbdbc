"""How likely each token was: told whole to who asks, in each of OpenAI's dialects, at once and in pieces."""

import json
from contextlib import asynccontextmanager

import openai
import pytest
from aiohttp import web

from orchestrator import ModelRegistry, OpenAIModel
from orchestrator.gateway import Gateway, GatewaySettings
from orchestrator.gateway.frames import DONE, event

ASK = [{"role": "user", "content": "What is 2 + 3?"}]


def token(text, logprob):
    """A token with itself as the only one that might have been."""
    entry = {"token": text, "logprob": logprob, "bytes": list(text.encode())}
    return {**entry, "top_logprobs": [entry]}


TOKENS = [token("Five", -0.25), token(".", -0.5)]


class Teller:
    """An upstream that tells likelihoods, in a stream piece by piece and one more with the end."""

    def __init__(self):
        self.bodies = []

    async def answer(self, http):
        body = await http.json()
        self.bodies.append(body)
        told = {"content": TOKENS, "refusal": None} if body.get("logprobs") else None
        if not body.get("stream"):
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Five."}}
            return web.json_response({"id": "c", "model": "m", "choices": [{**choice, "logprobs": told}]})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        await response.write(self.frame({"role": "assistant", "content": ""}, []))
        for one in TOKENS:
            await response.write(self.frame({"content": one["token"]}, [one] if told else None))
        await response.write(self.frame({}, None, "stop") + DONE)
        return response

    @staticmethod
    def frame(delta, tokens, finish=None):
        told = None if tokens is None else {"content": tokens, "refusal": None}
        choice = {"index": 0, "delta": delta, "logprobs": told, "finish_reason": finish}
        return event({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]})


@asynccontextmanager
async def asked(teller):
    """A client before a gateway before the teller."""
    app = web.Application()
    app.router.add_post("/{path:.*}", teller.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ModelRegistry() as registry:
            base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            registry["m"] = OpenAIModel("m", api_key="x", base_url=base_url)
            async with (
                Gateway(registry, GatewaySettings(port=0, drain_s=1)).serving() as url,
                openai.AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client,
            ):
                yield client
    finally:
        await runner.cleanup()


def plainly(entries):
    """Entries as they came, whatever the client made of them."""
    return json.loads(json.dumps([entry.model_dump(exclude_none=True) for entry in entries]))


async def test_chat_tells_them_with_the_pieces_they_belong_to():
    """As the provider told them, twice over: an answer from the cache would have none."""
    teller = Teller()
    async with asked(teller) as client:
        for _ in range(2):
            stream = await client.chat.completions.create(
                model="m", messages=ASK, stream=True, logprobs=True, top_logprobs=1
            )
            told = [(c.choices[0].delta.content, c.choices[0].logprobs) async for c in stream]
            spoken = [(text, plainly(likelihoods.content)) for text, likelihoods in told if likelihoods]
            assert spoken == [("Five", TOKENS[:1]), (".", TOKENS[1:])]
    assert [(body["logprobs"], body["top_logprobs"]) for body in teller.bodies] == [(True, 1)] * 2


async def test_nobody_is_told_who_has_not_asked():
    """Nor is the provider."""
    teller = Teller()
    async with asked(teller) as client:
        stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        assert {c.choices[0].logprobs async for c in stream} == {None}
    assert "logprobs" not in teller.bodies[0]


@pytest.mark.parametrize("streamed", [False, True])
async def test_completions_tell_them_in_their_own_form(streamed):
    """Lists side by side, and where in the text each token begins."""
    async with asked(Teller()) as client:
        answer = await client.completions.create(model="m", prompt="2 + 3?", logprobs=1, stream=streamed)
        choices = [c async for chunk in answer for c in chunk.choices] if streamed else answer.choices
    told = [choice.logprobs for choice in choices if choice.logprobs]
    assert [text for one in told for text in one.tokens] == ["Five", "."]
    assert [at for one in told for at in one.text_offset] == [0, 4]
    assert [number for one in told for number in one.token_logprobs] == [-0.25, -0.5]
    assert [others for one in told for others in one.top_logprobs] == [{"Five": -0.25}, {".": -0.5}]


async def test_responses_tell_them_in_the_text_they_belong_to():
    """Whole, with every piece, and in the response that ends the stream."""
    ask = {"model": "m", "input": "2 + 3?", "include": ["message.output_text.logprobs"], "top_logprobs": 1}
    teller = Teller()
    async with asked(teller) as client:
        whole = await client.responses.create(**ask)
        async with client.responses.stream(**ask) as stream:
            deltas = [e.logprobs[0].token async for e in stream if e.type == "response.output_text.delta"]
            final = await stream.get_final_response()
    assert plainly(whole.output[0].content[0].logprobs) == plainly(final.output[0].content[0].logprobs) == TOKENS
    assert deltas == ["Five", "."]
    assert [(body["logprobs"], body["top_logprobs"]) for body in teller.bodies] == [(True, 1)] * 2
