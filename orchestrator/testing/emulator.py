"""Providers on loopback that behave as they are told."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, Self

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.errors import ConfigurationError, ModelNotFoundError, did_you_mean
from orchestrator.testing.actor import Actor
from orchestrator.testing.behaviour import EmulatedModel, Step
from orchestrator.testing.dialects import DIALECTS, dialect_of

__all__ = ["Emulator", "LogEntry"]

_LOG_LENGTH = 1_000


class LogEntry(NamedTuple):
    """One request that was received; `status` is None where no reply was begun."""

    model: str
    path: str
    status: int | None


class Emulator:
    """A real HTTP server that speaks OpenAI's, Anthropic's, Gemini's and Ollama's dialects for any number of models.

    `keys` are the accepted API keys, None accepts every request. Latencies are waited through `clock`; equal seeds
    give equal runs. `requests` counts by model, `spent_usd` sums what the answers cost, `log` holds the last 1000
    requests.

    >>> async def script() -> list[int | None]:
    ...     import aiohttp
    ...     from orchestrator.testing import Fail
    ...     async with Emulator([EmulatedModel("m", script=[Fail(503)])]) as emulator, aiohttp.ClientSession() as http:
    ...         for _ in range(2):
    ...             body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    ...             await http.post(emulator.base_url("openai") + "/chat/completions", json=body)
    ...         return [entry.status for entry in emulator.log]
    >>> asyncio.run(script())
    [503, 200]
    """

    def __init__(
        self,
        models: Sequence[EmulatedModel],
        *,
        seed: int = 0,
        clock: Clock = SYSTEM_CLOCK,
        keys: Collection[str] | None = None,
        port: int = 0,
    ) -> None:
        names = Counter(model.name for model in models)
        if names and (most := names.most_common(1)[0])[1] > 1:
            raise ConfigurationError(f"two models are named {most[0]!r}; give each a name of its own")
        self.clock = clock
        self.keys = None if keys is None else frozenset(keys)
        self.actors = {model.name: Actor(model, seed=seed, clock=clock) for model in models}
        self.providers = frozenset({*DIALECTS, *(model.provider for model in models)} - {""})
        self.broken: dict[tuple[str, str], Step] = {}  # ("model" | "provider", name) -> what happens instead
        self.absent = {model.name for model in models if model.download_bytes}  # until somebody pulls them
        self.requests: Counter[str] = Counter()
        self.log: deque[LogEntry] = deque(maxlen=_LOG_LENGTH)
        self.closing = asyncio.Event()
        self.url = ""
        self._port = port
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        from orchestrator.testing.server import serve

        self.closing.clear()
        self.url = await self._open.enter_async_context(serve(self, self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closing.set()
        await self._open.aclose()

    @classmethod
    @contextmanager
    def in_thread(cls, models: Sequence[EmulatedModel], **options: Any) -> Iterator[Self]:
        """The same for code without an event loop: the server runs in a thread of its own until the block ends."""
        from orchestrator.testing.thread import run_in_thread

        emulator = cls(models, **options)
        with run_in_thread(emulator):
            yield emulator

    def base_url(self, provider: str) -> str:
        """The address to give to a client of this provider: a dialect's name, or the label of some model.

        Labels that are no dialect speak OpenAI's.
        """
        if provider not in self.providers:
            raise ConfigurationError(f"provider={provider!r}: {did_you_mean(provider, sorted(self.providers))}")
        return f"{self.url}/{provider}{dialect_of(provider).BASE}"

    @property
    def spent_usd(self) -> Mapping[str, float]:
        """USD of all answers, by model."""
        return {name: actor.spent_usd for name, actor in self.actors.items()}

    def served_by(self, provider: str) -> list[EmulatedModel]:
        """The models that can be asked under this label now."""
        known = (actor.model for actor in self.actors.values() if actor.model.provider in ("", provider))
        return [model for model in known if model.name not in self.absent]

    def break_model(self, name: str, step: Step) -> None:
        """Every request for this model meets this step until it is mended; its script waits meanwhile."""
        self._actor(name)
        self.broken["model", name] = step

    def break_provider(self, provider: str, step: Step) -> None:
        """Every request under this label meets this step until it is mended, the list of models included."""
        self.base_url(provider)
        self.broken["provider", provider] = step

    def mend(self, name: str | None = None) -> None:
        """Make a broken model or provider work again; without a name, all of them."""
        for key in list(self.broken):
            if name is None or key[1] == name:
                del self.broken[key]

    def change(self, name: str, **fields: Any) -> None:
        """Let a model behave differently from now on: `change("m", quality=0.2, latency_s=3)`."""
        actor = self._actor(name)
        actor.become(replace(actor.model, **{"script": tuple(actor.steps), **fields}))

    def script(self, name: str, *steps: Step) -> None:
        """Add steps to what the model will do next."""
        self._actor(name).steps.extend(steps)

    def _actor(self, name: str) -> Actor:
        if name not in self.actors:
            raise ModelNotFoundError.named(name, sorted(self.actors))
        return self.actors[name]
