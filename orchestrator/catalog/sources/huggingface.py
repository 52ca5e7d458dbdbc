"""Hugging Face: what its inference router serves."""

from __future__ import annotations

from typing import Any

from orchestrator.catalog.sources.provider import ProviderAPISource

__all__ = ["HuggingFaceSource"]


class HuggingFaceSource(ProviderAPISource):
    """The models that Hugging Face's router can reach, with windows and prices; listing needs no key."""

    def __init__(self, **options: Any) -> None:
        super().__init__("huggingface", **options)
