"""Every recorded body is read to exactly what the index says of it."""

from __future__ import annotations

from typing import Any

import pytest
from recordings import Recording, Told, counts, recordings, same_text, tell

from orchestrator.core.messages import Chunk, Reply
from orchestrator.errors import (
    MalformedResponseError,
    ProviderAPIError,
    StreamTruncatedError,
)
from orchestrator.integrations import strict_json
from orchestrator.integrations.dialects import anthropic, google, ollama
from orchestrator.integrations.failures import failure

# what each status and word of the recorded errors means (status, then words of code, type or state, then text)
_CLASSES = (
    ("context_length", {400, 413, 422}, ("context_length_exceeded", "maximum context length", "max context length")),
    ("context_length", {422}, ("max_new_tokens",)),
    ("context_length", {429}, ("Request too large",)),
    ("content_filter", {400, 403}, ("content_filter",)),
    ("quota", {402}, ("",)),
    ("quota", {429, 400}, ("insufficient_quota", "credit balance")),
    ("authentication", {401}, ("",)),
    ("authentication", {400}, ("API key not valid", "Incorrect API key")),
    ("not_found", {404}, ("",)),
    ("not_found", {400}, ("model_not_found",)),
    ("permission", {403}, ("",)),
    ("permission", {400}, ("FAILED_PRECONDITION",)),
    ("rate_limit", {429}, ("",)),
    ("overloaded", {503, 529}, ("",)),
    ("server", {500, 502, 504}, ("",)),
    ("invalid_request", {400, 422}, ("",)),
    ("overloaded", {200}, ("overloaded_error",)),
    ("server", {200}, ("",)),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test an entry; without recordings one test, which the data fixture skips with its reason."""
    if "recording" in metafunc.fixturenames:
        entries = recordings()
        metafunc.parametrize("recording", entries or [None], ids=[r.facts["file"] for r in entries] or ["none"])


def test_reads_as_the_index_says(shared_data, recording: Recording, tally) -> None:
    """Text, reasoning, calls, finish, model, usage, vectors, ids and errors are those of the body."""
    kind = recording.facts["kind"]
    if kind == "error":
        check_error(recording)
    elif kind in _READERS:
        _READERS[kind](recording)
    elif recording.is_stream:
        check_stream(recording)
    else:
        check_reply(recording)
    tally(recording)


def test_nothing_is_left_out(shared_data) -> None:
    """The index counts as many entries as are tested."""
    assert len(recordings()) == strict_json.loads((shared_data / "wire" / "index.json").read_bytes())["count"]


def check_error(recording: Recording) -> None:
    status = recording.facts["status"]
    error = failure(status, recording.facts["headers"], recording.body, provider=recording.facts["provider"])
    assert error.error_type == expected_class(status, recording.body)
    assert error.status == status
    code = recording.expected["error"].get("code") or recording.expected["error"].get("type")
    assert code is None or isinstance(code, int) or error.code == code
    assert len(str(error)) < 400


def expected_class(status: int, body: bytes) -> str:
    text = body.decode()
    return next(name for name, statuses, marks in _CLASSES if status in statuses and any(m in text for m in marks))


def check_reply(recording: Recording) -> None:
    body, expected = strict_json.loads(recording.body), recording.expected
    answers = expected.get("choices", expected.get("candidates", 1))
    if expected.get("unreadable") or (not answers and "block_reason" not in expected):
        with pytest.raises(ProviderAPIError):
            recording.dialect.decode(body)
        return
    reply = recording.dialect.decode(body)
    assert same_text(reply.text, expected)
    assert same_text(reply.reasoning, expected, "reasoning") or untold(recording)
    check_rest(recording, reply)


def check_stream(recording: Recording) -> None:
    expected = recording.expected
    told = tell(recording.dialect, [recording.body])
    said = "".join(chunk.text for chunk in told.chunks)
    assert same_text(said, expected)
    assert told.reader.text == said
    assert same_text("".join(told.reader.reasonings), expected, "reasoning") or untold(recording)
    assert_ending(told, expected)
    if told.last is not None:
        check_rest(recording, told.last)
    else:
        assert told.error is not None
        assert told.error.text_so_far == said


def assert_ending(told: Told, expected: dict[str, Any]) -> None:
    """Whole when the end was seen, an error when the body holds one, cut otherwise."""
    if "error" in expected:
        assert told.error is not None
        assert not isinstance(told.error, StreamTruncatedError | MalformedResponseError)
        assert told.error.error_type == in_band_class(expected["error"])
    elif expected.get("done_marker") or expected.get("terminal") or "finish" in expected or "block_reason" in expected:
        assert told.error is None
    else:
        assert isinstance(told.error, StreamTruncatedError)


def in_band_class(error: Any) -> str:
    if isinstance(error, str):
        return "server"
    status = error.get("status_code") or error.get("code")
    if isinstance(status, int):
        return expected_class(status, b"")
    return "overloaded" if error.get("type") == "overloaded_error" else "server"


def check_rest(recording: Recording, answer: Reply | Chunk) -> None:
    expected, api = recording.expected, recording.facts["api"]
    calls = [{"name": call.name, "arguments": call.arguments} for call in answer.tool_calls]
    if "tool_calls" in expected or expected.get("finish") != "function_call":  # the index leaves the oldest form out
        assert calls == expected.get("tool_calls", [])
    else:
        assert [set(call) for call in calls] == [{"name", "arguments"}]
    word = expected.get("finish", expected.get("block_reason"))
    assert answer.raw_finish == (None if word is None else str(word))
    assert answer.upstream_model == expected.get("model")
    assert answer.refusal == expected.get("refusal", "")
    assert (answer.finish_reason == "tool_calls") <= bool(calls)
    if "block_reason" in expected or "refusal" in expected:
        assert answer.finish_reason == "content_filter"
    check_usage(expected.get("usage", {}), counts(answer, api))


def check_usage(expected: dict[str, Any], counted: dict[str, Any]) -> None:
    if not expected:
        assert counted["input_tokens"] is None
        assert counted["output_tokens"] is None
        return
    hidden = expected.get("total_tokens", 0) - expected.get("input_tokens", 0) - expected.get("output_tokens", 0)
    for name, value in expected.items():
        found = counted[name]
        if name == "cost" and isinstance(value, dict):
            value = value["total_cost"]
        if name == "cached_input_tokens" and value > expected["input_tokens"]:
            value = None  # more read from the cache than was sent: no figure to bill by
        if name == "output_tokens" and hidden > 0 and counted["reasoning_tokens"] == hidden and found != value:
            found -= hidden  # counted beside the answer by its provider, billed with it by ours
        assert found == value, name


def check_vectors(recording: Recording) -> None:
    expected = recording.expected
    found = recording.dialect.decode_embeddings(strict_json.loads(recording.body))
    assert len(found.vectors) == expected["vectors"]
    assert len(found.vectors[0]) == expected.get("dim", len(found.vectors[0]))
    assert all(
        -100 < number < 100 or recording.facts["provider"] == "perplexity" for v in found.vectors for number in v
    )
    assert found.upstream_model == expected.get("model", found.upstream_model)
    if "usage" in expected:
        assert found.usage.prompt_tokens == expected["usage"]["input_tokens"]


def check_models(recording: Recording) -> None:
    found, page = recording.dialect.decode_models(strict_json.loads(recording.body))
    ids = [name.removeprefix("models/") for name in recording.expected["ids"]]
    assert (page is not None) == (b'"has_more": true' in recording.body)
    assert [model.id for model in found] == ids
    assert len(found) == recording.expected["count"]
    assert all(price is None or price >= 0 for model in found for price in (model.input_usd, model.output_usd))


def check_token_count(recording: Recording) -> None:
    body = strict_json.loads(recording.body)
    read = anthropic.read_token_count if recording.facts["api"].startswith("anthropic") else google.read_token_count
    assert read(body) == recording.expected["usage"]["input_tokens"]


def check_version(recording: Recording) -> None:
    body = strict_json.loads(recording.body)
    assert ollama.read_version(body) == body["version"]


_READERS = {
    "embed": check_vectors,
    "models": check_models,
    "count_tokens": check_token_count,
    "version": check_version,
}


def untold(recording: Recording) -> bool:
    """The index tells no reasoning of the Responses API, where it is a summary beside the answer."""
    return recording.facts["api"] == "openai.responses" and "reasoning" not in recording.expected
