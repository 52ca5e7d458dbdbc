"""From what a caller says to a model: exact, alias, provider and rest, bare name, family."""

import pytest

from orchestrator.core.model import Model
from orchestrator.errors import AmbiguousModelError, ModelNotFoundError
from orchestrator.models.model_registry import ModelRegistry


@pytest.fixture
def registry():
    """Models whose names overlap in every way that happens."""
    registry = ModelRegistry()
    for facts in (
        {"id": "openai/gpt-4"},
        {"id": "azure/gpt-4"},
        {"id": "openai:gpt-4o"},
        {"id": "google/gemini-pro", "aliases": ("gem",)},
        {"id": "llama2:7b", "provider": "ollama"},
        {"id": "ollama/mistral:7b"},
        {"id": "meta-llama/Llama-2-7b-hf", "provider": "huggingface"},
        {"id": "mine", "provider": "openai", "name": "gpt-3.5-turbo"},
        {"id": "groq/qwen3"},
        {"id": "together/qwen3"},
    ):
        registry.register_model(Model(**facts))
    return registry


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("openai/gpt-4", "openai/gpt-4"),
        ("openai:gpt-4", "openai/gpt-4"),
        ("OpenAI/gpt-4", "openai/gpt-4"),
        ("azure/gpt-4", "azure/gpt-4"),
        ("gpt-4", "openai/gpt-4"),  # of two namesakes, the one of its own family's provider
        ("openai/gpt-4o", "openai:gpt-4o"),
        ("gpt-4o", "openai:gpt-4o"),
        ("gem", "google/gemini-pro"),
        ("deepmind/gemini-pro", "google/gemini-pro"),
        ("Google:gemini-pro", "google/gemini-pro"),
        ("gemini-pro", "google/gemini-pro"),
        ("llama2:7b", "llama2:7b"),
        ("ollama/llama2:7b", "llama2:7b"),
        ("mistral:7b", "ollama/mistral:7b"),
        ("meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"),
        ("huggingface/meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"),
        ("hf:meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"),
        ("openai/mine", "mine"),
        ("gpt-3.5-turbo", "mine"),
        ("openai/gpt-3.5-turbo", "mine"),
    ],
)
def test_a_name_finds_its_model(registry, said, meant):
    """Every spelling finds the one model meant, through every door."""
    assert registry[said].id == registry.get_model(said).id == meant
    assert said in registry


def test_the_assigned_key_wins_over_every_other_reading(registry):
    """A key is exact, even if it looks like another model's name."""
    registry["gpt-4"] = Model(id="gpt-4", provider="custom")
    assert registry["gpt-4"].provider == "custom"
    assert registry["openai/gpt-4"].provider == "openai"


def test_an_ambiguous_name_lists_the_candidates(registry):
    """No silent first: the error is a KeyError that names them, and `in` is just false."""
    with pytest.raises(AmbiguousModelError, match="'groq/qwen3', 'together/qwen3'"):
        registry["qwen3"]
    assert "qwen3" not in registry
    assert registry.get("qwen3") is None


@pytest.mark.parametrize("said", ["llama3:8b", "meta-llama/Llama-3", "nobody/knows", "nonsense", ""])
def test_an_unknown_name_is_not_found_and_nothing_is_registered(registry, said):
    """A head that is no known provider is part of the name."""
    before = list(registry)
    with pytest.raises(ModelNotFoundError, match="no model"):
        registry.get_model(said)
    assert list(registry) == before


def test_a_near_name_is_suggested(registry):
    """The error tells what was probably meant."""
    with pytest.raises(ModelNotFoundError, match="did you mean 'llama2:7b'"):
        registry["lama2:7b"]


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("gpt-5", "openai/gpt-5"),
        ("o3-mini", "openai/o3-mini"),
        ("claude-3-opus", "anthropic/claude-3-opus"),
        ("gemini-2.0-flash", "google/gemini-2.0-flash"),
        ("anthropic:claude-x", "anthropic/claude-x"),
        ("ollama/llama3:8b", "ollama/llama3:8b"),
        ("openrouter/meta-llama/llama-3-70b", "openrouter/meta-llama/llama-3-70b"),
        ("deepmind/gemini-x", "google/gemini-x"),
    ],
)
def test_a_model_of_a_known_provider_is_made_at_first_use(registry, said, made):
    """`get_model` registers it once; plain look-up never does."""
    with pytest.raises(ModelNotFoundError):
        registry[said]
    model = registry.get_model(said)
    assert (model.id, registry[made]) == (made, model)
    assert registry.get_model(said) is model
