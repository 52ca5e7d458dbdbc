"""The world of the documentation: every provider's address leads to one emulator, and every key is set."""

import pytest
from written_pages import PAGES, ROOT

from orchestrator.testing import EmulatedModel, Emulator

CHAT = (
    "gpt-4",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5.2",
    "gpt-5-mini",
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "llama3.2",
    "qwen3",
    "Qwen/Qwen3-8B",
    "llama-3.3-70b-versatile",
    "our-chat-deployment",
)
VECTORS = ("text-embedding-3-small", "nomic-embed-text")
KEYS = (
    "ANTHROPIC_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_OAUTH_TOKEN",
    "GROQ_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
)
DIALECT_BY_HOST = {"anthropic.com": "anthropic", "googleapis.com": "google", ":11434": "ollama"}


def pytest_generate_tests(metafunc):
    """A test that takes `page` is run for every page."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=[path.relative_to(ROOT).as_posix() for path in PAGES])


@pytest.fixture
def emulator():
    """The models that the pages name, each good at its work."""
    with Emulator.in_thread([EmulatedModel(name) for name in (*CHAT, *VECTORS)]) as emulator:
        yield emulator


@pytest.fixture
def world(emulator, monkeypatch, tmp_path):
    """An empty folder, a key for everybody, and one emulator behind all addresses."""
    from orchestrator.integrations import http_model
    from orchestrator.models import model_registry
    from orchestrator.models.portal import portal

    allowed = http_model.checked_base_url

    def detour(url, **options):
        address = allowed(url, **options)
        if "127.0.0.1" in address:  # an emulator that the page has started itself
            return address
        dialect = next((name for host, name in DIALECT_BY_HOST.items() if host in address), "openai")
        return emulator.base_url(dialect)

    monkeypatch.setattr(http_model, "checked_base_url", detour)
    monkeypatch.setattr(model_registry, "_default", None)
    monkeypatch.chdir(tmp_path)
    for name in KEYS:
        monkeypatch.setenv(name, "a-key-for-the-emulator")
    yield emulator
    portal.close()
