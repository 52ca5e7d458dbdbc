"""Bad weather for a soak: servers that fail in every way there is, by a seed."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from orchestrator.testing import (
    Answer,
    Begin,
    End,
    Fail,
    HalfClose,
    HangUp,
    Head,
    Hold,
    Raw,
    Refuse,
    RefuseInside,
    Reset,
    Send,
)

__all__ = ["RIGHT", "Weather"]

RIGHT = "All is well."
_POISON = {"prompt_tokens": -5, "completion_tokens": 10**12, "total_tokens": 1.5, "cost": -1}


def _json(body: bytes, status: int = 200, **headers: str) -> list[Any]:
    return [Head(status, headers, length=len(body)), Send(body)]


def _poisoned() -> list[Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": RIGHT}, "finish_reason": "stop"}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": _POISON}
    return _json(json.dumps(body).encode())


# what ends at once, and what has to be waited for
QUICK: list[Any] = [
    Reset(),
    HangUp(),
    HalfClose(),
    Raw(b"\x00\xffnot HTTP at all\r\n\r\n"),
    _json(b'{"choices": [{"mess'),
    _json(b'{"choices": ' + b"[" * 5_000),
    _json(b'{"error": {"message": "overloaded", "code": "overloaded"}}'),
    _json(b"<html>Bad Gateway</html>", 502, **{"Content-Type": "text/html"}),
    _json(b""),
    [Head(length=1_000), Send(b'{"half'), HangUp()],
    Head(307, {"Location": "http://127.0.0.1:9/"}, length=0),
    *(Refuse(Fail(status)) for status in (408, 409, 429, 500, 502, 503, 504)),
    Refuse(Fail(429, retry_after_s=1)),
    Refuse(Fail(429), {"retry-after": "soon"}),
    Refuse(Fail(kind="overloaded")),
    [Begin(0), Reset()],
    [Begin(1), Reset()],
    [Begin(1), End()],
    [Begin(2), HangUp()],
    [Begin(1), RefuseInside()],
]
FAIR, ROUGH, FOUL = (0.02, 0.002), (0.3, 0.01), (1.0, 0.05)  # shares of faults, and of those to be waited for
SPELL_S = (2.0, 15.0)
SLOW: list[Any] = [Hold(), [Begin(1), Hold()], [Head(chunked=True), Send(b" ", None, 0.2)]]


class Weather:
    """An act that is another one each time: mostly an answer, now and then a fault, sometimes nothing but faults.

    An answer takes half a second on average, and a spell of fair, rough or foul weather some seconds, whether anybody
    asks meanwhile or not.
    """

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._faulty, self._slow = FAIR
        self._turns_at = 0.0

    async def play(self, line: Any) -> None:
        """Whatever it is just now."""
        draw = self._random
        while time.monotonic() >= self._turns_at:
            self._turn()
        chance = draw.random()
        if chance < self._slow:
            fault = draw.choice(SLOW)
        elif chance < self._faulty:
            fault = draw.choice(QUICK)
        else:
            await line.pause(draw.lognormvariate(-1.0, 0.6))
            fault = _poisoned() if draw.random() < 0.02 and not line.streams else Answer(RIGHT)
        for act in fault if isinstance(fault, list) else [fault]:
            await act.play(line)
        if not isinstance(fault, Answer):
            line.close()

    def _turn(self) -> None:
        """Another spell; the first is fair."""
        began = self._turns_at or time.monotonic()
        if self._turns_at:
            self._faulty, self._slow = self._random.choice((FAIR, FAIR, ROUGH, FOUL))
        self._turns_at = began + self._random.uniform(*SPELL_S)
