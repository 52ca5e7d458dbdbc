"""How each provider reads a request and writes its answers, one module a dialect."""

from __future__ import annotations

from orchestrator.testing.dialects import anthropic as anthropic
from orchestrator.testing.dialects import google as google
from orchestrator.testing.dialects import ollama as ollama
from orchestrator.testing.dialects import openai as openai
from orchestrator.testing.exchange import Dialect

__all__ = ["DIALECTS", "dialect_of"]

DIALECTS: dict[str, Dialect] = {"anthropic": anthropic, "google": google, "ollama": ollama, "openai": openai}


def dialect_of(provider: str) -> Dialect:
    """The dialect of a provider's label; unknown providers speak OpenAI's, as most do."""
    return DIALECTS.get(provider, openai)
