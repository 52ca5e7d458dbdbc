"""What the suites of selectors share: four arms, a small world to play in, and how a test gets its selector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from orchestrator.selectors.selector import ModelSelector

__all__ = [
    "ARMS",
    "BAD_NUMBERS",
    "BAD_QUALITIES",
    "SelectorSuite",
    "assert_same_numbers",
    "numbers_in",
    "play",
    "rng",
    "settle",
]

ARMS = ("a", "b", "c", "d")
BAD_NUMBERS = (math.nan, math.inf, -math.inf, -1.0, -1e-9, 1e300)
BAD_QUALITIES = (math.nan, math.inf, -math.inf, -0.01, 1.01, 7.0)


def rng(seed: int = 0) -> np.random.Generator:
    """A generator that starts at the same place each time."""
    return np.random.default_rng(seed)


def play(selector: ModelSelector, arms: Sequence[str], rounds: int, *, seed: int = 0, pull: bool = True) -> list[str]:
    """Choose, call and settle so many times; quality and cost depend on the arm. Returns the choices."""
    draws, world = rng(seed), rng(seed + 1)
    slate = selector.slate(arms)
    chosen = []
    for _ in range(rounds):
        arm = selector.choose(slate, draws).arm
        chosen.append(arm)
        if pull:
            selector.begin(arm)
            settle(selector, arm, quality=float(world.random() < 0.9 - 0.2 * arms.index(arm)))
    return chosen


def settle(
    selector: ModelSelector,
    arm: str,
    *,
    quality: float | None = 1.0,
    cost_usd: float | None = 0.01,
    latency_s: float | None = 1.0,
) -> None:
    """One call ended, by default well."""
    selector.settle(arm, quality=quality, cost_usd=cost_usd, latency_s=latency_s)


def numbers_in(thing: Any) -> Iterator[float]:
    """Every number somewhere inside a JSON-like value."""
    if isinstance(thing, dict | list):
        for value in thing.values() if isinstance(thing, dict) else thing:
            yield from numbers_in(value)
    elif isinstance(thing, int | float):
        yield thing


def assert_same_numbers(left: Any, right: Any) -> None:
    """The same keys, and the same numbers up to rounding."""
    if isinstance(left, list):
        assert len(left) == len(right)
        left, right = dict(enumerate(left)), dict(enumerate(right))
    assert left.keys() == right.keys()
    for key, value in left.items():
        if isinstance(value, dict | list):
            assert_same_numbers(value, right[key])
        elif value is None:
            assert right[key] is None, key
        else:
            assert value == pytest.approx(right[key], rel=1e-9, abs=1e-12), key


class SelectorSuite:
    """`make` is the selector's class, or any function without arguments that returns a fresh selector."""

    make: ClassVar[Callable[..., ModelSelector]]

    @pytest.fixture
    def selector(self) -> ModelSelector:
        """A fresh one that knows the arms."""
        made = self.make()
        for arm in ARMS:
            made.enroll(arm, expected_cost_usd=0.01)
        return made
