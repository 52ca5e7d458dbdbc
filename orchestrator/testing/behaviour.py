"""What an emulated model is like, and the ways in which it can misbehave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from orchestrator.errors import PROVIDER_ERRORS, ConfigurationError, did_you_mean

__all__ = [
    "HTML",
    "CallTool",
    "CutStream",
    "Drop",
    "EmulatedModel",
    "Fail",
    "Garbage",
    "Hang",
    "InBandError",
    "Say",
    "Slow",
    "Step",
]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fail:
    """An error reply in the dialect's own words; 503 when neither status nor kind is given.

    `kind` is an `error_type` of the engine's errors (`"quota"`, `"context_length"`, ...): it picks the words and,
    without a status, the status which the provider uses for it. `retry_after_s` is seconds.
    """

    status: int | None = None
    kind: str | None = None
    retry_after_s: float | None = None
    message: str | None = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in PROVIDER_ERRORS:
            raise ConfigurationError(f"kind={self.kind!r}: {did_you_mean(self.kind, sorted(PROVIDER_ERRORS))}")
        if self.status is None and self.kind is None:
            object.__setattr__(self, "status", 503)
        if self.status is not None and not 400 <= self.status <= 599:
            raise ConfigurationError(f"status={self.status!r}: give an HTTP error status, 400 to 599")


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer, until the client gives up; with `after_chunks` a stream starts and then stands still."""

    after_chunks: int | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed before the first byte."""


@dataclass(frozen=True, slots=True)
class CutStream:
    """The answer ends in the middle: after so many pieces of a stream, or half-way through a JSON body.

    The connection breaks, or, where `clean`, ends as if all had been said: only the missing end marker tells.
    """

    after_chunks: int = 1
    clean: bool = False


@dataclass(frozen=True, slots=True)
class InBandError:
    """Status 200 and an error inside: after so many pieces of a stream, or as the whole JSON body."""

    kind: str = "overloaded"
    after_chunks: int = 1
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Garbage:
    """Status 200, the right content type, and JSON that breaks off in the middle of a word."""


@dataclass(frozen=True, slots=True)
class HTML:
    """A page made for people, as proxies in front of a provider send it."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class Slow:
    """The usual answer, but only after `latency_s` seconds."""

    latency_s: float


@dataclass(frozen=True, slots=True)
class Say:
    """This very text, with a finish word of the engine's (translated into the dialect's)."""

    text: str
    finish: Literal["stop", "length", "content_filter"] = "stop"


@dataclass(frozen=True, slots=True)
class CallTool:
    """A call of one tool."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


Step = Fail | Hang | Drop | CutStream | InBandError | Garbage | HTML | Slow | Say | CallTool


@dataclass(frozen=True, slots=True)
class EmulatedModel:
    """One model and how it behaves, whoever's dialect it is asked in.

    `provider` limits it to one label (a dialect, or any other name, which then speaks OpenAI's); empty means all.
    `latency_s` is the median seconds to the first piece, spread log-normally by `latency_spread` (0.5: two thirds
    of the calls lie between 0.6 and 1.65 times the median); `tokens_per_s` paces what follows, None is at once.
    `quality` is the share of right answers, by category or for all. Prices are USD per 1M tokens. `script` is
    used up one step a request; then the model behaves. With `download_bytes` Ollama does not have it until it is
    pulled.

    >>> EmulatedModel("m", quality={"code": 0.4}).quality_in("arithmetic")
    1.0
    """

    name: str
    provider: str = ""
    latency_s: float = 0.0
    latency_spread: float = 0.0
    tokens_per_s: float | None = None
    quality: float | Mapping[str, float] = 1.0
    input_usd_per_1m: float = 0.0
    output_usd_per_1m: float = 0.0
    requests_per_minute: int | None = None
    context_window: int = 128_000
    script: Sequence[Step] = ()
    download_bytes: int = 0

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigurationError("name='': give the model the name that requests will ask for")
        if self.requests_per_minute is not None and self.requests_per_minute < 1:
            raise ConfigurationError(f"requests_per_minute={self.requests_per_minute!r}: give 1 or more, or None")
        if self.tokens_per_s is not None and self.tokens_per_s <= 0:
            raise ConfigurationError(f"tokens_per_s={self.tokens_per_s!r}: give a number above 0, or None for at once")

    def quality_in(self, category: str) -> float:
        """The share of right answers in a category; 1.0 for one that is not listed."""
        return self.quality if isinstance(self.quality, int | float) else self.quality.get(category, 1.0)

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What an answer of this size costs."""
        return (prompt_tokens * self.input_usd_per_1m + completion_tokens * self.output_usd_per_1m) / 1_000_000
