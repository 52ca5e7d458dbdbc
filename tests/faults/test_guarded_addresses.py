"""No key goes to an address that a public name was bent to: checked after the name was looked up, when connecting."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver

from orchestrator.errors import ProviderConfigError, ProviderConnectionError
from orchestrator.integrations import OpenAIModel, close_sessions
from orchestrator.integrations.addresses import checked_base_url
from orchestrator.integrations.guarded_names import GuardedResolver
from orchestrator.integrations.sessions import look_up_with
from orchestrator.testing import FaultServer, Head, Send

PUBLIC = "93.184.215.14"


class Told(AbstractResolver):
    """Knows what it is told: for each look-up the next list of addresses, the last one again and again."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {
                "hostname": host,
                "host": one,
                "port": port,
                "family": socket.AF_INET6 if ":" in one else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for one in found
        ]

    async def close(self):
        """Nothing was open."""


@pytest.fixture
async def look_up():
    """Sets what names lead to."""

    def told(*answers):
        resolver = Told(*answers)
        look_up_with(lambda: resolver)
        return resolver

    yield told
    look_up_with(None)
    await close_sessions()


def model(host, server, **options):
    """A model behind this name, at the server's port; plain HTTP, so that only the address is in question."""
    return OpenAIModel(
        name="m", api_key="sk-canary", base_url=f"http://{host}:{server.port}/openai/v1", allow_http=True, **options
    )


BENT = [
    "127.0.0.1",
    "10.0.0.7",
    "192.168.1.1",
    "172.16.3.4",
    "100.64.0.1",
    "::1",
    "fd12::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
]
NEVER = [
    "169.254.169.254",
    "0.0.0.0",
    "fe80::1",
    "fd00:ec2::254",
    "224.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "::",
]


@pytest.mark.parametrize("address", [*BENT, *NEVER])
async def test_a_public_name_that_leads_into_the_house_is_refused(look_up, address):
    """Nothing is connected to, and the error says what to do."""
    look_up([address])
    async with FaultServer() as server:
        with pytest.raises(ProviderConnectionError, match=r"allow_private=True|no provider answers"):
            await model("models.example.org", server).generate_response("Hello")
        assert server.connections == 0


@pytest.mark.parametrize("address", NEVER)
async def test_some_addresses_are_refused_by_whatever_name(look_up, address):
    """Cloud metadata is nobody's provider, not even where private networks are allowed."""
    look_up([address])
    async with FaultServer() as server:
        for asked in (model("gpu.internal", server), model("models.example.org", server, allow_private=True)):
            with pytest.raises(ProviderConnectionError, match="no provider answers"):
                await asked.generate_response("Hello")
        assert server.connections == 0


@pytest.mark.parametrize(
    ("host", "options"),
    [("localhost", {}), ("ollama", {}), ("gpu.internal", {}), ("models.example.org", {"allow_private": True})],
)
async def test_a_local_name_or_leave_to_do_so_reaches_this_machine(look_up, host, options):
    """The name says it, or the user does."""
    look_up(["127.0.0.1"])
    async with FaultServer() as server:
        assert (await model(host, server, **options).generate_response("Hello")).text == "All is well."


@pytest.mark.parametrize(
    ("listed", "reached"),
    [("models.example.org", True), ("a.test, .example.org", True), (".other.org", False), ("example.org", False)],
)
async def test_an_operator_may_list_the_names_that_are_ours(look_up, monkeypatch, listed, reached):
    """Whole names, or all that end in one with a leading dot."""
    monkeypatch.setenv("ORCHESTRATOR_PRIVATE_HOSTS", listed)
    look_up(["127.0.0.1"])
    async with FaultServer() as server:
        if reached:
            assert (await model("Models.example.org", server).generate_response("Hello")).text == "All is well."
        else:
            with pytest.raises(ProviderConnectionError, match="ORCHESTRATOR_PRIVATE_HOSTS"):
                await model("Models.example.org", server).generate_response("Hello")


async def test_a_name_that_is_bent_later_is_refused_then(look_up):
    """DNS rebinding: harmless at first, this machine at the next look-up."""
    resolver = look_up([PUBLIC, "127.0.0.1"], ["127.0.0.1"])
    guarded = GuardedResolver(resolver, private=False)
    assert [entry["host"] for entry in await guarded.resolve("models.example.org")] == [PUBLIC]
    async with FaultServer() as server:
        with pytest.raises(ProviderConnectionError, match="allow_private=True"):
            await model("models.example.org", server).generate_response("Hello")
        assert server.connections == 0
    assert resolver.asked == ["models.example.org"] * 2


@pytest.mark.parametrize(
    "url", ["http://2852039166/v1", "http://0xa9.0xfe.0xa9.0xfe/v1", "http://metadata.google.internal./v1"]
)
async def test_an_odd_spelling_of_metadata_is_refused(look_up, url):
    """Where the check of the text does not see it, the check of the address does."""
    look_up(["169.254.169.254"])
    try:
        asked = OpenAIModel(name="m", api_key="sk-canary", base_url=url, allow_http=True)
    except ProviderConfigError:
        return
    with pytest.raises(ProviderConnectionError, match=r"no provider answers|InvalidUrl"):
        await asked.generate_response("Hello")


@pytest.mark.parametrize("host", ["[::ffff:169.254.169.254]", "[fe80::1]", "[::]", "224.0.0.1", "[64:ff9b::a9fe:a9fe]"])
def test_a_literal_address_where_nobody_answers_is_refused(host):
    """However it is wrapped."""
    with pytest.raises(ProviderConfigError, match="link-local"):
        checked_base_url(f"https://{host}/v1")


async def test_no_cookie_is_kept_and_no_proxy_of_the_environment_used(monkeypatch):
    """What one provider sets is not sent to it again, and a proxy has to be asked for."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    body = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'
    async with FaultServer([Head(headers={"Set-Cookie": "track=1"}, length=len(body)), Send(body)]) as server:
        for _ in range(2):
            await model("127.0.0.1", server).generate_response("Hello")
        assert "cookie" not in server.requests[1].headers
        assert server.requests[1].target == "/openai/v1/chat/completions"
    await close_sessions()
