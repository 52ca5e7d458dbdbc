"""The callers of a soak: whole answers and streams, cached and not, hurried, given up, resumed; all counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from soak_weather import RIGHT

from orchestrator import ModelRegistry
from orchestrator.errors import CapacityError, OrchestratorError

__all__ = ["Callers"]

DEADLINES_S = (0.3, 1.0, 3.0, 10.0, 30.0, 30.0, 30.0, 30.0)
PATIENT_S = 10.0
_OPTIONS: list[dict[str, Any]] = [{}, {}, {"hedge": True}, {"wait_for_capacity": True}, {"priority": 1}]


class Callers:
    """So many at once, each of whom asks again when the last question has come to its end."""

    def __init__(self, registry: ModelRegistry, seed: int, *, lags_s: Callable[[], float]) -> None:
        self.registry = registry
        self.lags_s = lags_s  # how late the event loop has been so far, all in all
        self.random = random.Random(seed)
        self.ends: Counter[str] = Counter()
        self.patient = self.served = 0  # those with seconds to spare and a choice of models, and how many got an answer
        self.broken: list[str] = []  # promises that were not kept
        self.latest_s = 0.0  # the most that any call came back after its deadline, the loop's own lateness left out
        self.latest = ""
        self.most_attempts = 0
        self.serial = 0
        self.longest_s = DEADLINES_S[-1]

    async def run(self, at_once: int, seconds: float) -> None:
        """Ask until the time is over and the last call has ended."""
        ends_at = time.monotonic() + seconds
        self.longest_s = seconds / 4

        async def caller() -> None:
            while time.monotonic() < ends_at:
                await self._one()

        await asyncio.gather(*(caller() for _ in range(at_once)))

    async def _one(self) -> None:
        draw, self.serial = self.random, self.serial + 1
        ways = (self._whole, self._stream, self._given_up, self._left_stream, self._pinned)
        way: Callable[[str, dict[str, Any]], Awaitable[None]] = draw.choices(ways, (8, 5, 1, 1, 1))[0]
        options = dict(draw.choice(_OPTIONS))
        options["deadline_s"] = min(draw.choice(DEADLINES_S), self.longest_s)
        options["tenant"] = draw.choice((None, "acme", "initech"))
        prompt = f"common question {draw.randint(0, 30)}" if draw.random() < 0.2 else f"question {self.serial}"
        options["cache"] = prompt.startswith("common")
        patient = options["deadline_s"] >= min(PATIENT_S, self.longest_s) and way in (self._whole, self._stream)
        self.patient += patient
        started, lags_s = time.monotonic(), self.lags_s()
        try:
            await way(prompt, options)
            self.served += patient
        except CapacityError as full:
            self._failed(full)
            await asyncio.sleep(min(full.retry_after_s or 0.0, 1.0) * draw.random())
            return
        except OrchestratorError as error:
            self._failed(error)
        except TimeoutError:
            self.ends["given up"] += 1
        except Exception as error:  # noqa: BLE001 - the point of the exercise
            self.broken.append(f"{way.__name__}: {error!r}")
        late_s = time.monotonic() - started - options["deadline_s"] - (self.lags_s() - lags_s)
        if late_s > self.latest_s:
            self.latest_s, self.latest = late_s, f"{way.__name__} with {options}"

    async def _whole(self, prompt: str, options: dict[str, Any]) -> None:
        response = await self.registry.generate_response(prompt, **options)
        self._answered(response.text, response)

    async def _pinned(self, prompt: str, options: dict[str, Any]) -> None:
        options.pop("hedge", None)
        model_id = self.random.choice(list(self.registry))
        response = await self.registry.invoke_model_async(model_id, prompt, **options)
        self._answered(response.text, response)

    async def _stream(self, prompt: str, options: dict[str, Any]) -> None:
        resume = self.random.random() < 0.3
        text, last = "", None
        async for chunk in self.registry.stream_response(prompt, resume=resume, **options):
            text, last = text + chunk.text, chunk
        if last is None or last.response is None:
            self.broken.append("a stream ended without an error and without its last chunk")
            return
        self._answered(text[-len(RIGHT) :] if resume else text, last.response)

    async def _given_up(self, prompt: str, options: dict[str, Any]) -> None:
        async with asyncio.timeout(self.random.random()):
            await self._whole(prompt, options)

    async def _left_stream(self, prompt: str, options: dict[str, Any]) -> None:
        stream: Any = self.registry.stream_response(prompt, **options)
        try:
            for _ in range(self.random.randint(1, 3)):
                await anext(stream, None)
        finally:
            await stream.aclose()
        self.ends["left"] += 1

    def _answered(self, text: str, response: Any) -> None:
        self.ends["answered" if response.cached is None else "remembered"] += 1
        self._count(len(response.attempts))
        if text != RIGHT:
            self.broken.append(f"a wrong answer: {text!r} of {response!r} after {response.attempts}")

    def _failed(self, error: OrchestratorError) -> None:
        self.ends[getattr(error, "error_type", type(error).__name__)] += 1
        self._count(len(getattr(error, "attempts", ())))
        if "canary" in f"{error!r} {error} {vars(error)}":
            self.broken.append(f"a key in {type(error).__name__}")

    def _count(self, attempts: int) -> None:
        self.most_attempts = max(self.most_attempts, attempts)
