"""What a caller may say to the engine through the gateway, and what it may not."""

import asyncio
from dataclasses import replace

import aiohttp
import openai
import pytest
from gateway_stage import KEY, stage

from orchestrator import Cost, Objective
from orchestrator.errors import ConfigurationError
from orchestrator.gateway import Gateway, GatewayKey, GatewaySettings
from orchestrator.gateway.settings import Profile
from orchestrator.testing import EmulatedModel, Hang

ASK = [{"role": "user", "content": "What is 2 + 3?"}]
CHAT = {"model": "auto", "messages": ASK}


async def post(served, body, *, path="/v1/chat/completions", key=KEY, **headers):
    """Status, headers and JSON of one POST."""
    told = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession() as http:
        data = body if isinstance(body, bytes) else None
        json = None if data is not None else body
        async with http.post(served.url + path, json=json, data=data, headers=told | headers) as answer:
            return answer.status, answer.headers, await answer.json()


async def test_requirements_come_by_header_and_by_body(served):
    """Both narrow the choice; the body has the last word."""
    _, told, _ = await post(served, CHAT, **{"X-Orchestrator-Models": "second"})
    assert told["X-Orchestrator-Model"] == "second"
    body = CHAT | {"orchestrator": {"models": ["first"]}}
    _, told, _ = await post(served, body, **{"X-Orchestrator-Models": "second"})
    assert told["X-Orchestrator-Model"] == "first"


async def test_a_profile_is_a_model_by_another_name():
    """Its requirements, weights and parameters apply to who asks for it."""
    profile = Profile.of({"models": ["second"], "params": {"max_tokens": 3}, "objective": {"cost": 1.0}})
    models = EmulatedModel("first"), EmulatedModel("second")
    async with stage(*models, profiles={"cheap": profile}) as served, served.openai() as client:
        answer = await client.chat.completions.create(model="cheap", messages=ASK)
        names = [model.id async for model in client.models.list()]
    assert (answer.model, answer.choices[0].finish_reason) == ("second", "length")
    assert names == ["auto", "cheap", "first", "second"]
    assert profile.objective == Objective(cost=1.0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"a": ' * 90 + b"1" + b"}" * 90, "the body is"),
        (b"\xff\xfe", "the body is not JSON"),
        ({"model": "auto"}, "'messages' is missing"),
        ({"messages": ASK}, "'model' is missing"),
        (CHAT | {"messages": []}, "'messages' must be a list"),
        (CHAT | {"messages": ["hi"]}, "each of 'messages' is an object"),
        (CHAT | {"messages": [{"role": "poet", "content": "hi"}]}, "a message has a role among"),
        (CHAT | {"messages": [{"role": "user", "content": 5}]}, "text or a list of parts, not int"),
        (CHAT | {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "'input_audio' cannot be read"),
        (CHAT | {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "give 'text', or 'image_url'"),
        (
            CHAT | {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]},
            "a tool call has a 'function'",
        ),
        (CHAT | {"response_format": {"type": "json_schema"}}, "'json_schema' with 'name' and 'schema'"),
        (CHAT | {"n": 99}, "n=99: give a whole number from 1 to 8"),
        (CHAT | {"tenant": "other"}, "put it into 'orchestrator'"),
        (CHAT | {"orchestrator": {"max_costs": 1}}, "did you mean 'max_cost'?"),
        (CHAT | {"orchestrator": "fast"}, "is an object"),
        (CHAT | {"orchestrator": {"objective": {"speed": 1}}}, "objective.speed is not known"),
        (CHAT | {"orchestrator": {"deadline_s": -1}}, "deadline_s=-1"),
        (CHAT | {"orchestrator": {"models": ["none-such"]}}, "none of 2 models is eligible"),
    ],
)
async def test_a_wrong_body_is_told_what_is_wrong(served, body, told):
    """A plain 400 that names the member; nothing reaches a provider."""
    status, headers, answer = await post(served, body)
    assert status == 400
    assert told in answer["error"]["message"]
    assert headers["x-should-retry"] == "false"
    assert not served.emulator.requests


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ({"X-Orchestrator-Max-Cots": "1"}, "did you mean 'max_cost'"),
        ({"X-Orchestrator-Max-Cost": "cheap"}, "cannot be read: 'cheap'"),
        ({"X-Orchestrator-Objective": "quality"}, "cannot be read"),
        ({"X-Orchestrator-Cache": "perhaps"}, "cannot be read"),
    ],
)
async def test_a_wrong_header_is_told_what_is_wrong(served, header, told):
    """Misspelt headers are refused rather than ignored."""
    status, _, answer = await post(served, CHAT, **header)
    assert (status, told in answer["error"]["message"]) == (400, True)


