"""JSON in and out, strictly: no NaN, no infinity, no bottomless nesting; the same with and without orjson."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from orchestrator.errors import InvalidRequestError, MalformedResponseError

orjson: Any
try:
    import orjson
except ImportError:  # the `speed` extra is not installed
    orjson = None

__all__ = ["MAX_NESTING", "dumps", "loads"]

MAX_NESTING = 64
_BOM = b"\xef\xbb\xbf"
_INT_RANGE = range(-(2**63), 2**64)  # what both parsers keep exact; beyond, a number is a float
_MAX_DIGITS = 400  # more digits than any finite float has


def loads(data: bytes) -> Any:
    """The value of one JSON document; `MalformedResponseError` when it is none, or is dangerous.

    >>> loads(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    >>> loads(b'{"a": NaN}')
    Traceback (most recent call last):
        ...
    orchestrator.errors.MalformedResponseError: not JSON: NaN is no JSON number
    """
    if orjson is not None:
        try:
            value = orjson.loads(data)
        except ValueError:
            value = _read_plainly(data)  # the standard library has the last word, so both agree
    else:
        value = _read_plainly(data)
    # fewer brackets than the limit cannot nest deeper than the limit
    if data.count(b"{") + data.count(b"[") > MAX_NESTING:
        _check_nesting(value)
    return value


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON; `InvalidRequestError` for what JSON cannot say.

    >>> dumps({"temperature": 0.5, "stop": ("a", "é")}).decode()
    '{"temperature":0.5,"stop":["a","é"]}'
    """
    if orjson is not None:
        try:
            written: bytes = orjson.dumps(
                value, _plain_mapping, orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
            )
        except TypeError:
            return _write_plainly(value)  # wide integers, odd keys: the standard library decides
        return b"%b" % written  # in a buffer of its own length; orjson's are 4 KB longer, for as long as they are kept
    return _write_plainly(value)


def _read_plainly(data: bytes) -> Any:
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
        value = json.loads(text, parse_constant=_refuse, parse_int=_integer, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair fails here
    except (ValueError, RecursionError) as fault:
        raise MalformedResponseError(f"not JSON: {_why(fault)}") from None
    return value


def _why(fault: Exception) -> str:
    """The reason without the data: a decoding error would quote it."""
    if isinstance(fault, UnicodeError):
        return "broken UTF-8"
    if isinstance(fault, RecursionError):
        return f"nested deeper than {MAX_NESTING} levels"
    if isinstance(fault, json.JSONDecodeError):
        return f"{fault.msg} at character {fault.pos}"
    return str(fault)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _integer(digits: str) -> int | float:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number too long to be one")
    number = int(digits)
    return number if number in _INT_RANGE else _finite(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number beyond the range of floats")
    return number


def _check_nesting(value: Any) -> None:
    layer, depth = [value], 0
    while layer:
        layer = [inner for outer in layer for inner in _inside(outer)]
        depth += 1
        if depth > MAX_NESTING:
            raise MalformedResponseError(f"not JSON: nested deeper than {MAX_NESTING} levels")


def _inside(value: Any) -> list[Any]:
    """The containers directly within a container."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [part for part in parts if isinstance(part, dict | list)]


def _write_plainly(value: Any) -> bytes:
    try:
        try:
            text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain_mapping)
        except ValueError:
            text = json.dumps(_without_nan(value), separators=(",", ":"), ensure_ascii=False, default=_plain_mapping)
        return text.encode("utf-8")
    except UnicodeError:
        raise InvalidRequestError("the request holds half a surrogate pair, which is no text") from None
    except (TypeError, ValueError, RecursionError) as fault:
        raise InvalidRequestError(f"the request holds what JSON cannot say: {type(fault).__name__}") from None


def _plain_mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _without_nan(value: Any) -> Any:
    """The value with null for each number that is none, as orjson writes it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    return [_without_nan(part) for part in value] if isinstance(value, list | tuple) else value
