"""Bytes to frames, incrementally: each frame is one JSON document of a stream, however the bytes were cut.

Three framings are in use: server-sent events (WHATWG HTML, section 9.2), newline-delimited JSON, and one JSON
array sent in pieces. The name of an event is left out: every dialect repeats it inside the JSON.
"""

from __future__ import annotations

import re
from typing import Protocol

from orchestrator.errors import MalformedResponseError

__all__ = ["MAX_LINE", "MAX_STREAM", "ArrayFraming", "EventFraming", "Framing", "LineFraming"]

MAX_LINE = 4 * 2**20  # bytes
MAX_STREAM = 64 * 2**20
_BOM = b"\xef\xbb\xbf"
_STRUCTURE = re.compile(rb'["\\{}]')


class Framing(Protocol):
    """One stream's bytes on their way to frames."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames completed by these bytes."""

    def close(self) -> list[bytes]:
        """What was left when the stream ended: perhaps whole, perhaps cut."""


class _Lines:
    """Lines ended by LF, CRLF or CR; the part after the last end waits for more."""

    def __init__(self, *, max_line: int = MAX_LINE, max_stream: int = MAX_STREAM) -> None:
        self._max_line, self._max_stream = max_line, max_stream
        self._rest = bytearray()
        self._size = 0
        self._after_cr = False
        self._at_start = True

    def _split(self, data: bytes) -> list[bytes]:
        self._size += len(data)
        if self._size > self._max_stream:
            raise MalformedResponseError(f"the stream is longer than {self._max_stream} bytes")
        data = self._one_line_end(data)
        if b"\n" not in data:
            self._keep(data)
            return []
        *lines, rest = data.split(b"\n")
        if self._rest:
            self._keep(lines[0])
            lines[0] = bytes(self._rest)
            self._rest.clear()
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        self._check(max(map(len, lines)))
        self._keep(rest)
        return lines

    def _one_line_end(self, data: bytes) -> bytes:
        if self._after_cr and data.startswith(b"\n"):
            data, self._after_cr = data[1:], False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data

    def _keep(self, data: bytes) -> None:
        self._rest += data
        self._check(len(self._rest))

    def _check(self, length: int) -> None:
        if length > self._max_line:
            raise MalformedResponseError(f"a line of the stream is longer than {self._max_line} bytes")

    def _last(self) -> bytes:
        rest = bytes(self._rest)
        self._rest.clear()
        return rest.removeprefix(_BOM) if self._at_start else rest


class EventFraming(_Lines):
    r"""Server-sent events; comments and events without data give no frame.

    >>> events = EventFraming()
    >>> events.feed(b': hello\r\nevent: x\r\ndata:{"a"'), events.feed(b":1}\r\n\r\n")
    ([], [b'{"a":1}'])
    """

    def __init__(self, *, max_line: int = MAX_LINE, max_stream: int = MAX_STREAM) -> None:
        super().__init__(max_line=max_line, max_stream=max_stream)
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The events completed by these bytes."""
        frames = []
        for line in self._split(data):
            if line:
                self._field(line)
            elif self._data:
                frames.append(self._event())
        return frames

    def close(self) -> list[bytes]:
        """The last event, if its empty line never came."""
        last = self._last()
        if last:
            self._field(last)
        return [self._event()] if self._data else []

    def _field(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
            if len(self._data) > 1:
                self._check(sum(map(len, self._data)))

    def _event(self) -> bytes:
        event = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        return event


class LineFraming(_Lines):
    r"""One JSON document a line.

    >>> lines = LineFraming()
    >>> lines.feed(b'{"a":1}\n{"b"'), lines.feed(b":2}"), lines.close()
    ([b'{"a":1}'], [], [b'{"b":2}'])
    """

    def feed(self, data: bytes) -> list[bytes]:
        """The lines completed by these bytes, empty ones left out."""
        return [line for line in self._split(data) if line.strip()]

    def close(self) -> list[bytes]:
        """The last line, if its end never came."""
        last = self._last()
        return [last] if last.strip() else []


class ArrayFraming:
    r"""The objects of one JSON array, each as soon as its closing brace is there.

    >>> objects = ArrayFraming()
    >>> objects.feed(b'[{"a":"}'), objects.feed(b'{"},\n{}]')
    ([], [b'{"a":"}{"}', b'{}'])
    """

    def __init__(self, *, max_line: int = MAX_LINE, max_stream: int = MAX_STREAM) -> None:
        self._max_line, self._max_stream = max_line, max_stream
        self._object = bytearray()
        self._size = 0
        self._depth = 0
        self._in_text = False
        self._escaped_at = -1  # position in the stream of a character that a backslash covers

    def feed(self, data: bytes) -> list[bytes]:
        """The objects completed by these bytes."""
        frames = []
        start = 0
        for mark in _STRUCTURE.finditer(data):
            at = mark.start()
            opens, closes = self._step(mark.group(), self._size + at)
            if opens:
                start = at
            if closes:
                self._keep(data[start : at + 1])
                frames.append(bytes(self._object))
                self._object.clear()
        if self._depth:
            self._keep(data[start:])
        self._size += len(data)
        if self._size > self._max_stream:
            raise MalformedResponseError(f"the stream is longer than {self._max_stream} bytes")
        return frames

    def close(self) -> list[bytes]:
        """The object that was never closed."""
        return [bytes(self._object)] if self._object else []

    def _step(self, mark: bytes, position: int) -> tuple[bool, bool]:
        """Whether an outermost object opens or closes at this mark."""
        if self._in_text:
            if position == self._escaped_at:
                return False, False
            if mark == b"\\":
                self._escaped_at = position + 1
            elif mark == b'"':
                self._in_text = False
        elif mark == b'"':
            self._in_text = True
        elif mark == b"{":
            self._depth += 1
            return self._depth == 1, False
        elif mark == b"}" and self._depth:
            self._depth -= 1
            return False, self._depth == 0
        return False, False

    def _keep(self, data: bytes) -> None:
        self._object += data
        if len(self._object) > self._max_line:
            raise MalformedResponseError(f"an object of the stream is longer than {self._max_line} bytes")
