"""OpenRouter: the models of many makers, with windows, prices and abilities."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.sources.provider import ProviderAPISource

__all__ = ["OpenRouterSource"]


class OpenRouterSource(ProviderAPISource):
    """What OpenRouter sells, under ids such as `openrouter/openai/gpt-4o`; listing needs no key."""

    def __init__(self, **options: Any) -> None:
        super().__init__("openrouter", **options)
