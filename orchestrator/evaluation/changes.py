"""What may happen to a model in the middle of a replay, as data; rounds count from 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from orchestrator.errors import ConfigurationError

__all__ = ["Change", "Falls", "Joins", "Leaves", "Outage", "Reprices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    model: str
    at: int

    def __post_init__(self) -> None:
        if self.at < 0:
            raise ConfigurationError(f"{type(self).__name__} at={self.at!r}: a round from 0 up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Falls(_Change):
    """From round `at` on, every score of the model is multiplied by `to`: a silent regression, or worse."""

    kind: ClassVar[str] = "falls"
    to: float = 0.0

    def __post_init__(self) -> None:
        _Change.__post_init__(self)
        if not 0 <= self.to <= 1:
            raise ConfigurationError(f"Falls to={self.to!r}: a factor from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprices(_Change):
    """From round `at` on, the model costs `factor` times as much; the selector is told if it is `announced`."""

    kind: ClassVar[str] = "reprices"
    factor: float
    announced: bool = True

    def __post_init__(self) -> None:
        _Change.__post_init__(self)
        if not 0 <= self.factor < math.inf:
            raise ConfigurationError(f"Reprices factor={self.factor!r}: a number from 0 up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Joins(_Change):
    """The model can be chosen from round `at` on; before, it is not there."""

    kind: ClassVar[str] = "joins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves(_Change):
    """The model can be chosen until round `at`; from there on it is not there."""

    kind: ClassVar[str] = "leaves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(_Change):
    """Calls to the model fail from round `at` up to, not including, `until`.

    With `flagged` the failure is an error: it teaches nothing about quality, and a circuit breaker takes the model
    out and brings it back after a copy of a request, whose user another model serves, has succeeded. Without, it
    looks like a worthless answer that cost nothing.
    """

    kind: ClassVar[str] = "outage"
    until: int
    flagged: bool = True

    def __post_init__(self) -> None:
        _Change.__post_init__(self)
        if self.until <= self.at:
            raise ConfigurationError(f"Outage at={self.at!r}, until={self.until!r}: it ends after it begins")


Change = Falls | Reprices | Joins | Leaves | Outage
