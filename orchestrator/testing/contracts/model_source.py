"""What every source of models promises, as tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest

from orchestrator.catalog import Found, ModelSource
from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model

__all__ = ["ModelSourceContract"]


class ModelSourceContract:
    """The suite for a source: `make` returns one that lists at least one model.

    `secrets` are the keys and other texts that it was given and must show to nobody. A source that needs more to be
    made comes from a fixture of your own by the name of `source`.

    >>> class House(ModelSource):
    ...     def discover_models(self):
    ...         yield {"id": "house/one", "context_size": 8192}
    >>> class TestHouse(ModelSourceContract):
    ...     make = House
    """

    make: ClassVar[Callable[..., ModelSource]]
    secrets: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def source(self) -> ModelSource:
        """The source under test."""
        return self.make()

    @pytest.mark.asyncio
    async def test_it_finds_models_and_each_is_described(self, source: ModelSource) -> None:
        """Descriptions or models that can be called, with ids that differ, and counts of what was left out."""
        found = await source.fetch()
        assert isinstance(found, Found)
        assert found.models, "the source under test has to list something"
        assert all(isinstance(model, Model | ModelInfo) for model in found.models)
        assert len({model.id for model in found.models}) == len(found.models)
        assert all(count > 0 for count in found.dropped.values())

    @pytest.mark.asyncio
    async def test_asked_again_it_says_the_same(self, source: ModelSource) -> None:
        """One after the other, and several at once."""
        first = [model.id for model in (await source.fetch()).models]
        answers = await asyncio.gather(*(source.fetch() for _ in range(4)))
        assert [[model.id for model in found.models] for found in answers] == [first] * 4

    @pytest.mark.asyncio
    async def test_it_shows_its_secrets_to_nobody(self, source: ModelSource) -> None:
        """Neither in a repr nor in a description."""
        found = await source.fetch()
        infos = [model if isinstance(model, ModelInfo) else model.info for model in found.models]
        shown = repr(source) + repr(found) + repr([info.model_dump() for info in infos])
        assert [secret for secret in self.secrets if secret in shown] == []

    def test_it_says_how_long_to_wait_for_it(self, source: ModelSource) -> None:
        """So that a discovery can bound it."""
        assert 0 < source.limit_s < 600
