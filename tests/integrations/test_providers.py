"""Which class serves which provider."""

from __future__ import annotations

import pickle
import threading

import pytest

from orchestrator.core.info import ModelInfo
from orchestrator.core.messages import ChatResponse
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ModelProviderError, ProviderConfigError
from orchestrator.integrations import (
    BaseProvider,
    CompatibleModel,
    OpenAIModel,
    known_providers,
    model_from,
    provider_class,
    register_provider,
    unregister_provider,
)
from orchestrator.integrations.compatible import SERVICES
from orchestrator.integrations.families import family_of


class Echo(BaseProvider):
    """Says what it hears, and where."""

    def complete(self, prompt, model, **kwargs):
        self.thread = threading.current_thread()
        return ChatResponse(f"{model}: {prompt} {kwargs}", usage=UsageStats(1, 2))


@pytest.fixture
def echo():
    register_provider("echo", Echo)
    yield "echo"
    unregister_provider("echo")


async def test_a_registered_provider_answers_from_a_worker_thread(echo):
    """complete() may block; the loop does not."""
    model = model_from(ModelInfo(id="echo/one", api_key="k-test"))
    answer = await model.generate_response("hello", temperature=1)
    assert str(answer) == "one: hello {'temperature': 1}"
    assert answer.usage.total_tokens == 3
    assert model._made.thread is not threading.main_thread()


async def test_a_provider_without_a_key_names_the_variable(echo, monkeypatch):
    """ECHO_API_KEY, by the provider's name."""
    monkeypatch.delenv("ECHO_API_KEY", raising=False)
    model = model_from(ModelInfo(id="echo/one"))
    assert "ECHO_API_KEY" in model.setup_issue()
    with pytest.raises(ModelProviderError, match="ECHO_API_KEY"):
        await model.generate_response("hello")
    monkeypatch.setenv("ECHO_API_KEY", "k-test")
    assert model.setup_issue() is None


def test_a_provider_shows_its_key_to_nobody():
    """Neither in repr nor in pickles."""
    provider = Echo(api_key="k-canary")
    assert "k-canary" not in f"{provider!r}{provider} {vars(provider)}"
    assert b"k-canary" not in pickle.dumps(provider)
    assert provider.api_key == "k-canary"


@pytest.mark.parametrize("cls", ["Echo", Echo(api_key="k"), None, 3])
def test_only_a_class_can_be_registered(cls):
    """An instance or a name is a TypeError."""
    with pytest.raises(TypeError):
        register_provider("x", cls)


def test_a_class_without_complete_is_no_provider():
    """Neither a BaseProvider nor a Model."""
    with pytest.raises(TypeError, match="complete"):
        register_provider("x", dict)


@pytest.mark.parametrize("name", ["", "  ", None])
def test_a_provider_has_a_name(name):
    """An empty one is a ValueError."""
    with pytest.raises(ValueError):
        register_provider(name, Echo)


def test_a_custom_class_overrides_a_built_in_until_it_is_taken_back():
    """The user has the last word."""
    register_provider("openai", Echo)
    try:
        assert provider_class("openai") is Echo
    finally:
        unregister_provider("openai")
    assert provider_class("openai") is OpenAIModel
    with pytest.raises(ProviderConfigError):
        unregister_provider("openai")


@pytest.mark.parametrize("name", known_providers())
def test_every_known_provider_has_a_class_that_makes_a_model(name):
    """The table has no empty row."""
    model = model_from(ModelInfo(id=f"{name}/m", api_key="k-test"))
    assert isinstance(model, provider_class(name))
    assert model.provider == name


def test_every_row_of_compatible_services_is_a_known_provider():
    """And serves by its own address."""
    for name, service in SERVICES.items():
        assert provider_class(name) is CompatibleModel
        assert service.base_url


def test_aliases_lead_to_the_same_class():
    """deepmind is google."""
    assert provider_class("deepmind") is provider_class("Google")


async def test_an_unknown_provider_gives_a_description_that_says_so():
    """With an address it is taken to speak OpenAI's dialect."""
    model = model_from(ModelInfo(id="nobody/m"))
    assert type(model) is Model
    with pytest.raises(ModelProviderError, match="register_provider"):
        await model.generate_response("hello")
    assert isinstance(model_from(ModelInfo(id="nobody/m", base_url="https://x.example.org/v1")), CompatibleModel)


@pytest.mark.parametrize(
    ("provider", "name", "feature", "has"),
    [
        ("openai", "gpt-4o-mini", "vision", True),
        ("openai", "gpt-3.5-turbo", "vision", False),
        ("openai", "o3-mini", "reasoning", True),
        ("anthropic", "claude-sonnet-4-5", "structured_output", True),
        ("google", "gemini-2.5-flash", "function_calling", True),
        ("openai", "text-embedding-3-small", "embeddings", True),
        ("openai", "text-embedding-3-small", "text_generation", False),
        ("openai", "unheard-of", "streaming", True),
        ("openai", "unheard-of", "vision", False),
    ],
)
def test_well_known_families_have_their_features(provider, name, feature, has):
    """And unknown names only what the dialect surely has."""
    model = provider_class(provider)(name=name, api_key="k-test")
    assert model.capabilities.has(feature) is has


def test_the_longest_prefix_names_the_family():
    """gpt-4o is no gpt-4."""
    assert family_of("azure", "gpt-4o").context_window == 128_000
    assert family_of("openai", "gpt-4-0613").context_window == 8_192


def test_what_the_user_says_of_a_model_wins():
    """Facts given replace facts known, one by one."""
    model = OpenAIModel("gpt-4o", capabilities={"vision": False}, context_window=10)
    assert (model.capabilities.has("vision"), model.capabilities.has("function_calling"), model.context_size) == (
        False,
        True,
        10,
    )
