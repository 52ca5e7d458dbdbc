"""JSON is read strictly and the same, with orjson and without."""

from __future__ import annotations

import math
import tracemalloc
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import InvalidRequestError, MalformedResponseError
from orchestrator.integrations import strict_json

ENGINES = [pytest.param(True, id="orjson"), pytest.param(False, id="standard library")]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    """Each test runs with both."""
    if request.param:
        pytest.importorskip("orjson")
    else:
        monkeypatch.setattr(strict_json, "orjson", None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"1" + b"0" * 100_000,
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'"\xff"',
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b"{} {}",
        b"{'a': 1}",
        b"\x00",
    ],
)
def test_what_is_no_json_or_is_dangerous_is_refused(engine, data):
    """Without a word of the data in the message."""
    with pytest.raises(MalformedResponseError) as caught:
        strict_json.loads(data)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", 2.0**64),
        (b"[" * 64 + b"]" * 64, None),
        (b"[" + b"[]," * 100 + b"[]]", [[]] * 101),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_odd_but_harmless_json_is_read(engine, data, value):
    """A byte order mark, a key twice, wide numbers, 64 levels."""
    found = strict_json.loads(data)
    assert value is None or (found == value and type(found) is type(value))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": (1, 2)}, b'{"a":[1,2]}'),
        ({"é": "亚"}, '{"é":"亚"}'.encode()),
        (MappingProxyType({"a": 1}), b'{"a":1}'),
        ({"a": MappingProxyType({})}, b'{"a":{}}'),
        ({1: 2}, b'{"1":2}'),
        (2**70, str(2**70).encode()),
        ([math.nan, math.inf], b"[null,null]"),
    ],
)
def test_values_are_written_alike(engine, value, written):
    """Compact, in UTF-8, mappings as objects."""
    assert strict_json.dumps(value) == written


@pytest.mark.parametrize("value", [object(), {"a": b"bytes"}, {1, 2}, "\ud800", {"a": 1j}])
def test_what_json_cannot_say_is_refused(engine, value):
    """As the caller's mistake, without the value."""
    with pytest.raises(InvalidRequestError):
        strict_json.dumps(value)


@settings(deadline=None)
@given(JSON)
def test_what_is_written_is_read_again(value):
    """By both, to the same."""
    data = strict_json.dumps(value)
    assert data == strict_json._write_plainly(value) or strict_json.loads(data) == strict_json.loads(
        strict_json._write_plainly(value)
    )
    assert strict_json.loads(data) == strict_json._read_plainly(data)


def test_what_is_written_takes_no_more_memory_than_it_is_long(engine):
    """A body is held as long as its call waits, and thousands may wait."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        written = [strict_json.dumps({"number": number}) for number in range(1_000)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200 * len(written)
