"""What newcomers and strangers send: wrong methods, wrong paths, packed bodies, and requests from other people's pages."""

import gzip
import json

import aiohttp
import openai
import pytest
from gateway_stage import KEY, stage

from orchestrator.gateway.settings import Profile
from orchestrator.testing import EmulatedModel

CHAT = {"model": "auto", "messages": [{"role": "user", "content": "What is 2 + 3?"}]}
KEYED = {"Authorization": f"Bearer {KEY}"}


async def asked(url, method="POST", body=b"", **headers):
    """Status, headers and JSON (None for an empty body) of one request."""
    async with aiohttp.ClientSession() as http, http.request(method, url, data=body, headers=headers) as reply:
        raw = await reply.read()
        return reply.status, reply.headers, json.loads(raw) if raw else None


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_a_wrong_method_is_told_the_right_one(served, method):
    """405 with Allow, as HTTP has it; a path that is asked in both ways says so."""
    status, headers, answer = await asked(f"{served.url}/v1/chat/completions", method)
    assert (status, headers["Allow"], answer["error"]["code"]) == (405, "POST", "method_not_supported")
    assert f"is asked by POST, not by {method}" in answer["error"]["message"]
    status, headers, _ = await asked(f"{served.url}/healthz", "POST")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


async def test_options_tell_the_methods_and_allow_no_page_from_elsewhere(served):
    """A browser that asks before it posts gets no leave."""
    told = {"Origin": "https://news.example", "Access-Control-Request-Method": "POST"}
    status, headers, _ = await asked(f"{served.url}/v1/chat/completions", "OPTIONS", **told)
    assert (status, headers["Allow"]) == (204, "POST")
    assert not any(name.startswith("Access-Control") for name in headers)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1", "this is the base URL that clients are told"),
        ("/v1/", "this is the base URL that clients are told"),
        ("//v1//chat/completions", "did you mean /v1/chat/completions?"),
        ("/completions", "did you mean /v1/completions? the base URL ends in /v1"),
    ],
)
async def test_a_path_that_is_nearly_right_is_told_the_right_one(served, path, told):
    """Also to who only looks whether somebody is there."""
    status, _, answer = await asked(served.url + path, "GET")
    assert (status, told in answer["error"]["message"]) == (404, True)


async def test_every_name_in_the_list_can_be_looked_up():
    """`auto` and profiles, too; and who asks for a name that is none is told of them."""
    async with stage(EmulatedModel("m"), profiles={"careful": Profile.of({})}) as served, served.openai() as client:
        for name in [model.id async for model in client.models.list()]:
            assert (await client.models.retrieve(name)).id == name
        with pytest.raises(openai.NotFoundError, match="the gateway's own: 'auto', 'careful'") as caught:
            await client.chat.completions.create(**CHAT | {"model": "AUTO"})
    assert caught.value.param == "model"


async def test_a_packed_body_is_unpacked_and_a_broken_one_refused(served):
    """As its head says; what is none is the sender's fault and not the gateway's."""
    url, packed = f"{served.url}/v1/chat/completions", {"Content-Encoding": "gzip", **KEYED}
    status, _, answer = await asked(url, body=gzip.compress(json.dumps(CHAT).encode()), **packed)
    assert (status, bool(answer["choices"])) == (200, True)
    status, _, answer = await asked(url, body=json.dumps(CHAT).encode(), **packed)
    assert (status, answer["error"]["message"]) == (400, "the body is not what its Content-Encoding says")


async def test_a_packed_body_is_bounded_by_what_it_unpacks_to():
    """A few bytes that are millions do no harm."""
    async with stage(EmulatedModel("m"), keys=(), max_body=100_000) as served:
        bomb = gzip.compress(bytes(50_000_000))
        status, _, answer = await asked(f"{served.url}/v1/chat/completions", body=bomb, **{"Content-Encoding": "gzip"})
    assert (status, answer["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "told",
    [{}, {"Authorization": KEY}, {"Authorization": f"Basic {KEY}"}, {"api-key": KEY}, {"x-api-key": "not-a-key"}],
)
async def test_a_key_in_the_wrong_place_is_told_the_right_one(served, told):
    """As HTTP has it, and in words."""
    status, headers, answer = await asked(f"{served.url}/v1/chat/completions", body=json.dumps(CHAT).encode(), **told)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "send Authorization: Bearer ..., or x-api-key" in answer["error"]["message"]


async def test_nothing_is_told_to_be_nothing(served):
    """An empty body is the commonest broken one."""
    status, _, answer = await asked(f"{served.url}/v1/chat/completions", **KEYED)
    assert (status, answer["error"]["message"]) == (400, "the body is empty: send a JSON object")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://news.example", None),
        ("null", None),
        ("http://127.0.0.1:1", None),  # another program on this machine
        ("http://rebound.example:8000", "rebound.example:8000"),  # a name that was made to mean this machine
        ("http://[broken", None),
    ],
)
async def test_a_page_from_elsewhere_spends_no_money_at_an_open_gateway(origin, host):
    """A browser posts for any page what needs no leave; its user would pay for the answer."""
    async with stage(EmulatedModel("m"), keys=()) as served:
        told = {"Origin": origin, "Content-Type": "text/plain"} | ({"Host": host} if host else {})
        body = json.dumps(CHAT).encode()
        status, _, answer = await asked(f"{served.url}/v1/chat/completions", body=body, **told)
        assert (status, "set keys" in answer["error"]["message"]) == (403, True)
        assert not served.emulator.requests


async def test_programs_and_pages_of_its_own_may_use_an_open_gateway():
    """No origin, an application's, the gateway's own; and where keys are set they are what counts."""
    body = json.dumps(CHAT).encode()
    async with stage(EmulatedModel("m"), keys=()) as served:
        for told in ({}, {"Origin": "app://notes"}, {"Origin": served.url}):
            status, _, _ = await asked(f"{served.url}/v1/chat/completions", body=body, **told)
            assert status == 200
    async with stage(EmulatedModel("m")) as served:
        told = {"Origin": "https://news.example", **KEYED}
        assert (await asked(f"{served.url}/v1/chat/completions", body=body, **told))[0] == 200
