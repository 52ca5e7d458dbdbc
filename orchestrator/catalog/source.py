"""Where models are found: what a source is, and what it brings."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

from pydantic import ValidationError

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.errors import OrchestratorError
from orchestrator.models.portal import portal
from orchestrator.models.roster.entries import Entry, model_of

__all__ = ["MOST_MODELS", "Found", "ModelSource"]

MOST_MODELS = 100_000  # of one source; what comes after is left out and counted


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """What a source lists: descriptions (or models that can be called), and how many entries it had to leave out."""

    models: tuple[Model | ModelInfo, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry | None], dropped: Mapping[str, int] | None = None) -> Self:
        """The usable ones among entries of any form, each id once; the others are counted by what is wrong.

        >>> found = Found.of([{"id": "custom/a"}, {"id": "custom/a"}, {"name": 5}, None])
        >>> [model.id for model in found.models], dict(found.dropped)
        (['custom/a'], {'listed twice': 1, 'no description': 2})
        """
        counted = Counter(dropped or {})
        models: dict[str, Model | ModelInfo] = {}
        for number, entry in enumerate(islice(entries, MOST_MODELS + 1)):
            model = _read(entry)
            flaw = f"beyond {MOST_MODELS} entries" if number == MOST_MODELS else "no description"
            if model is None or number == MOST_MODELS:
                counted[flaw] += 1
            elif model.id in models:
                counted["listed twice"] += 1
            else:
                models[model.id] = model
        return cls(tuple(models.values()), dict(sorted(counted.items())))

    def __repr__(self) -> str:
        return f"<Found {len(self.models)} models, dropped {sum(self.dropped.values())}>"


def _read(entry: Any) -> Model | ModelInfo | None:
    if isinstance(entry, Model | ModelInfo):
        return entry
    try:
        return ModelInfo(**entry) if isinstance(entry, Mapping) else None
    except (ValidationError, OrchestratorError, TypeError):
        return None


class ModelSource:
    """Says which models exist somewhere; it stores none of them.

    Write one of two methods. `discover_models()` returns or yields models, descriptions or mappings, and may be
    plain (it then runs in a thread when others wait for it), async, or an async generator. `fetch()` is async and
    returns `Found`. The other one comes with it. `limit_s` bounds how long a discovery waits for this source.

    >>> class House(ModelSource):
    ...     def discover_models(self):
    ...         yield Model(id="house/one", provider="house", context_size=8192)
    >>> asyncio.run(House().fetch()).models
    (<Model 'house/one'>,)
    """

    limit_s: float = 30.0

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        """Refuse a source that could not list anything."""
        if cls.fetch is ModelSource.fetch and cls.discover_models is ModelSource.discover_models:
            raise TypeError(f"{cls.__name__} lists nothing: write discover_models(), which yields its models")
        return super().__new__(cls)

    def discover_models(self) -> Any:
        """The models there are, for code that cannot await."""
        return [model_of(None, entry) for entry in portal.run(self.fetch).models]

    async def fetch(self) -> Found:
        """The models there are."""
        ask: Any = self.discover_models
        if inspect.iscoroutinefunction(ask) or inspect.isasyncgenfunction(ask):
            listed = ask()
        else:
            listed = await asyncio.to_thread(lambda: _listed(ask()))
        if inspect.isawaitable(listed):
            listed = await listed
        return Found.of([entry async for entry in listed] if isinstance(listed, AsyncIterable) else listed)


def _listed(entries: Any) -> Any:
    """The entries of a plain iterable, drawn here, in the thread; what has to be awaited stays as it is."""
    return list(islice(entries, MOST_MODELS + 1)) if isinstance(entries, Iterable) else entries
