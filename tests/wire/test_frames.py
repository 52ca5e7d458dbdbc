"""Bytes become the same frames however they are cut, within limits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import MalformedResponseError
from orchestrator.integrations.frames import ArrayFraming, EventFraming, LineFraming


def frames(framing, pieces):
    return [frame for piece in pieces for frame in framing.feed(piece)] + framing.close()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"data: 1\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"1", b"2"]),
        (b"data: 1\r\rdata: 2\r\r", [b"1", b"2"]),
        (b"data:1\n\n", [b"1"]),
        (b"data:  1\n\n", [b" 1"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b": comment\n\nevent: x\nid: 3\nretry: 5\n\ndata: 1\n\n", [b"1"]),
        (b"\xef\xbb\xbfdata: 1\n\n", [b"1"]),
        (b"data: 1", [b"1"]),
        (b"data: 1\n", [b"1"]),
        ("data: é亚\n\n".encode(), ["é亚".encode()]),
        (b"data\n\n", []),
        (b"", []),
    ],
)
def test_events_are_read_as_the_standard_says(raw, expected):
    """All line ends, comments, several data lines, a byte order mark, a missing last line."""
    assert frames(EventFraming(), [raw]) == expected
    assert frames(EventFraming(), [raw[at : at + 1] for at in range(len(raw))]) == expected


@settings(deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=12), st.sampled_from([EventFraming, LineFraming, ArrayFraming]))
def test_any_cut_gives_the_same_frames(pieces, kind):
    """Also for bytes that are no stream at all."""
    whole = b"".join(pieces)
    assert frames(kind(), pieces) == frames(kind(), [whole])


@settings(deadline=None)
@given(
    st.text(alphabet='data: \r\n:{}"x\\[],', max_size=60),
    st.lists(st.integers(0, 60), max_size=6),
    st.sampled_from([EventFraming, LineFraming, ArrayFraming]),
)
def test_cuts_among_marks_give_the_same_frames(text, cuts, kind):
    """Line ends, quotes, braces and escapes may fall on either side of a cut."""
    raw = text.encode()
    marks = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(marks)]
    assert frames(kind(), pieces) == frames(kind(), [raw])


def test_objects_of_an_array_come_one_by_one():
    """Braces and quotes inside texts are no marks, also behind a backslash."""
    raw = rb'[{"a": "}\"{"}' + b",\r\n" + rb'{"b": {"c": "\\"}}]'
    assert frames(ArrayFraming(), [raw]) == [rb'{"a": "}\"{"}', rb'{"b": {"c": "\\"}}']


def test_a_lone_object_counts_as_an_array_of_one():
    """An error comes without the array."""
    assert frames(ArrayFraming(), [b'{"error": {}}']) == [b'{"error": {}}']


@pytest.mark.parametrize("kind", [EventFraming, LineFraming, ArrayFraming])
@pytest.mark.parametrize("size", [1, 7, 500])
def test_a_line_over_the_limit_is_refused(kind, size):
    """However it arrives."""
    raw = b'{"data: ' + b"x" * 200
    with pytest.raises(MalformedResponseError, match="longer than 100"):
        frames(kind(max_line=100), [raw[at : at + size] for at in range(0, len(raw), size)])


@pytest.mark.parametrize("kind", [EventFraming, LineFraming, ArrayFraming])
def test_a_stream_over_the_limit_is_refused(kind):
    """Many small lines are a long stream too."""
    with pytest.raises(MalformedResponseError, match="longer than 1000"):
        frames(kind(max_stream=1000), [b"data: {}\n\n"] * 101)


def test_an_event_of_many_lines_is_a_long_line():
    """The limit holds for what is put together."""
    with pytest.raises(MalformedResponseError):
        frames(EventFraming(max_line=100), [b"data: " + b"x" * 50 + b"\n"] * 3)
