"""The registry of the process: set up once, whoever asks first."""

import threading

import pytest

import orchestrator
from orchestrator.api.startup import initialize_global_registry
from orchestrator.errors import ConfigurationError
from orchestrator.models import model_registry


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    monkeypatch.setattr(model_registry, "_default", None)
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_file_in_the_working_directory_is_found(write):
    """`config.yaml` is read without being named; a second call reads nothing again."""
    path = write("models: [openai/a]\n", "config.yaml")
    registry = initialize_global_registry()
    path.write_text("models: [openai/b]\n")
    assert initialize_global_registry() is registry is model_registry.default_registry()
    assert list(registry) == ["openai/a"]


def test_the_file_may_be_named_by_a_variable(write, monkeypatch):
    """`ORCHESTRATOR_CONFIG` wins over the file in the working directory, and an argument over both."""
    write("models: [openai/a]\n", "config.yaml")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(write("models: [openai/b]\n", "b.yaml")))
    assert list(initialize_global_registry()) == ["openai/b"]
    monkeypatch.setattr(model_registry, "_default", None)
    assert list(initialize_global_registry(write("models: [openai/c]\n", "c.yaml"))) == ["openai/c"]


def test_who_holds_the_registry_already_holds_the_configured_one(write):
    """A name imported before the set-up is the object that is set up."""
    from orchestrator.api.startup import GLOBAL_MODEL_REGISTRY

    assert len(GLOBAL_MODEL_REGISTRY) == 0
    write("models: [openai/a]\nselector: cost\n", "config.yaml")
    assert initialize_global_registry() is GLOBAL_MODEL_REGISTRY
    assert (list(GLOBAL_MODEL_REGISTRY), GLOBAL_MODEL_REGISTRY.selector.name) == (["openai/a"], "cost")


def test_a_registry_in_use_gains_models_and_keeps_its_policy(write, caplog):
    """What cannot change in use is told."""
    registry = model_registry.default_registry()
    registry["mine"] = {"provider": "custom"}
    write("models: [openai/a]\nselector: cost\n", "config.yaml")
    assert initialize_global_registry() is registry
    assert (list(registry), registry.selector.name) == (["mine", "openai/a"], "ucb")
    assert "selector count from the next start" in caplog.text


def test_a_wrong_file_leaves_the_registry_as_it_was(write):
    """And the next call tries again."""
    path = write("modles: []\n", "config.yaml")
    with pytest.raises(ConfigurationError, match=r"config\.yaml:1"):
        initialize_global_registry()
    assert len(model_registry.default_registry()) == 0
    path.write_text("models: [openai/a]\n")
    assert list(initialize_global_registry()) == ["openai/a"]


def test_many_threads_set_it_up_once(write):
    """Each gets the same registry, and the models are registered once."""
    write("models: [openai/a, openai/b]\n", "config.yaml")
    found, start = [], threading.Barrier(16)

    def race():
        start.wait()
        found.append(initialize_global_registry())

    threads = [threading.Thread(target=race) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len({id(one) for one in found}) == 1
    assert list(found[0]) == ["openai/a", "openai/b"]


def test_init_sets_it_up_too(write):
    """One line gives a service on the configured registry."""
    service = orchestrator.init(config=write("models: [openai/a]\n"))
    assert list(service.registry) == ["openai/a"]


def test_discovery_asks_a_server_for_its_list(monkeypatch):
    """`auto_discover` registers what a running Ollama has, and what other providers list."""
    from orchestrator.catalog import get_manager
    from orchestrator.testing import EmulatedModel, Emulator

    with Emulator.in_thread([EmulatedModel("llama3.2", provider="ollama")]) as emulator:
        for source in get_manager().list_sources():
            dialect = source if source in ("ollama", "anthropic", "google") else "openai"
            monkeypatch.setenv(f"{source.upper()}_BASE_URL", emulator.base_url(dialect))
            monkeypatch.delenv(f"{source.upper()}_API_KEY", raising=False)
        registry = initialize_global_registry(auto_discover=True)
    assert any(model.name == "llama3.2" and model.provider == "ollama" for model in registry.values())
