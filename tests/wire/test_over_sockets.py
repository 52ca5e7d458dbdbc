"""Recorded streams, sent by a real server in random pieces, read the same as from memory; cut, they are never whole."""

from __future__ import annotations

import random

import pytest
from recordings import Recording, recordings, tell

from orchestrator.core.messages import Request
from orchestrator.errors import ProviderAPIError, StreamTruncatedError
from orchestrator.integrations import close_sessions
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.service import Service
from orchestrator.testing import End, FaultServer, HangUp, Head, Reset, Send

SEED = 20260801
_LARGEST = 200_000  # bytes: the framing's own tests read the longer ones
_CUTS = 6


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a recorded stream."""
    if "recording" in metafunc.fixturenames:
        streams = [entry for entry in recordings() if entry.is_stream]
        metafunc.parametrize("recording", streams or [None], ids=[s.facts["file"] for s in streams] or ["none"])


def head_for(body: bytes) -> Head:
    """The content type that goes with the bytes."""
    kind = "text/event-stream" if b"data:" in body[:4096] else "application/x-ndjson"
    return Head(headers={"Content-Type": kind}, chunked=True)


def pieces(body: bytes, draw: random.Random):
    """The body as acts of random sizes."""
    at = 0
    while at < len(body):
        size = draw.choice([1, 7, 100, 1_000, 20_000])
        yield Send(body[at : at + size])
        at += size


async def heard(model: HTTPModel):
    """All chunks of a stream, and the error that ended it."""
    chunks = []
    try:
        async for chunk in model.open_stream(Request.of("Hello")):
            chunks.append(chunk)  # noqa: PERF401 - what came before an error counts
    except ProviderAPIError as error:
        return chunks, error
    return chunks, None


def model_of(recording: Recording, server: FaultServer) -> HTTPModel:
    """A model that speaks the recording's dialect to the server."""
    service = Service(provider="recorded", base_url=server.url, dialect=recording.dialect, key_needed=False)
    return HTTPModel("m", service=service)


async def test_a_recorded_stream_reads_the_same_over_a_socket(shared_data, recording: Recording) -> None:
    """However it was chunked on the way; and cut anywhere, by RST or FIN, it is an error with the text so far."""
    body, draw = recording.body, random.Random(SEED)
    if len(body) > _LARGEST:
        pytest.skip(f"{len(body)} bytes: read by the tests of the framing")
    told = tell(recording.dialect, [body])
    said = "".join(chunk.text for chunk in told.chunks)
    async with FaultServer([head_for(body), *pieces(body, draw), End()]) as server:
        model = model_of(recording, server)
        chunks, error = await heard(model)
        assert type(error) is type(told.error)
        assert "".join(chunk.text for chunk in chunks) == said
        if error is None:
            assert chunks[-1].finish_reason == told.last.finish_reason
            assert chunks[-1].usage == told.last.usage
        for ending in [HangUp(), Reset()] * (_CUTS // 2):
            at = draw.randrange(len(body) // 2)
            if tell(recording.dialect, [body[:at]]).error is None:
                continue  # what comes after the end proves nothing
            server.script([head_for(body), Send(body[:at]), ending])
            _, error = await heard(model)
            assert isinstance(error, StreamTruncatedError), at
            assert said.startswith(error.text_so_far)
        await close_sessions()
