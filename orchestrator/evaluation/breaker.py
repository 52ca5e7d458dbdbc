"""A circuit breaker in rounds instead of seconds, as the engine has one in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Breaker"]


@dataclass(slots=True)
class Breaker:
    """Takes a model out after three failures in a row, and asks again after 10, 20, 40, 40, ... rounds.

    >>> breaker = Breaker()
    >>> [breaker.failed("a", round_) for round_ in range(3)], list(breaker.due(11)), list(breaker.due(12))
    ([False, False, True], [], ['a'])
    """

    threshold: int = 3
    first_wait: int = 10
    longest_wait: int = 40
    out: dict[str, int] = field(default_factory=dict)  # model -> the round in which it is asked again
    _failures: dict[str, int] = field(default_factory=dict)

    def failed(self, model: str, round_: int) -> bool:
        """One failure more; True when it takes the model out."""
        count = self._failures[model] = self._failures.get(model, 0) + 1
        if count < self.threshold:
            return False
        was_in = model not in self.out
        self.out[model] = round_ + min(self.first_wait << min(count - self.threshold, 16), self.longest_wait)
        return was_in

    def answered(self, model: str) -> None:
        """It works."""
        self._failures.pop(model, None)
        self.out.pop(model, None)

    def due(self, round_: int) -> Iterator[str]:
        """The models to ask again in this round."""
        return iter([model for model, again in self.out.items() if again <= round_])
