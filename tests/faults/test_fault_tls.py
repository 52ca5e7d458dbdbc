"""TLS that cannot be trusted is no connection: nothing is sent over it, and nothing is tried without it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from orchestrator.errors import ProviderConnectionError
from orchestrator.integrations import OpenAIModel, close_sessions
from orchestrator.testing import FaultServer

# the authority is read when aiohttp is imported, so an interpreter of its own asks
ASK = """
import asyncio, json, sys
from orchestrator.errors import ProviderAPIError
from orchestrator.integrations import OpenAIModel, close_sessions

async def ask(url):
    try:
        return (await OpenAIModel(name="m", api_key="sk-canary-1", base_url=url).generate_response("Hello")).text
    except ProviderAPIError as error:
        return error.error_type
    finally:
        await close_sessions()

async def main():
    print(json.dumps({url: await ask(url) for url in sys.argv[1:]}))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def authority():
    """A certificate authority of our own."""
    return trustme.CA()


def served_by(certificate):
    """How a server shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def answers(authority, folder, servers):
    """What a client that trusts the authority gets from each server."""
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    urls = {name: server.base_url() for name, server in servers.items()}
    environment = {**os.environ, "SSL_CERT_FILE": str(trusted)}
    command = [sys.executable, "-W", "error", "-c", ASK, *urls.values()]
    asking = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE)
    said, _ = await asking.communicate()
    found = json.loads(said)
    return {name: found[url] for name, url in urls.items()}


async def test_no_key_goes_over_a_connection_that_is_not_trusted(authority, tmp_path):
    """Self-signed, expired, for another host: refused; a certificate in order is the control."""
    day, now = timedelta(days=1), datetime.now(UTC)
    certificates = {
        "in order": authority.issue_cert("127.0.0.1"),
        "self-signed": trustme.CA().issue_cert("127.0.0.1"),
        "expired": authority.issue_cert("127.0.0.1", not_before=now - 9 * day, not_after=now - day),
        "wrong host": authority.issue_cert("api.example.org"),
    }
    servers = {name: FaultServer(tls=served_by(certificate)) for name, certificate in certificates.items()}
    for server in servers.values():
        await server.__aenter__()
    try:
        said = await answers(authority, tmp_path, servers)
    finally:
        for server in servers.values():
            await server.__aexit__()
    assert said == {"in order": "All is well.", **dict.fromkeys(["self-signed", "expired", "wrong host"], "connection")}
    assert {name: len(server.requests) for name, server in servers.items() if server.requests} == {"in order": 1}


async def test_plain_http_at_a_tls_port_is_no_connection(authority):
    """The server hangs up; the request is not repeated elsewhere."""
    async with FaultServer(tls=served_by(authority.issue_cert("127.0.0.1"))) as server:
        model = OpenAIModel(name="m", api_key="any", base_url=server.base_url().replace("https", "http"))
        with pytest.raises(ProviderConnectionError):
            await model.generate_response("Hello")
        await close_sessions()
        assert len(server.requests) == 0