async def test_a_body_over_the_limit_is_refused_with_413():
    """The bound is the setting's."""
    async with stage(EmulatedModel("m"), max_body=1000) as served:
        status, _, answer = await post(served, b" " * 2000)
    assert (status, answer["error"]["code"]) == (413, "too_large")
    assert answer["error"]["message"] == "the body is larger than 1000 bytes"


async def test_a_caller_makes_no_models_by_naming_them(served, monkeypatch):
    """An id that is not registered is unknown, though the library itself would make the model where it has a key."""
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-that-is-the-gateways")
    for path, body in (("/v1/chat/completions", CHAT), ("/v1/embeddings", {"input": "hi"})):
        status, _, answer = await post(served, body | {"model": "gpt-4o"}, path=path)
        assert (status, answer["error"]["code"]) == (404, "model_not_found")
    async with served.openai() as client:
        with pytest.raises(openai.NotFoundError, match="gpt-4o"):
            await client.models.retrieve("gpt-4o")
    assert list(served.registry) == ["first", "second"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/chat/completions", "did you mean /v1/chat/completions? the base URL ends in /v1"),
        ("/v1/v1/messages", "did you mean /v1/messages? the base URL ends before /v1"),
        ("/v1/chat/completions/", "did you mean /v1/chat/completions?"),
        ("/v1/audio/speech", "see /openapi.json"),
    ],
)
async def test_a_base_url_that_is_wrong_by_one_part_is_told_the_right_one(served, path, told):
    """The commonest mistake of a new client is named."""
    async with aiohttp.ClientSession() as http, http.post(served.url + path, json=CHAT) as reply:
        assert reply.status == 404
        assert told in (await reply.json())["error"]["message"]


async def test_a_key_speaks_for_its_own_tenant_only():
    """Another tenant's name is refused unless the key is trusted with it."""
    keys = (GatewayKey("plain", KEY, tenant="a"), GatewayKey("trusted", KEY + "t", names_tenants=True))
    outcomes = []
    async with stage(EmulatedModel("m"), keys=keys) as served:
        served.registry.subscribe(lambda _, outcome: outcomes.append(outcome.tenant))
        ask = CHAT | {"orchestrator": {"tenant": "b"}}
        refused, _, _ = await post(served, ask)
        allowed, _, _ = await post(served, ask, key=KEY + "t")
        own, _, _ = await post(served, CHAT)
    assert (refused, allowed, own) == (403, 200, 200)
    assert outcomes == ["b", "a"]


async def test_two_tenants_never_share_a_remembered_answer():
    """The same words from two keys are two calls; from one key they are one."""
    keys = (GatewayKey("one", KEY), GatewayKey("two", KEY + "2"))
    options = {"cache_responses": True}
    async with stage(EmulatedModel("m"), keys=keys, registry_options=options) as served:
        await post(served, CHAT)
        _, told, _ = await post(served, CHAT)
        _, other, _ = await post(served, CHAT, key=KEY + "2")
    assert told["X-Orchestrator-Cache"] == "memory"
    assert told["X-Orchestrator-Cost-Usd"] == "0"
    assert "X-Orchestrator-Cache" not in other
    assert served.emulator.requests["m"] == 2


async def test_a_key_over_its_rate_is_told_when_to_come_back():
    """429 with Retry-After, which the client libraries obey."""
    async with stage(EmulatedModel("m"), keys=(GatewayKey("slow", KEY, requests_per_minute=1),)) as served:
        first, _, _ = await post(served, CHAT)
        second, told, _ = await post(served, CHAT)
    assert (first, second) == (200, 429)
    assert 1 <= int(told["Retry-After"]) <= 60


async def test_a_key_over_its_budget_is_refused_until_tomorrow():
    """429 that the client libraries do not repeat, before anything is sent."""
    keys = (GatewayKey("poor", KEY, budget_usd_per_day=1e-9), GatewayKey("rich", KEY + "r"))
    async with stage(EmulatedModel("m"), keys=keys) as served:
        served.registry["m"].cost = Cost(input=5, output=15)
        refused, told, answer = await post(served, CHAT)
        fine, _, _ = await post(served, CHAT, key=KEY + "r")
        limits = [(row["tenant"], row["limit_usd"]) for row in served.registry.budgets.snapshot()]
    assert (refused, told["x-should-retry"], answer["error"]["type"]) == (429, "false", "insufficient_quota")
    assert (fine, served.emulator.requests["m"]) == (200, 1)
    assert limits == [("poor", 1e-9)]


