"""What a stream tells beyond its words, and how it stays alive."""

import asyncio
import json

import aiohttp
from gateway_stage import KEY, stage

from orchestrator.testing import CallTool, EmulatedModel, Hang

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


async def test_a_stream_of_one_piece_tells_as_much_and_is_rated_as_well():
    """A call of a tool comes at once, first and last: its stream has no words."""
    tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
    async with stage(EmulatedModel("first", script=[CallTool("now", {})])) as served:
        async with served.openai() as client:
            wish = {"tools": [tool], "stream": True, "stream_options": {"include_usage": True}}
            stream = await client.chat.completions.create(model="first", messages=ASK, **wish)
            chunks = [chunk async for chunk in stream]
        assert chunks[0].choices[0].delta.tool_calls
        assert chunks[-1].orchestrator["model"] == "first"
        async with aiohttp.ClientSession(headers=KEYED) as http:
            rating = {"response_id": chunks[0].id, "quality": 0.5}
            async with http.post(f"{served.url}/v1/feedback", json=rating) as answer:
                assert await answer.json() == {"recorded": True}
            async with http.get(f"{served.url}/metrics") as answer:
                assert 'gen_ai_response_model="first"' in await answer.text()


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
    """In the shape that clients expect, and with no server's name and version."""
    async with aiohttp.ClientSession(headers=KEYED) as http:
        for method, path in (("GET", "/v2/x"), ("PUT", "/v2/chat/completions"), ("GET", "/%3Cscript%3E")):
            async with http.request(method, served.url + path) as answer:
                assert answer.status == 404
                assert (await answer.json())["error"]["code"] == "not_found"
                assert answer.headers["Server"] == "orchestrator"


async def test_a_hundred_streams_at_once_do_not_mix():
    """Each client reads its own answer to the end."""
    models = [EmulatedModel(f"m{number}") for number in range(4)]
    async with stage(*models) as served, served.openai() as client:

        async def ask(number):
            name = f"m{number % 4}"
            stream = await client.chat.completions.create(model=name, messages=ASK, stream=True)
            chunks = [chunk async for chunk in stream]
            return {chunk.model for chunk in chunks} == {name} and chunks[-1].choices[0].finish_reason == "stop"

        assert all(await asyncio.gather(*map(ask, range(100))))


async def test_idle_connections_do_not_keep_others_out(served):
    """Three hundred that say nothing, and one that asks."""
    host, port = served.url.removeprefix("http://").split(":")
    idle = await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(300)))
    async with served.openai() as client:
        answer = await client.chat.completions.create(model="first", messages=ASK)
    for _, writer in idle:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in idle))
    assert answer.choices[0].message.content


async def test_a_client_that_reads_slowly_slows_the_provider_and_nobody_else():
    """Back-pressure: a full socket stops the reader upstream instead of filling memory."""
    from orchestrator import ModelRegistry, OpenAIModel
    from orchestrator.gateway import Gateway, GatewaySettings
    from orchestrator.testing import Begin, FaultServer, Send

    piece = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 8192 + b'"}}]}\n\n'
    async with FaultServer([Begin(1), Send(piece, times=4000)]) as provider, ModelRegistry() as registry:
        registry["m"] = OpenAIModel(name="m", api_key="x", base_url=provider.base_url("openai"))
        async with Gateway(registry, GatewaySettings(port=0, drain_s=1)).serving() as url:
            host, port = url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            body = json.dumps({"model": "m", "messages": ASK, "stream": True}).encode()
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            async with aiohttp.ClientSession() as http, http.get(f"{url}/healthz") as alive:
                assert alive.status == 200
            assert registry["m"].metrics.in_flight == 1  # 32 MB were not swallowed meanwhile
            writer.close()
            await writer.wait_closed()
            await provider.until(lambda server: server.abandoned)
