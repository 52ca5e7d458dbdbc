"""A canary key is in nothing that outlives a call or leaves the process: cache files, output of the command line."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import importlib
import io
import logging
import os
import pickle
import pkgutil
import subprocess
import sys

import aiohttp
import pytest
from pydantic import BaseModel, SecretStr

import orchestrator
from orchestrator.core.cache import ModelCache
from orchestrator.gateway import Gateway, GatewayKey, GatewaySettings
from orchestrator.integrations import (
    AnthropicModel,
    AzureOpenAIModel,
    GoogleModel,
    HTTPModel,
    HuggingFaceModel,
    OllamaModel,
    OpenAIModel,
    RedactKeys,
    close_sessions,
)
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import Answer, Begin, Fail, FaultServer, Head, Refuse, Reset

KEY = "sk-canary-5ac8e2d94b71"
PROMPT = "canary: what do Acme and Initech plan for May?"
QUOTING = Refuse(Fail(401, message=f"Incorrect API key provided: {KEY}, asked {PROMPT!r}"))


async def test_no_file_of_the_cache_holds_a_key_or_a_prompt(tmp_path):
    """What is kept is the answer, under a digest."""
    async with FaultServer(Answer("a plain answer")) as server:
        cache = ModelCache(("disk",), directory=tmp_path)
        registry = ModelRegistry(cache=cache)
        registry.register_model(OpenAIModel(name="m", id="m", api_key=KEY, base_url=server.base_url()))
        assert (await registry.generate_response(PROMPT)).text == "a plain answer"
        await registry.cleanup()
        await close_sessions()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"a plain answer" in kept
    assert KEY[3:].encode() not in kept
    assert b"Initech" not in kept


@pytest.mark.parametrize(
    ("fault", "option"),
    [
        (Answer(), "--explain"),
        (QUOTING, "--debug"),
        (Refuse(Fail(400, message=KEY)), "--stream"),
        (Head(307, {"Location": "https://elsewhere.example.org"}, length=0), "--json"),
    ],
)
async def test_the_command_line_shows_no_key(fault, option):
    """Not when it answers, not when it fails, not with a traceback."""
    async with FaultServer() as server:
        server.break_with(fault)
        command = [
            sys.executable,
            "-m",
            "orchestrator",
            "ask",
            "Hello",
            "-m",
            "m",
            "--base-url",
            server.base_url(),
            "--key-env",
            "CANARY",
        ]
        environment = {**os.environ, "CANARY": KEY, "PYTHONASYNCIODEBUG": "1"}
        asking = await asyncio.create_subprocess_exec(
            *command, option, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        async with asyncio.timeout(50):
            said, _ = await asking.communicate()
        assert server.requests, said
        assert KEY in server.requests[0].headers["authorization"], "the canary flew"
    assert KEY[3:].encode() not in said


# what is held in memory


def provider_classes():
    """Every class that speaks HTTP to a provider."""
    found, waiting = set(), [HTTPModel]
    while waiting:
        for cls in waiting.pop().__subclasses__():
            if cls.__module__.startswith("orchestrator."):
                found.add(cls)
                waiting.append(cls)
    return sorted(found, key=lambda cls: cls.__name__)


@pytest.mark.parametrize(
    "cls", [AnthropicModel, AzureOpenAIModel, GoogleModel, HuggingFaceModel, OllamaModel, OpenAIModel]
)
def test_no_provider_shows_its_key(cls):
    """repr, vars, copies and pickles of a model that is ready to call."""
    model = cls(name="m", api_key=KEY, base_url="https://models.example.org/v1")
    model._connect()
    for thing in (model, copy.copy(model)):
        assert KEY[3:] not in f"{thing!r} {thing} {vars(thing)} {thing.info!r} {thing.info.model_dump()}"
    model._extra_headers = {"X-Extra": KEY}
    assert KEY[3:].encode() not in pickle.dumps(model)


def test_the_classes_above_are_all():
    """A new provider is added to the test."""
    assert {cls.__name__ for cls in provider_classes()} <= {
        "AnthropicModel", "AzureOpenAIModel", "CompatibleModel", "GoogleModel", "HuggingFaceModel", "LazyHuggingFaceModel", "LazyOllamaModel", "LocalHuggingFaceModel", "OllamaModel", "OpenAIModel"
    }  # fmt: skip


def test_every_pydantic_model_hides_its_input_in_errors():
    """A validation error prints what it was given, fields beside it included, unless it is told not to."""
    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if "__main__" not in module.name:
            with contextlib.suppress(ModuleNotFoundError):  # an adapter whose framework is not installed
                importlib.import_module(module.name)
    waiting, found = [BaseModel], []
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        waiting += subclasses
        found += [cls for cls in subclasses if cls.__module__.startswith("orchestrator.")]
    assert found
    assert [cls.__name__ for cls in found if not cls.model_config.get("hide_input_in_errors")] == []


# the net under the logs


def logged(filter_, *args, error=None):
    """What a handler with this filter writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(filter_)
    logger = logging.Logger("anybody")  # noqa: LOG001 - of this test alone
    logger.addHandler(handler)
    if error is None:
        logger.info(*args)
    else:
        try:
            raise error
        except type(error):
            logger.exception(*args)
    return stream.getvalue()


