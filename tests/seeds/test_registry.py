"""The mapping's examples (S3), as far as they are about registry and model."""

from collections.abc import MutableMapping

from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry


def test_the_natural_dict_like_interface():
    """S3 lines 31-41."""
    registry = ModelRegistry()
    model_data = {"provider": "openai", "context_size": 8192}
    registry["gpt-4"] = model_data
    registry["claude-3"] = {"provider": "anthropic"}
    registry["llama2:7b"] = Model(id="llama2:7b", provider="ollama", is_local=True)
    model = registry["gpt-4"]
    assert isinstance(model, Model)
    assert [m.id for m in registry[["gpt-4", "claude-3"]]] == ["gpt-4", "claude-3"]
    assert [m.id for m in registry[lambda m: m.is_local]] == ["llama2:7b"]
    del registry["gpt-4"]
    assert list(registry) == ["claude-3", "llama2:7b"]
    assert isinstance(registry, MutableMapping)


def test_filter_yields_lazily():
    """S3 lines 47-56."""
    registry = ModelRegistry()
    registry["gpt-4"] = Model(id="gpt-4", provider="openai")
    registry["claude-3"] = Model(id="claude-3", provider="anthropic")
    models = registry.filter(provider="openai")
    assert next(models).id == "gpt-4"
    assert list(models) == []


def test_the_fields_of_a_model():
    """S3 lines 88-100."""
    model = Model(id="gpt-4", provider="openai")
    assert (model.context_size, model.is_local, model.cost_per_token) == (None, False, {})
    assert (model.tags, model.connector_metadata, model.custom_metadata) == (set(), {}, {})
    assert model.capabilities.get("streaming") is False
    full = Model(
        id="mine", provider="custom", context_size=4096, is_local=True, capabilities={"streaming": True},
        cost_per_token={"input": 1e-6}, tags={"a"}, custom_metadata={"notes": "n"},
    )  # fmt: skip
    assert (full.context_size, full.is_local, full.tags, full.custom_metadata) == (4096, True, {"a"}, {"notes": "n"})
    assert full.capabilities.get("streaming") is True


def test_ids_that_other_systems_use():
    """S3 lines 290-309: one id of the user's choice, and what each client calls it."""
    model = Model(
        id="gpt-4",  # Canonical
        provider="openai",
        connector_metadata={
            "openai": {"id": "gpt-4"},
            "openrouter": {"id": "openai/gpt-4"},
            "azure": {"id": "gpt-4-deployment-name"},
        },
    )
    assert model.connector_metadata["azure"]["id"] == "gpt-4-deployment-name"
    registry = ModelRegistry()
    for model_id, provider in (("llama2:7b", "ollama"), ("meta-llama/Llama-2-7b-hf", "huggingface")):
        registry[model_id] = Model(id=model_id, provider=provider)
        assert registry[model_id].name == model_id
