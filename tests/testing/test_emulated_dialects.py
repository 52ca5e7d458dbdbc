"""Each dialect through plain HTTP: whole answers, streams, errors, lists and vectors, as each provider words them."""

import base64
import json
import struct
from typing import Any

import aiohttp
import pytest

from orchestrator.testing import CallTool, EmulatedModel, Emulator, Fail, Say
from orchestrator.testing.dialects import DIALECTS

PROMPT = "What is 12 plus 30?"


def ask(dialect: str, *, model: str = "m", stream: bool = False, limit: int = 100, prompt: str = PROMPT, **more: Any):
    """The path and the body with which a dialect asks a question."""
    turns = [{"role": "user", "content": prompt}]
    match dialect:
        case "openai":
            return "/chat/completions", {
                "model": model,
                "messages": turns,
                "stream": stream,
                "max_tokens": limit,
                **more,
            }
        case "anthropic":
            return "/v1/messages", {"model": model, "messages": turns, "stream": stream, "max_tokens": limit}
        case "google":
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            contents = [{"role": "user", "parts": [{"text": prompt}]}]
            return f"/v1beta/models/{model}:{verb}", {
                "contents": contents,
                "generationConfig": {"maxOutputTokens": limit},
            }
        case _:
            return "/api/chat", {"model": model, "messages": turns, "stream": stream, "options": {"num_predict": limit}}


async def post(http: aiohttp.ClientSession, emulator: Emulator, dialect: str, **options: Any) -> tuple[int, str, Any]:
    path, body = ask(dialect, **options)
    async with http.post(emulator.base_url(dialect) + path, json=body) as response:
        return response.status, await response.text(), response.headers


def text_of(dialect: str, reply: dict[str, Any]) -> str:
    match dialect:
        case "openai":
            return reply["choices"][0]["message"]["content"]
        case "anthropic":
            return "".join(block["text"] for block in reply["content"])
        case "google":
            return "".join(part["text"] for part in reply["candidates"][0]["content"]["parts"])
        case _:
            return reply["message"]["content"]


def finish_of(dialect: str, reply: dict[str, Any]) -> str:
    match dialect:
        case "openai":
            return reply["choices"][0]["finish_reason"]
        case "anthropic":
            return reply["stop_reason"]
        case "google":
            return reply["candidates"][0]["finishReason"]
        case _:
            return reply["done_reason"]


def tokens_of(dialect: str, reply: dict[str, Any]) -> tuple[int, int]:
    match dialect:
        case "openai":
            return reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]
        case "anthropic":
            return reply["usage"]["input_tokens"], reply["usage"]["output_tokens"]
        case "google":
            return reply["usageMetadata"]["promptTokenCount"], reply["usageMetadata"]["candidatesTokenCount"]
        case _:
            return reply["prompt_eval_count"], reply["eval_count"]


def events(body: str) -> list[Any]:
    """The JSON of every event or line; [DONE] as itself."""
    data = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith(("data: ", "{"))]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


def streamed_text(dialect: str, told: list[Any]) -> str:
    match dialect:
        case "openai":
            return "".join(
                choice["delta"].get("content") or "" for e in told if e != "[DONE]" for choice in e["choices"]
            )
        case "anthropic":
            return "".join(e["delta"]["text"] for e in told if e["type"] == "content_block_delta")
        case "google":
            return "".join(text_of(dialect, e) for e in told)
        case _:
            return "".join(e["message"]["content"] for e in told)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_whole_answer_has_text_finish_word_and_usage(http, dialect):
    """One token stands for four characters, of the prompt and of the answer."""
    async with Emulator([EmulatedModel("m")]) as emulator:
        status, body, _ = await post(http, emulator, dialect)
    reply = json.loads(body)
    assert (status, text_of(dialect, reply)) == (200, "42")
    assert (
        finish_of(dialect, reply)
        == {"openai": "stop", "anthropic": "end_turn", "google": "STOP", "ollama": "stop"}[dialect]
    )
    assert tokens_of(dialect, reply) == (5, 1)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_says_the_same_in_pieces_and_ends_properly(http, dialect):
    """The pieces add up to the text, and the dialect's own end marker closes the stream."""
    text = "Grüße aus dem Fluß, 東京 and back again."
    async with Emulator([EmulatedModel("m", script=[Say(text)])]) as emulator:
        status, body, _ = await post(http, emulator, dialect, stream=True)
    told = events(body)
    assert (status, streamed_text(dialect, told)) == (200, text)
    assert len(told) > 5
    match dialect:
        case "openai":
            assert told[-1] == "[DONE]"
            assert told[-2]["choices"][0]["finish_reason"] == "stop"
        case "anthropic":
            assert told[-1] == {"type": "message_stop"}
            assert told[-2]["usage"]["output_tokens"] == 10
        case "google":
            assert finish_of(dialect, told[-1]) == "STOP"
            assert tokens_of(dialect, told[-1])[1] == 10
        case _:
            assert told[-1]["done"] is True
            assert tokens_of(dialect, told[-1])[1] == 10


