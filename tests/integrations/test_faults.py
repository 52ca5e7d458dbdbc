"""What goes wrong on the road or at the far end comes back as the class that says what to do."""

from __future__ import annotations

import asyncio
import gzip
import json
import pickle
import traceback

import pytest
from aiohttp import web

from orchestrator.core.info import ModelInfo
from orchestrator.core.messages import Request
from orchestrator.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelProviderError,
    OverloadedError,
    ProviderAPIError,
    ProviderConfigError,
    ProviderConnectionError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
    UpstreamNotFoundError,
)
from orchestrator.integrations import OpenAIModel, close_sessions
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.frames import EventFraming
from orchestrator.integrations.line import Patience
from orchestrator.integrations.transport import MAX_BODY, Limits

KEY = "sk-canary-0123456789abcdef"
PROMPT = "My secret diary begins on the seventh of May"
OK = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}


def model(url, **options):
    return OpenAIModel("gpt-4o", api_key=KEY, base_url=url, **options)


async def failure_of(tiny, **options):
    with pytest.raises(ProviderAPIError) as caught:
        await model(tiny.url, **options).send(Request.of(PROMPT))
    return caught.value


async def stream_failure_of(url, **options):
    with pytest.raises(ProviderAPIError) as caught:
        async for _ in model(url, **options).open_stream(Request.of(PROMPT)):
            pass
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"message": "bad", "code": "context_length_exceeded"}}, ContextLengthError),
        (400, {"error": {"message": "bad"}}, InvalidRequestError),
        (401, {"error": {"message": "no"}}, AuthenticationError),
        (404, b"<html>lost</html>", UpstreamNotFoundError),
        (429, {"error": {"message": "slow"}}, RateLimitError),
        (500, b"", ServerError),
        (503, {"error": "busy"}, OverloadedError),
        (200, {"error": {"code": 429, "message": "slow"}}, RateLimitError),
        (200, b"", ServerError),
        (204, b"", ServerError),
        (200, b"<html>portal</html>", ServerError),
        (200, b'{"choices": [', MalformedResponseError),
        (200, b"[" * 100_000, MalformedResponseError),
        (200, b'{"choices": NaN}', MalformedResponseError),
        (200, {"choices": []}, MalformedResponseError),
        (200, [1], MalformedResponseError),
    ],
)
async def test_each_refusal_has_its_class(tiny, status, body, expected):
    """By status, then by words, then by text."""
    tiny.reply(body, status=status)
    error = await failure_of(tiny)
    assert type(error) is expected
    assert error.model_id == "openai/gpt-4o"


async def test_a_redirect_is_not_followed(tiny):
    """Neither key nor prompt go to another address."""
    tiny.reply(b"", status=307, headers={"Location": f"{tiny.url}/elsewhere"})
    error = await failure_of(tiny)
    assert isinstance(error, UpstreamNotFoundError)
    assert [request["path"] for request in tiny.requests] == ["/chat/completions"]


async def test_a_gzip_bomb_stops_at_the_limit(tiny):
    """The size counts as it unfolds, not as it was sent."""
    tiny.reply(gzip.compress(b" " * (4 * MAX_BODY)), headers={"Content-Encoding": "gzip"})
    error = await failure_of(tiny)
    assert isinstance(error, MalformedResponseError)
    assert "longer than" in str(error)


async def test_a_compressed_answer_is_read(tiny):
    """Within the limit, gzip is as good as plain."""
    tiny.reply(gzip.compress(json.dumps(OK).encode()), headers={"Content-Encoding": "gzip"})
    assert (await model(tiny.url).send(Request.of("Hello"))).text == "Hi"


async def test_a_line_without_end_stops_at_the_limit(tiny):
    """4 MiB is more than any event."""
    tiny.stream(*[b"x" * 2**20] * 6, done=False)
    error = await stream_failure_of(tiny.url)
    assert isinstance(error, MalformedResponseError)


async def test_html_instead_of_a_stream_is_a_fault_of_the_server(tiny):
    """A captive portal answers 200."""
    tiny.reply(b"<html>portal</html>", headers={"Content-Type": "text/html"})
    assert isinstance(await stream_failure_of(tiny.url), ServerError)


