"""The manager discovers, annotates and compares over one registry, and never forgets what a user said."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.catalog import ModelMall, ModelManager, ModelSource, OllamaSource, ProviderAPISource, get_manager
from orchestrator.core.cost import Cost
from orchestrator.core.model import Model, ModelCapabilities
from orchestrator.errors import ConfigurationError, ModelNotFoundError
from orchestrator.models.model_registry import ModelRegistry


class House(ModelSource):
    """A source whose facts change."""

    def __init__(self):
        self.facts = {"context_window": 8_000, "display_name": "One", "cost": {"input": 1, "output": 2}}

    def discover_models(self):
        yield {"id": "house/one", **self.facts}


@pytest.fixture
def house():
    return House()


@pytest.fixture
def manager(house):
    return ModelManager(sources={"house": house})


# discovery into the registry


def test_discovering_registers_only_when_asked(manager):
    """Looking is not buying."""
    manager.discover_from_source("house")
    assert not manager.registry
    [model] = manager.discover_from_source("house", auto_register=True)
    assert manager.registry["house/one"] is model


def test_facts_follow_their_source(manager, house):
    """A new window or price reaches the registered model; what was measured about it stays."""
    manager.discover_from_source("house", auto_register=True)
    model = manager.registry["house/one"]
    house.facts = {"context_window": 16_000, "cost": {"input": 3, "output": 4}, "capabilities": {"vision": True}}
    manager.discover_from_source("house", auto_register=True, fresh=True)
    assert manager.registry["house/one"] is model
    assert (model.context_size, model.cost, model.capabilities.has("vision")) == (16_000, Cost(input=3, output=4), True)
    assert model.info.display_name == "One"


def test_discovering_again_never_overwrites_what_a_user_noted(manager, house):
    """Tags, notes, ids for clients, aliases, limits, and every fact set by hand."""
    manager.discover_from_source("house", auto_register=True)
    manager.add_model_tag("house/one", "production")
    manager.set_custom_metadata("house/one", "notes", "Best for complex reasoning")
    manager.set_connector_metadata("house/one", "openai", id="one-2025")
    model = manager.registry["house/one"]
    mine = {"display_name": "Mine", "cost": Cost(input=9, output=9), "aliases": ("uno",)}
    model.info = model.info.model_copy(update=mine | {"capabilities": ModelCapabilities(vision=False)})
    manager.registry["house/one"] = Model(model.info)
    house.facts = {
        "context_window": 16_000,
        "display_name": "Two",
        "cost": {"input": 5, "output": 5},
        "capabilities": {"vision": True},
        "tags": ["theirs"],
        "connector_metadata": {"openai": {"id": "theirs"}, "azure": {"id": "deployed"}},
    }
    [model] = manager.discover_from_source("house", auto_register=True, fresh=True)
    assert model.context_size == 16_000
    assert (model.info.display_name, model.cost, model.info.aliases) == ("Mine", Cost(input=9, output=9), ("uno",))
    assert model.tags == {"production"}
    assert model.custom_metadata == {"notes": "Best for complex reasoning"}
    assert model.connector_metadata == {"openai": {"id": "one-2025"}, "azure": {"id": "deployed"}}
    assert not model.capabilities.has("vision")


def test_a_model_known_under_a_name_of_yours_is_not_registered_twice(manager, house):
    """Provider and name are what makes a model, the id is yours."""
    manager.registry["mine"] = {"provider": "house", "name": "one"}
    [model] = manager.discover_from_source("house", auto_register=True)
    assert list(manager.registry) == ["mine"]
    assert (model.id, model.context_size) == ("mine", 8_000)


def test_only_those_wanted_are_taken(town):
    """The conditions of `filter` pick among what a source lists."""
    manager = ModelManager(sources={"ollama": OllamaSource(town.base_url("ollama"))})
    taken = manager.discover_from_source("ollama", auto_register=True, query={"name": {"$in": ["gpt-4o"]}})
    assert [model.id for model in taken] == list(manager.registry) == ["ollama/gpt-4o"]


def test_several_sources_fill_one_registry(town):
    """Found side by side, and callable at once."""
    sources = {
        name: ProviderAPISource(name, api_key="a-key", base_url=town.base_url(name))
        for name in ("openai", "anthropic", "google")
    }
    manager = ModelManager(sources=sources)
    findings = manager.discover_all(auto_register=True)
    assert {name: len(finding.models) for name, finding in findings.items()} == dict.fromkeys(sorted(sources), 4)
    assert len(manager.registry) == 12
    assert manager.registry["anthropic/claude-3-opus"]("What is 2 plus 2?").text


def test_what_was_discovered_and_noted_outlives_the_process(tmp_path, house):
    """And the next process still knows which facts are the source's."""
    path = tmp_path / "models.json"
    first = ModelManager(storage_path=path, sources={"house": house})
    first.discover_from_source("house", auto_register=True)
    first.add_model_tag("house/one", "production")
    first.registry.save()
    assert json.loads(path.read_text())
    again = ModelManager(storage_path=path, sources={"house": house})
    house.facts = {"context_window": 16_000}
    [model] = again.discover_from_source("house", auto_register=True)
    assert (model.tags, model.context_size, model.info.display_name) == ({"production"}, 16_000, "One")