@pytest.mark.parametrize(("wanted", "expected"), [(True, 1), (False, 0)])
async def test_an_openai_stream_tells_usage_only_if_asked(http, wanted, expected):
    """`stream_options.include_usage` brings one last chunk without choices."""
    async with Emulator([EmulatedModel("m")]) as emulator:
        _, body, _ = await post(http, emulator, "openai", stream=True, stream_options={"include_usage": wanted})
    told = [event for event in events(body) if event != "[DONE]"]
    assert sum(bool(event.get("usage")) for event in told) == expected
    assert sum(not event["choices"] for event in told) == expected


async def test_a_gemini_stream_without_sse_is_one_json_array(http):
    """Without `alt=sse` the pieces are the items of an array."""
    path, body = ask("google", stream=True)
    async with (
        Emulator([EmulatedModel("m")]) as emulator,
        http.post(emulator.base_url("google") + path.partition("?")[0], json=body) as response,
    ):
        pieces = await response.json()
    assert streamed_text("google", pieces) == "42"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_token_limit_cuts_the_answer_and_says_so(http, dialect):
    """Two tokens are eight characters, and the finish word tells."""
    async with Emulator([EmulatedModel("m", script=[Say("one two three four")])]) as emulator:
        _, body, _ = await post(http, emulator, dialect, limit=2)
    reply = json.loads(body)
    assert text_of(dialect, reply) == "one two "
    words = {"openai": "length", "anthropic": "max_tokens", "google": "MAX_TOKENS", "ollama": "length"}
    assert finish_of(dialect, reply) == words[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_unknown_model_is_the_dialects_404(http, dialect):
    """The words are the provider's, the model's name is in them."""
    async with Emulator([EmulatedModel("m")]) as emulator:
        status, body, _ = await post(http, emulator, dialect, model="ghost")
    words = {
        "openai": "The model `ghost` does not exist",
        "anthropic": "model: ghost",
        "google": "models/ghost is not found",
        "ollama": 'model "ghost" not found, try pulling it first',
    }
    assert status == 404
    assert words[dialect] in str(json.loads(body))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_wrong_key_is_refused_without_being_repeated(http, dialect):
    """Each dialect has a status of its own for it, and none tells the key."""
    path, body = ask(dialect)
    headers = {"Authorization": "Bearer sk-wrong", "x-api-key": "sk-wrong", "x-goog-api-key": "sk-wrong"}
    async with Emulator([EmulatedModel("m")], keys={"sk-right"}) as emulator:
        async with http.post(emulator.base_url(dialect) + path, json=body, headers=headers) as refused:
            told = await refused.text()
        right = {name: value.replace("wrong", "right") for name, value in headers.items()}
        async with http.post(emulator.base_url(dialect) + path, json=body, headers=right) as accepted:
            assert accepted.status == 200
    assert refused.status == {"openai": 401, "anthropic": 401, "google": 400, "ollama": 401}[dialect]
    assert "sk-" not in told


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_too_long_a_prompt_is_refused_by_its_window(http, dialect):
    """The window is the model's; the words name it."""
    async with Emulator([EmulatedModel("m", context_window=4)]) as emulator:
        status, body, _ = await post(http, emulator, dialect)
    assert status == 400
    assert "5" in body
    assert "4" in body


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_retry_hint_stands_where_the_dialect_puts_it(http, dialect):
    """A header in most dialects, RetryInfo in Gemini's body."""
    async with Emulator([EmulatedModel("m", script=[Fail(429, retry_after_s=7)])]) as emulator:
        status, body, headers = await post(http, emulator, dialect)
    assert status == 429
    if dialect == "google":
        assert json.loads(body)["error"]["details"][-1]["retryDelay"] == "7s"
        assert json.loads(body)["error"]["status"] == "RESOURCE_EXHAUSTED"
    else:
        assert headers["retry-after"] == "7"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_kind_of_failure_has_words_in_every_dialect(http, dialect):
    """A kind alone picks the status that the provider uses."""
    usual = {
        "openai": {"overloaded": 503, "quota": 429, "server": 500, "content_filter": 400},
        "anthropic": {"overloaded": 529, "quota": 400, "server": 500, "content_filter": 400},
        "google": {"overloaded": 503, "quota": 429, "server": 500, "content_filter": 200},
        "ollama": {"overloaded": 503, "quota": 402, "server": 500, "content_filter": 400},
    }[dialect]
    async with Emulator([EmulatedModel("m", script=[Fail(kind=kind) for kind in usual])]) as emulator:
        seen = [(await post(http, emulator, dialect))[0] for _ in usual]
    assert seen == list(usual.values())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tool_call_arrives_whole_or_in_pieces(http, dialect, stream):
    """Name and arguments are those of the script."""
    call = CallTool("weather", {"city": "Quito", "days": 3})
    async with Emulator([EmulatedModel("m", script=[call])]) as emulator:
        _, body, _ = await post(http, emulator, dialect, stream=stream)
    told = events(body) if stream else [json.loads(body)]
    assert called(dialect, told, stream=stream) == ("weather", {"city": "Quito", "days": 3})


def called(dialect: str, told: list[Any], *, stream: bool) -> tuple[str, dict[str, Any]]:
    match dialect:
        case "openai":
            key = "delta" if stream else "message"
            turns = [choice[key] for e in told if e != "[DONE]" for choice in e["choices"]]
            calls = [call["function"] for turn in turns for call in turn.get("tool_calls", ())]
            return calls[0]["name"], json.loads("".join(call["arguments"] for call in calls))
        case "anthropic" if stream:
            start = next(e["content_block"] for e in told if e["type"] == "content_block_start")
            parts = [e["delta"]["partial_json"] for e in told if e["type"] == "content_block_delta"]
            return start["name"], json.loads("".join(parts))
        case "anthropic":
            return told[0]["content"][0]["name"], told[0]["content"][0]["input"]
        case "google":
            part = next(p for e in told for p in e["candidates"][0]["content"]["parts"] if "functionCall" in p)
            return part["functionCall"]["name"], part["functionCall"]["args"]
        case _:
            call = next(c for e in told for c in e["message"].get("tool_calls", ()))["function"]
            return call["name"], call["arguments"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_models_are_listed_and_described(http, dialect):
    """A list names what this label serves, no more."""
    models = [
        EmulatedModel("everywhere"),
        EmulatedModel("here", provider=dialect),
        EmulatedModel("away", provider="acme"),
    ]
    path = {"openai": "/models", "anthropic": "/v1/models", "google": "/v1beta/models", "ollama": "/api/tags"}[dialect]
    async with Emulator(models) as emulator, http.get(emulator.base_url(dialect) + path) as response:
        listed = await response.json()
    rows = listed["models"] if dialect in ("google", "ollama") else listed["data"]
    assert [row.get("id") or row["name"].removeprefix("models/") for row in rows] == ["everywhere", "here"]


async def test_vectors_of_equal_texts_are_equal_in_every_dialect(http):
    """Unit length, the asked-for size, in order; OpenAI's base64 holds the same numbers."""
    texts = ["red apples", "distant thunder", "red apples"]
    async with Emulator([EmulatedModel("m")]) as emulator:

        async def told(dialect: str, path: str, **body: Any) -> Any:
            async with http.post(emulator.base_url(dialect) + path, json=body) as response:
                return await response.json()

        plain = await told("openai", "/embeddings", model="m", input=texts, dimensions=8)
        packed = await told("openai", "/embeddings", model="m", input=texts, dimensions=8, encoding_format="base64")
        local = await told("ollama", "/api/embed", model="m", input=texts, dimensions=8)
        batch = [{"content": {"parts": [{"text": text}]}, "outputDimensionality": 8} for text in texts]
        gemini = await told("google", "/v1beta/models/m:batchEmbedContents", requests=batch)
        single = await told("google", "/v1beta/models/m:embedContent", **batch[0])
    vectors = [row["embedding"] for row in plain["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert sum(x * x for x in vectors[0]) == pytest.approx(1)
    assert local["embeddings"] == vectors == [row["values"] for row in gemini["embeddings"]]
    assert single["embedding"]["values"] == vectors[0]
    unpacked = struct.unpack("<8f", base64.b64decode(packed["data"][1]["embedding"]))
    assert unpacked == pytest.approx(vectors[1])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"model": "m"}',
        b'{"model": "m", "messages": [1], "contents": [1], "max_tokens": 1}',
        b'{"model": [], "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}',
    ],
)
async def test_a_body_that_is_no_request_is_the_callers_fault(http, dialect, body):
    """400 in the dialect's form, never a 500."""
    path, _ = ask(dialect)
    async with (
        Emulator([EmulatedModel("m")]) as emulator,
        http.post(emulator.base_url(dialect) + path, data=body) as response,
    ):
        assert response.status == 400
        assert "error" in await response.json()
