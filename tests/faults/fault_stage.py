"""Two models on real sockets, the preferred one faulty: play a row and see who was asked, who answered, who is out."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from fault_row import CALLER, CUT, FIRST_BYTE_S, NEXT, Row

from orchestrator.core.clock import SystemClock
from orchestrator.errors import OrchestratorError, Toll
from orchestrator.integrations import AnthropicModel, GoogleModel, OllamaModel, OpenAIModel
from orchestrator.integrations.sessions import close_sessions, look_up_with
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import FaultServer

DIALECTS = {"openai": OpenAIModel, "anthropic": AnthropicModel, "google": GoogleModel, "ollama": OllamaModel}
FAULTY_KEY, GOOD_KEY = "sk-faulty-5ac8e2d94b71", "sk-good-77120451c0de"
LONG_S = 30.0
NEVER_S = 20.0  # beyond every limit of a row: what has not ended by then hangs


class Hurried(SystemClock):
    """The machine's clock, on which nobody pauses between attempts."""

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(0)


class Stage:
    """The registry of one row, its two servers, and what came of the call."""

    def __init__(self, row: Row, registry: ModelRegistry, faulty: FaultServer, good: FaultServer) -> None:
        self.row, self.registry, self.faulty, self.good = row, registry, faulty, good
        self.response: Any = None
        self.error: Any = None
        self.shown = ""

    async def call(self) -> None:
        """One call, plain or streamed, whose end is kept."""
        options: dict[str, Any] = {"exclude_models": ["sibling"]}
        if self.row.deadline_s is not None:
            options["deadline_s"] = self.row.deadline_s
        try:
            async with asyncio.timeout(NEVER_S):
                if self.row.stream:
                    async for chunk in self.registry.stream_response(self.row.prompt, **options):
                        self.shown += chunk.text
                        self.response = chunk.response
                else:
                    self.response = await self.registry.generate_response(self.row.prompt, **options)
                    self.shown = self.response.text
        except OrchestratorError as error:
            self.error = error

    async def toll(self) -> str:
        """What the call has cost the faulty model's health, in the words of `Toll`."""
        first, sibling = [self.registry.health.status_of(self.registry[name]) for name in ("first", "sibling")]
        if first.healthy:
            return Toll.NOTHING
        if not sibling.healthy:
            return Toll.KEY
        if first.status == "limited":
            return Toll.PAUSE
        return Toll.GONE if (first.returns_in_s or 0) > 200 else Toll.STRIKE


@asynccontextmanager
async def staged(row: Row, *, alone: bool = False) -> AsyncIterator[Stage]:
    """The scene of a row; `alone` without the good model."""
    async with FaultServer() as faulty, FaultServer() as good:
        if row.play is not None:
            faulty.break_with(row.play(good.url) if callable(row.play) else row.play)
        health = ModelHealthMonitor(300, failure_threshold=1)
        registry = ModelRegistry("cost", health_monitor=health, clock=Hurried(), seed=0)
        registry.recall.cache = None
        look_up_with(row.resolver)
        address = nullcontext(faulty.base_url(row.provider)) if row.address is None else row.address(faulty)
        with address as base_url:
            _register(registry, row, base_url, None if alone else good.base_url("openai"))
            try:
                yield Stage(row, registry, faulty, good)
            finally:
                look_up_with(None)
                await close_sessions()


def _register(registry: ModelRegistry, row: Row, base_url: str, good_url: str | None) -> None:
    """The faulty model, cheapest; the good one; and another one of the faulty one's key, that nobody asks."""
    limits = {"connect": "connect_s", "first byte": "first_byte_s", "gap": "gap_s"}
    options = dict.fromkeys(limits.values(), LONG_S) | row.options
    if row.limit in limits:
        options[limits[row.limit]] = FIRST_BYTE_S
    if row.limit == "gap" and row.then == NEXT:  # until something meaningful came, both limits have to be over
        options["first_byte_s"] = FIRST_BYTE_S
    faulty = DIALECTS[row.provider]
    for name, usd in (("first", 1), ("sibling", 9)):
        if name == "first" or good_url is not None:
            model = faulty(name=name, id=name, base_url=base_url, api_key=FAULTY_KEY, cost=_price(usd), **options)
            registry.register_model(model)
    if good_url is not None:
        model = OpenAIModel(name="second", id="second", base_url=good_url, api_key=GOOD_KEY, cost=_price(2))
        registry.register_model(model)


def _price(usd: float) -> dict[str, float]:
    return {"input": usd, "output": usd}


def check_call(stage: Stage) -> None:
    """Who answered, with what; or what the caller was told."""
    row, response, error = stage.row, stage.response, stage.error
    if row.then in (CALLER, CUT):
        assert error is not None, f"answered by {response.model_id}"
        assert getattr(error, "error_type", type(error).__name__) == row.error
        assert len(stage.good.requests) == 0
        if row.then == CUT:
            assert (error.text_so_far, stage.shown) == (row.text, row.text)
    else:
        assert error is None, repr(error)
        assert response.model_id == ("second" if row.then == NEXT else "first")
        assert stage.shown == ("All is well." if row.then == NEXT else row.text)
        failed = [attempt.error_type for attempt in response.attempts if attempt.error_type]
        assert failed == ([row.error] if row.then == NEXT else [])
    if row.sees is not None:
        assert row.sees(error if error is not None else response)


class Spill:
    """Everything that a bystander could have seen of a call."""

    def __init__(self, stage: Stage, log: str) -> None:
        registry, error = stage.registry, stage.error
        things = [registry, registry.select(), stage.response, error, registry.health, *registry.values()]
        things += [registry.health.status_of(model) for model in registry.values()]
        self.texts = [log, *map(repr, things), *map(str, things)]
        self.texts += [pickle.dumps(model).decode("latin-1") for model in registry.values()]
        if error is not None:
            self.texts += [*traceback.format_exception(error), repr(vars(error))]
        if stage.response is not None:
            self.texts.append(repr(stage.response.attempts))

    def check(self) -> None:
        """Neither a key nor the prompt is in any of it."""
        for canary in (FAULTY_KEY[3:], GOOD_KEY[3:], "Initech"):
            assert not [text[:500] for text in self.texts if canary in text], canary


def check_secrets(stage: Stage) -> None:
    """The faulty provider's key goes to nobody else, and never in an address, which logs and proxies keep."""
    assert not [one.target for one in stage.faulty.requests if FAULTY_KEY in one.target]
    assert not [one for one in stage.good.requests if FAULTY_KEY in f"{one.headers} {one.target} {one.body!r}"]
