"""What a stream tells beyond its words, and how it stays alive."""

import aiohttp
from gateway_stage import KEY, stage

from orchestrator.testing import EmulatedModel, Hang

ASK = [{"role": "user", "content": "What is 2 + 3?"}]
KEYED = {"Authorization": f"Bearer {KEY}"}


async def test_the_last_event_tells_what_headers_could_not(served):
    """Who answered, why and after how many attempts, once usage was asked for."""
    async with served.openai() as client:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        stream = await client.chat.completions.create(model="auto", messages=ASK, **options)
        last = [chunk async for chunk in stream][-1]
    assert last.orchestrator["model"] == last.model
    assert last.orchestrator["attempts"] == 1
    assert last.orchestrator["reason"] == "chosen by UCBModelSelector"


async def test_a_streamed_answer_is_rated_by_the_id_its_client_saw(served):
    """The id of the chunks is as good as the engine's own."""
    async with served.openai() as client:
        stream = await client.chat.completions.create(model="first", messages=ASK, stream=True)
        seen = (await anext(aiter(stream))).id
        await stream.close()
    async with aiohttp.ClientSession(headers=KEYED) as http:
        rating = {"response_id": seen, "quality": 0.5}
        async with http.post(f"{served.url}/v1/feedback", json=rating) as answer:
            assert await answer.json() == {"recorded": True}


async def test_a_silent_stream_gives_signs_of_life():
    """Comments keep the connection alive while the model says nothing."""
    async with stage(EmulatedModel("m", script=[Hang(after_chunks=1)]), beat_s=0.01) as served:
        body = {"model": "m", "messages": ASK, "stream": True}
        async with (
            aiohttp.ClientSession(headers=KEYED) as http,
            http.post(f"{served.url}/v1/chat/completions", json=body) as answer,
        ):
            beats = 0
            async for line in answer.content:
                beats += line == b": still here\n"
                if beats == 2:
                    break
        assert beats == 2


async def test_a_path_that_leads_nowhere_is_told_in_json(served):
    """Wrong paths and wrong methods get the shape that clients expect, and no server's name and version."""
    async with aiohttp.ClientSession(headers=KEYED) as http:
        for method, path in (("GET", "/v2/x"), ("PUT", "/v1/chat/completions"), ("GET", "/%3Cscript%3E")):
            async with http.request(method, served.url + path) as answer:
                assert answer.status == 404
                assert (await answer.json())["error"]["code"] == "not_found"
                assert answer.headers["Server"] == "orchestrator"
