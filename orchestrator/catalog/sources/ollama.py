"""Ollama: what is installed on this machine, or on another one of yours."""

from __future__ import annotations

import asyncio

from orchestrator.catalog.facts import described
from orchestrator.catalog.source import Found, ModelSource
from orchestrator.errors import ProviderAPIError
from orchestrator.integrations.dialects.listing import ListedModel
from orchestrator.integrations.ollama_model import OllamaModel

__all__ = ["OllamaSource"]

_AT_ONCE = 8  # questions about single models


class OllamaSource(ModelSource):
    """The models installed in an Ollama; `details` asks it about each one too, for window and abilities.

    Ids are `ollama/llama3.2:latest`; the bare `llama3.2:latest` finds them as long as no other provider has it.
    """

    def __init__(self, base_url: str | None = None, *, details: bool = True, limit_s: float = 30.0) -> None:
        self.limit_s = limit_s
        self._base_url = base_url
        self._details = details

    async def fetch(self) -> Found:
        """What is installed."""
        server = OllamaModel("any", base_url=self._base_url)
        listing = await server.list_models()
        turns = asyncio.Semaphore(_AT_ONCE)

        async def looked_at(listed: ListedModel) -> ListedModel:
            async with turns:
                return await _facts(server, listed)

        models = await asyncio.gather(*map(looked_at, listing)) if self._details else listing
        return Found.of(
            (described("ollama", one, is_local=one.input_usd is not None, base_url=self._base_url) for one in models),
            listing.dropped,
        )


async def _facts(server: OllamaModel, listed: ListedModel) -> ListedModel:
    """The line with what the server tells about this model; an older server tells nothing."""
    try:
        told = await server.facts_of(listed.id)
    except ProviderAPIError:
        return listed
    # the list alone says whether the model runs here or in Ollama's cloud, at a price of its own
    return listed if told is None else told._replace(input_usd=listed.input_usd, output_usd=listed.output_usd)
