"""One fault and what becomes of it: a row of the table that the tests play and the documentation prints."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from orchestrator.errors import Toll
from orchestrator.testing.faults import Fault

NEXT, SAME, CALLER, CUT = "next", "same", "caller", "cut"
NOTHING, STRIKE, PAUSE, KEY, GONE = Toll.NOTHING, Toll.STRIKE, Toll.PAUSE, Toll.KEY, Toll.GONE

PROMPT = "canary: what do Acme and Initech plan for May?"
FIRST_BYTE_S = 0.25  # the limit of the faulty model where it is what ends the call; 30 s everywhere else
Limit = Literal["at once", "connect", "first byte", "gap", "deadline"]


class Proven(NamedTuple):
    """A fault that is no reply of a server: what becomes of it in words, and the test that shows it."""

    number: int
    fault: str
    says: str
    proof: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the preferred one of two models does to every request, and what that leads to.

    `then` says who answers: `next` (the other model), `same` (this one: the fault was absorbed), `caller` (nobody: the
    caller is told) or `cut` (a stream broke after `text` had been shown). `asked` counts requests at the faulty
    server, `alone` those where it is the only model there is. `health` is what it costs the model; `limit` what
    ends the wait. `play` may be made for the address of the good server.
    """

    number: int
    fault: str
    then: str
    variant: str = ""
    error: str | None = None
    health: Toll = NOTHING
    limit: Limit = "at once"
    play: Fault | Callable[[str], Fault] | None = None
    asked: int = 1
    alone: int | None = None
    text: str = "All is well."
    stream: bool = False
    provider: str = "openai"
    prompt: str = PROMPT
    out_s: tuple[float, float] | None = None  # between so many seconds the model is set aside
    address: Callable[[Any], AbstractContextManager[str]] | None = None
    resolver: Callable[[], Any] | None = None
    deadline_s: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    sees: Callable[[Any], bool] | None = None  # of the answer, or of the error
    proof: str = ""  # the test that shows it, where playing the row does not

    @property
    def name(self) -> str:
        """How a test of this row is called."""
        return f"{self.number} {self.fault} {self.variant}{' (stream)' if self.stream else ''}"

    @property
    def played(self) -> bool:
        """False where another test is the proof."""
        return not self.proof