@pytest.mark.parametrize(
    "key", ["sk-proj-abcdef123456", "AIzaSyA1b2C3d4E5f6", "hf_abcdefghijkl", "gsk_1234567890ab", "Bearer abc123def456"]
)
def test_what_looks_like_a_key_is_hidden(key):
    """In the text, in an argument, in a traceback."""
    assert key not in logged(RedactKeys(), f"sent {key} off")
    assert key not in logged(RedactKeys(), "sent %s off", {"headers": key})
    assert key not in logged(RedactKeys(), "failed", error=ValueError(f"bad key {key}"))


def test_a_configured_key_is_hidden_whatever_it_looks_like(monkeypatch):
    """Given, or in the environment."""
    monkeypatch.setenv("STRANGE_API_KEY", "correct horse,battery staple")
    net = RedactKeys(["tr0ub4dor&3", SecretStr("open sesame")])
    said = logged(net, "tr0ub4dor&3, open sesame, correct horse, battery staple and the weather")
    assert said == "[hidden], [hidden], [hidden], [hidden] and the weather\n"
    assert "sesame" not in repr(net)


def test_other_messages_are_left_alone():
    """And a faulty call of a logger is not made worse."""
    assert logged(RedactKeys(), "%d of %d", 3, 4) == "3 of 4\n"
    record = logging.LogRecord("any", logging.INFO, "", 0, "%d", ("three",), None)
    assert RedactKeys().filter(record)


# through the gateway


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        Answer(),
        QUOTING,
        Refuse(Fail(400, message=f"no {KEY}")),
        Reset(),
        [Begin(1), Reset()],
        Head(307, {"Location": f"https://x.example.org/{KEY}"}, length=0),
    ],
)
async def test_the_gateway_shows_no_key(fault, streamed, caplog):
    """Neither its own keys nor the providers', in bodies, headers, pages or logs."""
    caplog.set_level(logging.DEBUG)
    own = "gw-canary-77120451c0de"
    async with FaultServer() as server, aiohttp.ClientSession(headers={"Authorization": f"Bearer {own}"}) as http:
        server.break_with(fault)
        registry = ModelRegistry(seed=1)
        registry.register_model(OpenAIModel(name="m", id="m", api_key=KEY, base_url=server.base_url()))
        settings = GatewaySettings(port=0, keys=(GatewayKey("tests", own),), drain_s=1)
        seen = [repr(settings), repr(registry)]
        async with Gateway(registry, settings).serving() as url:
            body = {"model": "m", "stream": streamed, "messages": [{"role": "user", "content": PROMPT}]}
            reply = await http.post(f"{url}/v1/chat/completions", json=body)
            seen += [await _all_of(reply), str(dict(reply.headers))]
            for page in ("/healthz", "/readyz", "/metrics", "/v1/models", "/"):
                async with http.get(url + page) as shown:
                    seen += [await _all_of(shown), str(dict(shown.headers))]
        await registry.cleanup()
        assert server.requests
        assert KEY in server.requests[0].headers["authorization"], "the canary flew"
    for text in (*seen, caplog.text):
        assert KEY[3:] not in text
        assert own[3:] not in text
        assert "Initech" not in text


async def _all_of(reply):
    """The body, or as much of it as came."""
    said = b""
    with contextlib.suppress(aiohttp.ClientError):
        async for piece in reply.content.iter_any():
            said += piece
    return said.decode("utf-8", "replace")