async def test_other_keys_bring_other_budgets():
    """One that is raised is raised, one that is gone binds nobody; what the registry or another gateway set stays."""

    def limits(served):
        return {row["tenant"]: row["limit_usd"] for row in served.registry.budgets.snapshot()}

    key = GatewayKey("web", KEY, budget_usd_per_day=5)
    async with stage(EmulatedModel("m"), keys=(key,)) as served:
        served.registry.limit_tenant("web", day_usd=20)
        told = [limits(served)]
        for usd in (10, 50, None):
            served.gateway.heed(replace(served.gateway.settings, keys=(replace(key, budget_usd_per_day=usd),)))
            told.append(limits(served))
        served.gateway.heed(replace(served.gateway.settings, keys=(key, replace(key, budget_usd_per_day=7))))
        told.append(limits(served))
        Gateway(served.registry, GatewaySettings(keys=(GatewayKey("app", KEY, budget_usd_per_day=1),)))
        told.append(limits(served))
    assert told == [{"web": 5}, {"web": 10}, {"web": 20}, {"web": 20}, {"web": 5}, {"web": 5, "app": 1}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"system": 5},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": 5}]}]},
    ],
    ids=["the system", "a tool's result"],
)
async def test_what_should_be_words_and_is_none_is_refused_in_words(served, wrong):
    """And not with an error of the language that the gateway is written in."""
    body = {"model": "auto", "max_tokens": 9, "messages": ASK, **wrong}
    status, _, answer = await post(served, body, path="/v1/messages")
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert "is a text or a list of text blocks" in answer["error"]["message"]


async def test_feedback_teaches_by_the_id_of_the_reply(served):
    """A rating is taken once by value, and refused outside 0 to 1."""
    _, told, _ = await post(served, CHAT)
    rating = {"response_id": told["X-Orchestrator-Response-Id"], "quality": 0.25}
    assert (await post(served, rating, path="/v1/feedback"))[2] == {"recorded": True}
    assert (await post(served, rating | {"quality": 7}, path="/v1/feedback"))[0] == 400
    assert (await post(served, {"response_id": "r-none", "quality": 1}, path="/v1/feedback"))[2] == {"recorded": False}


async def _until(served, *, in_flight):
    """Turn the loop until the model has so many calls; the test's own time limit ends a wait in vain."""
    while served.registry["m"].metrics.in_flight != in_flight:  # noqa: ASYNC110 - there is no event to await
        await asyncio.sleep(0)


async def test_a_client_that_leaves_ends_the_call_upstream():
    """The provider's connection is closed when the caller hangs up, streamed or not."""
    async with stage(EmulatedModel("m", script=[Hang(after_chunks=1)] * 2)) as served:
        for streamed in (True, False):
            async with served.openai(max_retries=0) as client:
                call = asyncio.ensure_future(client.chat.completions.create(model="m", messages=ASK, stream=streamed))
                await _until(served, in_flight=1)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            await _until(served, in_flight=0)


async def test_health_is_told_to_anybody(served):
    """Alive and ready without a key; a gateway that closes is not ready and takes no calls."""
    async with aiohttp.ClientSession() as http:
        async with http.get(served.url + "/healthz") as alive, http.get(served.url + "/readyz") as ready:
            assert (alive.status, ready.status) == (200, 200)
        async with http.head(served.url + "/readyz") as ready:
            assert ready.status == 200
        served.registry.gate.close()
        async with http.get(served.url + "/readyz") as ready:
            assert (ready.status, (await ready.json())["status"]) == (503, "draining")
    async with served.openai(max_retries=0) as client:
        with pytest.raises(openai.InternalServerError, match="closing"):
            await client.chat.completions.create(model="m", messages=ASK)


def test_a_gateway_open_to_the_world_needs_keys_or_a_clear_word():
    """Listening beyond this machine without keys is refused."""
    with pytest.raises(ConfigurationError, match="without keys"):
        GatewaySettings(host="0.0.0.0")
    assert GatewaySettings(host="0.0.0.0", allow_open=True).host
    with pytest.raises(ConfigurationError, match="too short"):
        GatewayKey("k", "short")
    assert KEY not in repr(GatewayKey("k", KEY))


@pytest.mark.parametrize("said", [b"", b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_connection_that_does_not_say_what_it_wants_is_closed(said):
    """Silent and slow clients do not hold a place for ever."""
    async with stage(EmulatedModel("m"), head_s=0.02) as served:
        host, port = served.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(said)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        status, _, _ = await post(served, CHAT | {"model": "m"})
    assert status == 200
