"""A stream reads the same however its bytes arrive, and a stream that was cut is never taken for whole."""

from __future__ import annotations

import random

import pytest
from recordings import Recording, recordings, tell

from orchestrator.errors import ProviderAPIError, StreamTruncatedError

SEED = 20260801
_SMALL = 6_000  # bytes: shorter streams are cut at every byte
_SAMPLES = 150


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a recorded stream."""
    if "recording" in metafunc.fixturenames:
        streams = [entry for entry in recordings() if entry.is_stream]
        metafunc.parametrize("recording", streams or [None], ids=[s.facts["file"] for s in streams] or ["none"])


def test_the_cut_of_the_bytes_changes_nothing(shared_data, recording: Recording) -> None:
    """Read byte by byte or in random pieces, a stream gives what it gives when read at once."""
    body, draw = recording.body, random.Random(SEED)
    whole = tell(recording.dialect, [body]).summary
    assert tell(recording.dialect, pieces(body, [1])).summary == whole
    for most in (2, 17, 300, 5_000):
        sizes = [draw.randint(1, most) for _ in range(64)]
        assert tell(recording.dialect, pieces(body, sizes)).summary == whole


def test_a_cut_stream_is_never_whole(shared_data, recording: Recording) -> None:
    """Cut before the bytes that prove the end, a stream raises, with the text that came."""
    body = recording.body
    proof = proven_at(recording)
    whole = tell(recording.dialect, [body])
    said = "".join(chunk.text for chunk in whole.chunks)
    for at in cuts(proof):
        told = tell(recording.dialect, [body[:at]])
        assert isinstance(told.error, StreamTruncatedError), at
        assert said.startswith(told.error.text_so_far)


def pieces(body: bytes, sizes: list[int]):
    """The body in pieces of these sizes, over and over."""
    at = turn = 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        yield body[at : at + size]
        at, turn = at + size, turn + 1


def proven_at(recording: Recording) -> int:
    """How many bytes it takes until the reader holds the proof of the end, or meets an error."""
    body, framing, reader = recording.body, recording.dialect.framing(), recording.dialect.reader()
    for at in range(len(body)):
        try:
            for frame in framing.feed(body[at : at + 1]):
                reader.feed(frame)
        except ProviderAPIError:
            return last_data(body, at)
        if reader.ended:
            return last_data(body, at)
    return last_data(body, len(body))


def last_data(body: bytes, at: int) -> int:
    """The end of the last data before a position: the line ends after it prove nothing."""
    return len(body[:at].rstrip())


def cuts(proof: int) -> list[int]:
    """Every position for a small stream, a seeded sample for a long one, always the last byte."""
    if proof <= _SMALL:
        return list(range(proof))
    return sorted({*random.Random(SEED).sample(range(proof), _SAMPLES), proof - 1, 0})