async def test_a_refused_stream_has_the_class_of_its_status(tiny):
    """A stream that never began is a reply like any other."""
    tiny.reply({"error": {"message": "slow"}}, status=429, headers={"retry-after": "7"})
    error = await stream_failure_of(tiny.url)
    assert (type(error), error.retry_after_s) == (RateLimitError, 7.0)


async def test_nothing_listens_at_a_closed_port(unused_tcp_port):
    """Refused: nothing was sent."""
    with pytest.raises(ProviderConnectionError):
        await model(f"http://127.0.0.1:{unused_tcp_port}").send(Request.of("Hello"))
    await close_sessions()


async def raw_server(answer):
    """A server that says these bytes and hangs up; returns its address and how to close it."""
    seen = []

    async def talk(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, f"http://127.0.0.1:{port}", seen


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", ProviderConnectionError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", ProviderConnectionError),
        (b'HTTP/1.0 200 OK\r\n\r\n{"choices": [{"mess', MalformedResponseError),
        (b"this is no HTTP\r\n\r\n", MalformedResponseError),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20 + b"\r\n\r\n", MalformedResponseError),
    ],
)
async def test_a_broken_reply_is_classified(answer, expected):
    """Hung up, cut with and without a length, no HTTP, headers without end."""
    server, url, _ = await raw_server(answer)
    with pytest.raises(expected) as caught:
        await model(url).send(Request.of(PROMPT))
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown
    assert PROMPT not in shown
    await close_sessions()
    server.close()


async def test_a_first_hang_up_is_not_repeated():
    """Only a connection that has answered before may have gone stale."""
    server, url, seen = await raw_server(b"")
    with pytest.raises(ProviderConnectionError):
        await model(url).send(Request.of("Hello"))
    assert len(seen) == 1
    await close_sessions()
    server.close()


async def test_a_stale_connection_is_replaced_silently(tiny):
    """The server closed a pooled connection: the call goes out once more."""
    calls = []

    async def hang_up_second(request):
        calls.append(1)
        if len(calls) == 2:
            request.transport.close()
            return web.Response()
        return web.json_response(OK)

    tiny.answers.append(hang_up_second)
    asked = model(tiny.url)
    await asked.send(Request.of("Hello"))
    assert (await asked.send(Request.of("Hello"))).text == "Hi"
    assert len(calls) == 3


async def test_a_cut_stream_tells_what_came():
    """With a clean close and without: never an answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    event = b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    for answer in (
        head + b"Connection: close\r\n\r\n" + event,
        head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(event), event),
    ):
        server, url, _ = await raw_server(answer)
        error = await stream_failure_of(url)
        assert (type(error), error.text_so_far) == (StreamTruncatedError, "Hel")
        server.close()
    await close_sessions()


class Drip:
    """A reply that brings the same bytes every ten seconds of a clock of its own."""

    def __init__(self, data):
        self.data, self.now_s, self.content = data, 0.0, self

    def now(self):
        return self.now_s

    def is_eof(self):
        return False

    async def readany(self):
        self.now_s += 10
        return self.data


@pytest.mark.parametrize("drip", [b": ping\n\n", b'data: {"type": "ping"}\n\n'])
async def test_pings_alone_do_not_keep_a_stream_alive(drip):
    """Only events that mean something push the limit of 30 s back."""
    source = Drip(drip)
    patience = Patience(Limits(None, first_byte_s=5, gap_s=30), "tiny", now=source.now)
    framing, reader = EventFraming(), OpenAIChat().reader()

    async def listen():
        while True:
            for frame in framing.feed(await patience.read(source)):
                reader.feed(frame)
            patience.after(meaningful=reader.beats > 0)

    with pytest.raises(ProviderTimeoutError, match="pings"):
        await listen()
    assert source.now_s == 30


async def test_events_that_mean_something_keep_a_stream_alive():
    """However long it takes in all."""
    source = Drip(b"anything")
    patience = Patience(Limits(None, first_byte_s=5, gap_s=30), "tiny", now=source.now)
    for _ in range(100):
        await patience.read(source)
        patience.after(meaningful=True)
    assert source.now_s == 1000


async def test_a_silent_server_meets_the_first_byte_limit(tiny):
    """No answer within the model's own limit."""
    release = asyncio.Event()

    async def silent(_request):
        await release.wait()
        return web.json_response(OK)

    tiny.answers.append(silent)
    error = await failure_of(tiny, first_byte_s=0.05)
    assert isinstance(error, ProviderTimeoutError)
    release.set()