def test_the_key_of_a_source_is_in_no_file(tmp_path, town):
    """Discovered models are called with it, and stored without."""
    path = tmp_path / "models.json"
    source = ProviderAPISource("openai", api_key="sk-never-written", base_url=town.base_url("openai"))
    manager = ModelManager(storage_path=path, sources={"openai": source})
    manager.discover_from_source("openai", auto_register=True)
    manager.registry.save()
    assert manager.registry["openai/gpt-4"].setup_issue() is None
    assert "sk-never-written" not in path.read_text()


# notes


def test_tags_groups_and_notes(manager):
    """As a team keeps them."""
    for name in ("gpt-4", "claude-3"):
        manager.registry[name] = {"provider": "house", "name": name}
    manager.add_model_tag("gpt-4", "production", "expensive")
    manager.remove_model_tag("gpt-4", "expensive", "never-there")
    manager.create_model_group("production-ready", ["gpt-4", "claude-3"])
    assert [model.id for model in manager.list_models(tags=["production"])] == ["gpt-4"]
    assert [model.id for model in manager.list_models(tags=["group:production-ready"])] == ["gpt-4", "claude-3"]
    manager.create_model_group("production-ready", ["claude-3"])
    assert manager.list_model_groups() == {"production-ready": ["claude-3"]}
    manager.delete_model_group("production-ready")
    assert manager.list_model_groups() == {}
    manager.set_custom_metadata("gpt-4", "notes", "slow")
    manager.set_custom_metadata("gpt-4", "notes", None)
    assert manager.get_model("gpt-4").custom_metadata == {}


def test_a_group_with_an_unknown_member_changes_nothing(manager):
    """All or none."""
    manager.registry["a"] = {"provider": "house", "name": "a"}
    with pytest.raises(ModelNotFoundError):
        manager.create_model_group("g", ["a", "nobody"])
    assert manager.list_model_groups() == {}


@pytest.mark.parametrize("tag", ["", "  ", None])
def test_a_tag_has_a_name(tag, manager):
    """An empty one helps nobody."""
    manager.registry["a"] = {"provider": "house", "name": "a"}
    with pytest.raises(ValueError, match="has a name"):
        manager.add_model_tag("a", tag)


def test_a_note_is_seen_by_the_next_choice():
    """Requirements are judged by what has just been noted."""
    manager = ModelManager(ModelRegistry())
    for name in ("a", "b"):
        manager.registry[name] = {"provider": "ollama", "name": name}
    manager.add_model_tag("a", "blessed")
    assert manager.registry.select(tags=["blessed"]).model_id == "a"
    manager.remove_model_tag("a", "blessed")
    manager.add_model_tag("b", "blessed")
    assert manager.registry.select(tags=["blessed"]).model_id == "b"


def test_scores_are_noted_and_asked_for(manager):
    """By benchmark; a query reaches into them."""
    for name, score in (("a", 71.5), ("b", 64)):
        manager.registry[name] = {"provider": "house", "name": name}
        manager.set_benchmark_score(name, "mmlu", score)
    better = manager.list_models(query={"custom_metadata.benchmarks.mmlu": {"$gt": 70}})
    assert [model.id for model in better] == ["a"]
    assert manager.compare(["a", "b"])["benchmark mmlu"] == {"a": 71.5, "b": 64}
    with pytest.raises(ValueError, match="finite"):
        manager.set_benchmark_score("a", "mmlu", float("nan"))


def test_models_side_by_side():
    """By property, then by id; what is not known is None."""
    manager = ModelManager()
    manager.registry["a"] = Model(id="a", provider="x", context_size=8_192, cost={"input": 1, "output": 2})
    manager.registry["b"] = Model(id="b", provider="y", tags={"t"})
    table = manager.compare(["a", "b"])
    assert table["context_window"] == {"a": 8_192, "b": None}
    assert table["output_usd_per_1m"] == {"a": 2.0, "b": None}
    assert table["tags"] == {"a": [], "b": ["t"]}
    assert table["success_rate"] == {"a": None, "b": None}


# the manager itself


def test_the_manager_works_on_one_registry(monkeypatch):
    """The one given, or the process's own; there is no second store."""
    from orchestrator.models import model_registry

    monkeypatch.setattr(model_registry, "_default", None)
    registry = ModelRegistry()
    assert get_manager(registry=registry).models is registry
    assert get_manager().registry is model_registry.default_registry()
    with pytest.raises(TypeError, match="not both"):
        ModelManager(registry, storage_path="models.json")


