"""One emulated model at work: what it says next, how long it takes, and whether it may speak at all."""

from __future__ import annotations

import json
import math
from collections import deque
from random import Random

from orchestrator.core.clock import Clock
from orchestrator.testing.behaviour import CallTool, EmulatedModel, Say, Slow, Step
from orchestrator.testing.exchange import Answer, Asked, Limits, tokens_in
from orchestrator.testing.skills import recognise, spoil

__all__ = ["Actor", "Allowance"]

_CHARS_PER_TOKEN = 4
_FRIENDLY = (
    "Happy to help. The short version is that it depends on what matters most to you, so start there.",
    "Good question. I would begin with the simplest thing that could work and look at how it behaves.",
    "Sure! Take it in small steps: write down what you know, then what you need, and close the gap between the two.",
    "That is a nice one. Most people find that a clear example settles it faster than a long explanation.",
    "Gladly. Think of it as a trade between time and certainty; a little of each usually gets you far enough.",
)


class Allowance:
    """Requests a minute, refilled continuously (a token bucket)."""

    __slots__ = ("_at", "_clock", "_level", "limit")

    def __init__(self, limit: int, clock: Clock) -> None:
        self.limit = limit
        self._clock = clock
        self._level = float(limit)
        self._at = clock.monotonic()

    def take(self) -> float:
        """Take one; the seconds to wait if there is none left, 0.0 if there was."""
        now = self._clock.monotonic()
        self._level = min(self.limit, self._level + (now - self._at) * self.limit / 60)
        self._at = now
        if self._level < 1:
            return (1 - self._level) * 60 / self.limit
        self._level -= 1
        return 0.0

    @property
    def limits(self) -> Limits:
        """What the headers of a reply tell."""
        return Limits(self.limit, int(self._level), (self.limit - self._level) * 60 / self.limit)


class Actor:
    """Plays one model; all chance comes from a generator seeded with the model's name."""

    __slots__ = ("_answers", "_clock", "_rng", "allowance", "model", "spent_usd", "steps")

    def __init__(self, model: EmulatedModel, *, seed: int, clock: Clock) -> None:
        self._clock = clock
        self._rng = Random(f"{seed}/{model.name}")
        self._answers = 0
        self.spent_usd = 0.0
        self.become(model)

    def become(self, model: EmulatedModel) -> None:
        """Behave like this from now on, with its script from the start and its allowance full."""
        self.model = model
        self.steps: deque[Step] = deque(model.script)
        limit = model.requests_per_minute
        self.allowance = None if limit is None else Allowance(limit, self._clock)

    def next_step(self) -> Step | None:
        """The next step of the script; None once it is used up."""
        return self.steps.popleft() if self.steps else None

    def latency_s(self, step: Step | None) -> float:
        """Seconds before the first piece."""
        if isinstance(step, Slow):
            return step.latency_s
        model = self.model
        if not model.latency_spread or not model.latency_s:
            return model.latency_s
        return model.latency_s * math.exp(self._rng.gauss(0.0, model.latency_spread))

    def talking_s(self, answer: Answer) -> float:
        """Seconds from the first piece to the last."""
        return answer.completion_tokens / self.model.tokens_per_s if self.model.tokens_per_s else 0.0

    def answer(self, asked: Asked, step: Step | None) -> Answer:
        """What the model says, and what that costs."""
        self._answers += 1
        text, finish = ("", "tool_calls") if isinstance(step, CallTool) else self._words(asked, step)
        call = step if isinstance(step, CallTool) else None
        said_chars = len(json.dumps(dict(call.arguments))) if call else len(text)
        answer = Answer(
            asked.model,
            text,
            finish,  # type: ignore[arg-type] # one of the literals by construction
            tokens_in(asked.chars),
            tokens_in(said_chars),
            self._answers,
            self._clock.time(),
            call,
        )
        self.spent_usd += self.model.cost_usd(answer.prompt_tokens, answer.completion_tokens)
        return answer

    def _words(self, asked: Asked, step: Step | None) -> tuple[str, str]:
        text, finish = (step.text, step.finish) if isinstance(step, Say) else (self._speak(asked.prompt), "stop")
        most_chars = asked.max_tokens * _CHARS_PER_TOKEN if asked.max_tokens else len(text)
        return (text, finish) if len(text) <= most_chars else (text[:most_chars], "length")

    def _speak(self, prompt: str) -> str:
        """A right answer as often as the model's quality says, a wrong one else, and small talk to small talk."""
        known = recognise(prompt)
        if known is None:
            return self._rng.choice(_FRIENDLY)
        category, right = known
        return right if self._rng.random() < self.model.quality_in(category) else spoil(right, self._rng)