async def test_a_stream_left_early_closes_its_connection(tiny):
    """Leaving the loop is enough."""
    gone = asyncio.Event()

    async def endless(request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
        return response

    tiny.answers.append(endless)
    chunks = model(tiny.url).open_stream(Request.of("Hello"))
    assert (await anext(chunks)).text == "x"
    await chunks.aclose()
    async with asyncio.timeout(5):
        await gone.wait()


# keys and prompts


async def test_neither_key_nor_prompt_is_in_an_error(tiny):
    """A provider that repeats both is not repeated."""
    tiny.reply({"error": {"message": f"cannot answer '{PROMPT}' with key {KEY}", "code": KEY}}, status=400)
    error = await failure_of(tiny)
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert KEY not in shown
    assert PROMPT not in shown
    assert "cannot answer" in str(error)


async def test_neither_is_in_an_error_within_a_reply(tiny):
    """Status 200 makes no difference."""
    tiny.reply({"error": {"message": f"cannot answer '{PROMPT}' with {KEY}"}})
    error = await failure_of(tiny)
    assert KEY not in str(error)
    assert PROMPT not in str(error)


def test_the_key_shows_nowhere():
    """repr, str, vars, pickle, info."""
    made = OpenAIModel("gpt-4o", info=ModelInfo(id="openai/gpt-4o", api_key=KEY))
    made._connect()
    shown = f"{made!r} {made} {vars(made)} {made.info!r} {made._line!r} {made.info.model_dump_json()}"
    assert KEY not in shown
    pickled = pickle.dumps(made)
    assert KEY.encode() not in pickled
    assert pickle.loads(pickled).name == "gpt-4o"


async def test_a_missing_key_is_named_before_any_request(monkeypatch):
    """The variable to set, and the argument."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made = OpenAIModel("gpt-4o")
    assert made.setup_issue() == "no API key for openai: set OPENAI_API_KEY or pass api_key="
    with pytest.raises(ModelProviderError, match="OPENAI_API_KEY"):
        await made.send(Request.of("Hello"))
    assert await made.health_check() is False


async def test_a_key_is_looked_up_at_first_use(tiny, monkeypatch):
    """Set after the model was made, it counts."""
    made = OpenAIModel("gpt-4o", base_url=tiny.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-late")
    tiny.reply(OK)
    await made.send(Request.of("Hello"))
    assert tiny.last["headers"]["authorization"] == "Bearer sk-late"


def test_a_key_that_no_header_can_carry_is_refused():
    """A line break would be a header of its own."""
    with pytest.raises(ProviderConfigError, match="characters") as caught:
        OpenAIModel("gpt-4o", api_key="sk-a\r\nX-Evil: 1")
    assert "Evil" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.org/v1",
        "https://user:pw@api.example.org",
        "https://api.example.org/v1?key=1",
        "https://api.example.org/#top",
        "ftp://api.example.org",
        "api.example.org",
        "https://",
        "http://169.254.169.254/latest",
        "http://0.0.0.0:80",
        "https://api.example.org:port",
    ],
)
def test_a_base_url_that_must_not_see_a_key_is_refused(url):
    """https, a host, and nothing else in it."""
    with pytest.raises(ProviderConfigError) as caught:
        OpenAIModel("gpt-4o", base_url=url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://api.example.org/v1", "http://127.0.0.1:80/v1", "http://10.1.2.3", "http://[::1]:8000/v1"]
)
def test_other_base_urls_are_taken(url):
    """https anywhere, http here and on private networks."""
    assert OpenAIModel("gpt-4o", base_url=url)._base_url == url


def test_plain_http_elsewhere_has_to_be_asked_for():
    """allow_http is the user's own risk."""
    assert OpenAIModel("gpt-4o", base_url="http://api.example.org", allow_http=True)._base_url