def test_a_pre_wired_manager_knows_all_sources_and_clients(tmp_path):
    """Nothing is asked, and nothing is loaded, before it is needed."""
    manager = get_manager(storage_path=tmp_path / "models.json")
    assert {"openrouter", "ollama", "huggingface", "openai", "anthropic", "google", "models.dev"} <= {
        *manager.list_sources()
    }
    assert {"openai", "anthropic", "langchain", "ollama", "dspy", "litellm", "openrouter", "pydantic_ai"} <= {
        *manager.connectors
    }
    with pytest.raises(ConfigurationError, match="openrouter"):
        manager.discover_from_source("openruter")
    with pytest.raises(TypeError, match="ModelSource"):
        manager.register_source("mine", object())


# the mall


@pytest.fixture
def mall(manager):
    manager.registry["gpt"] = {"provider": "openai", "name": "gpt", "capabilities": {"vision": True}, "tags": {"new"}}
    manager.registry["llama"] = {"provider": "ollama", "name": "llama", "is_local": True}
    manager.registry["blind"] = Model(id="blind", provider="x", capabilities={"vision": False})
    manager.create_model_group("mine", ["gpt", "llama"])
    return ModelMall(manager)


def test_the_mall_is_a_nested_mapping(mall):
    """By provider, capability, tag and group, local and remote; keys one by one or all at once."""
    assert list(mall) == ["by_provider", "by_capability", "by_tag", "groups", "local", "remote"]
    assert list(mall["by_provider"]) == ["ollama", "openai", "x"]
    assert list(mall["by_provider", "openai"]) == ["gpt"]
    assert mall["by_provider"]["openai"]["gpt"] is mall["by_provider", "openai", "gpt"]
    assert dict(mall["groups", "mine"]).keys() == {"gpt", "llama"}
    assert (list(mall["local"]), list(mall["remote"])) == (["llama"], ["gpt", "blind"])
    assert list(mall["by_tag"]) == ["group:mine", "new"]
    assert [model.id for model in mall["local"].values()] == ["llama"]


def test_a_shelf_holds_who_can_and_not_who_was_asked(mall):
    """A capability that is declared to be missing puts nobody on its shelf."""
    assert list(mall["by_capability", "vision"]) == ["gpt"]
    assert "blind" not in mall["by_capability", "supports_vision"]


def test_the_mall_shows_the_moment(mall):
    """Nothing is copied."""
    local = mall["local"]
    del mall.manager.registry["llama"]
    assert len(local) == 0
    assert "ollama" not in mall["by_provider"]


@pytest.mark.parametrize("path", ["nowhere", ("by_provider", "nobody"), ("local", "gpt")])
def test_what_is_not_there_is_a_key_error(path, mall):
    """As of any mapping."""
    with pytest.raises(KeyError):
        mall[path]
    assert mall.get("nowhere") is None


def test_the_environment_sets_the_price_of_what_was_discovered(tmp_path, house, monkeypatch):
    """A figure of yours goes before a source's, now and in the next process; what you declare goes before both."""
    monkeypatch.setenv("ORCHESTRATOR_COST_ONE_INPUT", "7")
    path = tmp_path / "models.json"
    manager = ModelManager(storage_path=path, sources={"house": house})
    [model] = manager.discover_from_source("house", auto_register=True)
    assert (model.cost, model.info.cost) == (Cost(input=7, output=2), Cost(input=1, output=2))
    manager.registry.save()
    assert ModelRegistry(storage_path=path)["house/one"].cost == Cost(input=7, output=2)
    house.facts["cost"] = {"input": 1, "output": 3}
    manager.discover_from_source("house", auto_register=True, fresh=True)
    assert model.cost == Cost(input=7, output=3)
    model.info = model.info.model_copy(update={"cost": Cost(input=9, output=9)})
    assert ModelRegistry().register_model(model.info).cost == Cost(input=9, output=9)


def test_notes_of_many_threads_are_all_kept(manager):
    """Eight people noting at once lose nothing."""
    manager.registry["a"] = {"provider": "house", "name": "a"}

    def note(who):
        for number in range(25):
            manager.add_model_tag("a", f"{who}-{number}")
            manager.set_custom_metadata("a", f"{who}-{number}", number)

    with ThreadPoolExecutor(8) as people:
        list(people.map(note, range(8)))
    assert len(manager.get_model("a").tags) == len(manager.get_model("a").custom_metadata) == 200


def test_catalogues_are_asked_by_name_only(monkeypatch):
    """Everything that serves models is asked, and no document about what others serve, unless it is yours."""
    manager = ModelManager()
    manager.register_source("litellm", House())
    asked = []

    async def ask(sources, **options):
        asked.extend(sources)
        return {}

    monkeypatch.setattr(manager.discovery, "ask", ask)
    manager.discover_all()
    assert {"openai", "ollama", "openrouter", "litellm"} <= {*asked}
    assert "models.dev" not in asked
