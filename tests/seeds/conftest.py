"""Providers on loopback where the examples expect the real ones, and a process that has called nobody yet."""

import pytest

from orchestrator.models import model_registry
from orchestrator.models.portal import portal
from orchestrator.testing import EmulatedModel, Emulator

KEY = "sk-emulated-0123456789"
NAMES = {
    "openai": ("gpt-4", "gpt-3.5-turbo", "gpt-4o", "gpt-4-vision"),
    "anthropic": ("claude-3-opus",),
    "google": ("gemini-pro",),
}


@pytest.fixture
def street(monkeypatch):
    """The emulator, with address and key of every provider in the environment."""
    models = [EmulatedModel(name, provider=provider) for provider, names in NAMES.items() for name in names]
    with Emulator.in_thread(models, keys={KEY}) as emulator:
        for provider in NAMES:
            monkeypatch.setenv(f"{provider.upper()}_BASE_URL", emulator.base_url(provider))
            monkeypatch.setenv(f"{provider.upper()}_API_KEY", KEY)
        yield emulator
        portal.close()


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """The process-wide registry is made anew for each example."""
    monkeypatch.setattr(model_registry, "_default", None)
