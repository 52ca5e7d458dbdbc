"""One request as those see it who watch: every choice and attempt between the door and the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from orchestrator.core.caching.figures import FLIGHT

if TYPE_CHECKING:
    from orchestrator.core.messages import Chunk, Request
    from orchestrator.core.model import Model
    from orchestrator.core.outcome import Outcome

__all__ = ["OUTGOING", "PASSAGE", "Follower", "Operation", "Passage", "Tried"]

Operation = Literal["chat", "embeddings"]


class Tried(NamedTuple):
    """One settled attempt, and the moment of its end on the clock's `monotonic`."""

    model: Model
    outcome: Outcome
    ended: float

    @property
    def began(self) -> float:
        """The moment it left."""
        return self.ended - self.outcome.latency_s


class Passage:
    """What happened to one request so far; the fields below `attempts` are known once it has ended.

    `chosen` lists the ids the selector named, `score`, `propensity` and `candidates` belong to the first choice.
    `first_s` is the time to the first piece of a stream, `gaps_s` the times between further ones, seconds as the
    reader saw them. `notes` is for the observers, one each; whoever among them wants to be told of each attempt as it
    ends is one of the `followers`. `outgoing` are headers that all calls carry which have none of their own.
    """

    __slots__ = (
        "attempts",
        "candidates",
        "chosen",
        "duration_s",
        "error",
        "first_s",
        "followers",
        "gaps_s",
        "notes",
        "operation",
        "outgoing",
        "propensity",
        "request",
        "response",
        "score",
        "started",
        "streamed",
    )

    def __init__(self, request: Request, operation: Operation, *, streamed: bool, started: float) -> None:
        self.request = request
        self.operation: Operation = operation
        self.streamed = streamed
        self.started = started
        self.chosen: list[str] = []
        self.candidates = 0
        self.score: float | None = None
        self.propensity: float | None = None
        self.attempts: list[Tried] = []
        self.first_s: float | None = None
        self.gaps_s: list[float] = []
        self.response: Any = None  # ChatResponse or Embeddings
        self.error: BaseException | None = None
        self.duration_s: float | None = None
        self.notes: dict[object, Any] = {}
        self.followers: tuple[Follower, ...] = ()
        self.outgoing: Mapping[str, str] | None = None

    def choose(self, model_id: str, candidates: int, score: float, propensity: float | None) -> None:
        """The selector has named a model."""
        if not self.chosen:
            self.candidates, self.score, self.propensity = candidates, score, propensity
        self.chosen.append(model_id)

    def piece(self, chunk: Chunk, now: float, last: float | None) -> None:
        """A piece of a stream has come, `last` being the moment of the one before it."""
        if last is None:
            self.first_s = now - self.started
        elif chunk.text or chunk.reasoning:
            self.gaps_s.append(now - last)
        if chunk.response is not None:
            self.response = chunk.response

    @property
    def overhead_s(self) -> float | None:
        """Seconds until the answer, or until a stream's first piece, in which no provider was at work.

        Pauses before retries and waiting for a place are in it. None before the end, and for who joined the call of
        another request: its provider's time stands there.
        """
        whole_s = self.first_s if self.streamed else self.duration_s
        if whole_s is None or (self.response is not None and getattr(self.response, "cached", None) == FLIGHT):
            return None
        if not self.streamed and len(self.attempts) == 1:
            return max(0.0, whole_s - self.attempts[0].outcome.latency_s)
        end, busy_s, reached = self.started + whole_s, 0.0, self.started
        for began, ended in sorted((one.began, one.ended) for one in self.attempts):
            since, until = max(began, reached), min(ended, end)
            if until > since:
                busy_s += until - since
                reached = until
        return max(0.0, whole_s - busy_s)


Follower = Callable[[Passage, "Model", "Outcome"], None]
PASSAGE: ContextVar[Passage | None] = ContextVar("orchestrator_passage", default=None)
"""The request that the running task works for, while anybody watches."""

OUTGOING: ContextVar[Mapping[str, str] | None] = ContextVar("orchestrator_outgoing", default=None)
"""Headers that go with the calls to providers, such as `traceparent`."""
