"""The catalogue's examples (S3), on lists that servers on loopback give."""

from collections.abc import Iterable
from typing import Any

import pytest

from orchestrator.testing import EmulatedModel, Emulator


@pytest.fixture
def servers(monkeypatch, tmp_path):
    """OpenRouter and Ollama on loopback, and a home folder of one's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    models = [
        *(EmulatedModel(name, provider="openrouter") for name in ("openai/gpt-4", "anthropic/claude-3")),
        EmulatedModel("llama2:7b", provider="ollama"),
    ]
    with Emulator.in_thread(models) as emulator:
        monkeypatch.setenv("OPENROUTER_BASE_URL", emulator.base_url("openrouter"))
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-0123456789")
        monkeypatch.setenv("OLLAMA_BASE_URL", emulator.base_url("ollama"))
        monkeypatch.setenv("OLLAMA_HOST", emulator.base_url("ollama"))
        yield emulator


@pytest.fixture
def manager(tmp_path):
    """A manager with the two models that the guide annotates."""
    from orchestrator.catalog import Model, get_manager

    manager = get_manager(storage_path=tmp_path / "models.json")
    manager.registry["gpt-4"] = Model(
        id="gpt-4", provider="openai", context_size=8192, capabilities={"streaming": True},
        cost_per_token={"input": 3e-5, "output": 6e-5},
    )  # fmt: skip
    manager.registry["claude-3"] = Model(id="claude-3", provider="anthropic", capabilities={"streaming": False})
    manager.registry["llama2:7b"] = Model(id="llama2:7b", provider="ollama", is_local=True)
    return manager


def test_dependency_injection(tmp_path):
    """S3 lines 69-76: sources, connectors and the place of storage are handed in."""
    from orchestrator.catalog import Connector, ModelManager, ModelRegistry, ModelSource

    class CustomSource(ModelSource):
        def discover_models(self):
            return []

    class CustomConnector(Connector):
        name = "custom"

        def format_metadata(self, model):
            return {}

    custom_path = tmp_path / "custom.json"
    manager = ModelManager()
    manager.register_source("custom", CustomSource())
    manager.register_connector(CustomConnector())
    registry = ModelRegistry(storage_path=custom_path)
    registry["a"] = {"provider": "custom"}
    assert "custom" in manager.list_sources()
    assert "custom" in manager.connectors
    assert custom_path.exists()


def test_basic_workflow(servers, tmp_path):
    """S3 lines 153-172."""
    from orchestrator.catalog import get_manager

    # Get pre-configured manager
    manager = get_manager(storage_path="~/.config/ai_models.json")

    # Discover models
    manager.discover_from_source("openrouter", auto_register=True)
    manager.discover_from_source("ollama", auto_register=True)

    # Filter models
    local_models = manager.list_models(is_local=True)
    cheap_models = manager.list_models(custom_filter=lambda m: m.cost_per_token.get("input", 0) < 0.001)
    assert [model.name for model in local_models] == ["llama2:7b"]
    assert len(cheap_models) == len(manager.registry) == 3
    assert (tmp_path / ".config" / "ai_models.json").exists()

    # Get connector-specific metadata
    openai_meta = manager.get_connector_metadata("openrouter/openai/gpt-4", "openai")
    assert openai_meta["model"] == "openai/gpt-4"


def test_custom_metadata_and_tags(manager, tmp_path):
    """S3 lines 176-187; all of it is there the next time."""
    from orchestrator.catalog import get_manager

    # Add custom annotations
    manager.set_custom_metadata("gpt-4", "notes", "Best for complex reasoning")
    manager.add_model_tag("gpt-4", "production", "expensive")

    # Create groups
    manager.create_model_group("production-ready", ["gpt-4", "claude-3"])

    # Filter by tags
    prod_models = manager.list_models(tags=["production"])
    group_models = manager.list_models(tags=["group:production-ready"])
    assert [model.id for model in prod_models] == ["gpt-4"]
    assert [model.id for model in group_models] == ["gpt-4", "claude-3"]

    again = get_manager(storage_path=tmp_path / "models.json")
    assert again.registry["gpt-4"].custom_metadata == {"notes": "Best for complex reasoning"}
    assert [model.id for model in again.list_models(tags=["group:production-ready"])] == ["gpt-4", "claude-3"]


def test_the_mall(manager):
    """S3 lines 193-208."""
    from orchestrator.catalog.mall import ModelMall

    manager.create_model_group("production-ready", ["gpt-4"])
    mall = ModelMall(manager)
    assert list(mall["by_provider", "openai"]) == ["gpt-4"]  # All OpenAI models
    assert list(mall["by_capability", "streaming"]) == ["gpt-4"]  # All streaming models
    assert list(mall["local"]) == ["llama2:7b"]  # Local models
    assert list(mall["remote"]) == ["gpt-4", "claude-3"]  # Remote models
    assert list(mall["groups"]) == ["production-ready"]  # All named groups


def test_custom_sources(manager):
    """S3 lines 212-220."""
    from orchestrator.catalog import Model, ModelSource

    class MyCustomSource(ModelSource):
        def discover_models(self) -> Iterable[Model]:
            # Your discovery logic
            yield Model(id="found", provider="custom")

    manager.register_source("custom", MyCustomSource())
    manager.discover_from_source("custom", auto_register=True)
    assert manager.registry["found"].provider == "custom"


def test_custom_connectors(manager):
    """S3 lines 224-236."""
    from orchestrator.catalog import Connector, Model

    class MyCustomConnector(Connector):
        @property
        def name(self) -> str:
            return "my_client"

        def format_metadata(self, model: Model) -> dict[str, Any]:
            # Your formatting logic
            return {"model_id": model.id}

    manager.register_connector(MyCustomConnector())
    metadata = manager.get_connector_metadata("gpt-4", "my_client")
    assert metadata == {"model_id": "gpt-4"}


def test_the_id_that_each_client_uses():
    """S3 lines 299-313."""
    from orchestrator.catalog import Model, OpenAIConnector

    openai_connector = OpenAIConnector()
    model = Model(
        id="gpt-4",  # Canonical
        provider="openai",
        connector_metadata={
            "openai": {"id": "gpt-4-0613"},
            "openrouter": {"id": "openai/gpt-4"},
            "azure": {"id": "gpt-4-deployment-name"},
        },
    )

    # Connector picks the right one
    openai_meta = openai_connector.format_metadata(model)
    assert openai_meta["model"] == "gpt-4-0613"
