"""The registry is a mapping: whatever a dict does, it does."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.core.info import ModelInfo
from orchestrator.core.model import Model
from orchestrator.errors import DuplicateModelError, ModelNotFoundError
from orchestrator.models.model_registry import ModelRegistry

KEYS = st.sampled_from(["a", "b", "llama2:7b", "meta-llama/Llama-2-7b-hf", "openai/gpt-4"])


class LikeADict(RuleBasedStateMachine):
    """Any sequence of operations leaves a registry and a dict with the same content in the same order."""

    def __init__(self):
        super().__init__()
        self.registry = ModelRegistry()
        self.twin = {}

    @rule(key=KEYS)
    def assign(self, key):
        self.registry[key] = self.twin[key] = Model(id=key, provider="custom", name=f"{key} itself")

    @rule(key=KEYS)
    def register(self, key):
        model = Model(id=key, provider="custom")
        if key in self.twin:
            with pytest.raises(DuplicateModelError, match="already registered"):
                self.registry.register_model(model)
        else:
            self.twin[key] = self.registry.register_model(model)

    @rule(key=KEYS)
    def delete(self, key):
        if key in self.twin:
            del self.registry[key]
            del self.twin[key]
        else:
            with pytest.raises(KeyError):
                del self.registry[key]

    @rule(key=KEYS)
    def pop(self, key):
        assert self.registry.pop(key, None) is self.twin.pop(key, None)

    @rule(key=KEYS)
    def setdefault(self, key):
        model = Model(id=key, provider="custom")
        assert self.registry.setdefault(key, model) is self.twin.setdefault(key, model)

    @rule(keys=st.lists(KEYS, unique=True))
    def update(self, keys):
        models = {key: Model(id=key, provider="custom") for key in keys}
        self.registry.update(models)
        self.twin.update(models)

    @rule()
    def clear(self):
        self.registry.clear()
        self.twin.clear()

    @invariant()
    def same_content(self):
        assert list(self.registry.items()) == list(self.twin.items())
        assert (len(self.registry), bool(self.registry)) == (len(self.twin), bool(self.twin))
        assert self.registry.list_models() == list(self.twin)
        assert all(key in self.registry and self.registry.get(key) is self.twin[key] for key in self.twin)


TestLikeADict = LikeADict.TestCase
TestLikeADict.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


@pytest.fixture
def library():
    """Three described models."""
    registry = ModelRegistry()
    registry["gpt-4"] = Model(id="gpt-4", provider="openai", context_size=8192, tags={"production"})
    registry["claude-3"] = Model(id="claude-3", provider="anthropic", context_size=200_000)
    registry["llama2:7b"] = Model(id="llama2:7b", provider="ollama", is_local=True)
    return registry


def test_a_list_of_ids_gives_a_list_of_models(library):
    """In the order asked, and all of them or an error."""
    assert [m.id for m in library[["llama2:7b", "gpt-4"]]] == ["llama2:7b", "gpt-4"]
    assert library[[]] == []
    with pytest.raises(ModelNotFoundError):
        library[["gpt-4", "missing"]]


def test_a_function_gives_the_models_for_which_it_is_true(library):
    """The mapping's third way to look up."""
    assert [m.id for m in library[lambda m: m.is_local]] == ["llama2:7b"]


@pytest.mark.parametrize("key", [None, 7, 1.5, {"a"}])
def test_other_keys_are_type_errors(library, key):
    """The message says what a key is."""
    with pytest.raises(TypeError, match="a key is an id"):
        library[key]
    assert key not in library


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["gpt-4", "claude-3", "llama2:7b"]),
        ({"provider": "openai"}, ["gpt-4"]),
        ({"is_local": False}, ["gpt-4", "claude-3"]),
        ({"tags": ["production"]}, ["gpt-4"]),
        ({"min_context_size": 8192}, ["gpt-4", "claude-3"]),
        ({"max_context_size": 8192}, ["gpt-4"]),
        ({"min_context_size": 0}, ["gpt-4", "claude-3"]),
        ({"has_capabilities": ["text_generation"]}, ["gpt-4", "claude-3", "llama2:7b"]),
        ({"custom_filter": lambda m: m.cost_per_token.get("input", 0) < 0.001}, ["gpt-4", "claude-3", "llama2:7b"]),
    ],
)
def test_filter_yields_one_by_one(library, wanted, found):
    """Lazily, by any requirement and by context bounds, which an unknown size never meets."""
    models = library.filter(**wanted)
    assert iter(models) is models
    assert [m.id for m in models] == found


def test_list_models_takes_requirements(library):
    """Ids of all, or of those that fit; an unknown requirement is refused."""
    assert library.list_models(provider="anthropic") == ["claude-3"]
    with pytest.raises(TypeError, match="did you mean 'provider'"):
        library.list_models(providers="x")


@pytest.mark.parametrize(
    "form",
    [
        Model(id="x/one", provider="x"),
        ModelInfo(id="x/one", provider="x"),
        {"id": "x/one", "provider": "x"},
        {"provider": "x", "name": "one"},
    ],
)
def test_every_form_of_entry_becomes_a_model(form):
    """A Model, a description or a mapping with its fields."""
    registry = ModelRegistry()
    assert registry.register_model(form) is registry["x/one"]
    assert isinstance(registry["x/one"], Model)


@pytest.mark.parametrize("value", [None, "gpt-4", 7, object()])
def test_what_is_no_model_is_refused(value):
    """A TypeError that names the accepted forms."""
    registry = ModelRegistry()
    with pytest.raises(TypeError, match="Model, a ModelInfo or a mapping"):
        registry.register_model(value)
    with pytest.raises(TypeError, match="Model, a ModelInfo or a mapping"):
        registry["a"] = value
    assert len(registry) == 0


def test_the_key_is_the_id():
    """A model assigned under another key answers to both names, and says the key."""
    registry = ModelRegistry()
    model = registry["best"] = Model(id="openai/gpt-4")
    assert (registry["best"], registry["openai/gpt-4"], model.id) == (model, model, "best")
    assert (model.name, model.provider, list(registry)) == ("gpt-4", "openai", ["best"])


def test_one_model_has_one_key():
    """The same object under a second key would mix up two models' figures; moving it is fine."""
    registry = ModelRegistry()
    model = registry["a"] = Model(id="a", provider="x")
    with pytest.raises(DuplicateModelError, match="alias"):
        registry["b"] = model
    registry["b"] = registry.pop("a")
    assert list(registry) == ["b"]


def test_assignment_replaces_and_registration_does_not():
    """The newcomer starts with a clean health record."""
    registry = ModelRegistry()
    old = registry.register_model(Model(id="a", provider="x"))
    new = Model(id="a", provider="y")
    with pytest.raises(DuplicateModelError):
        registry.register_model(new)
    assert registry["a"] is old
    registry["a"] = new
    assert registry["a"] is new


def test_unregistering_what_is_not_there_is_an_error():
    """The id is named, and it is a KeyError as for any mapping."""
    with pytest.raises(ModelNotFoundError, match="'nobody'"):
        ModelRegistry().unregister_model("nobody")


def test_unregistered_by_any_of_its_names():
    """What can be looked up can be removed."""
    registry = ModelRegistry()
    registry.register_model(Model(id="openai/gpt-4"))
    registry.unregister_model("gpt-4")
    assert len(registry) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"selection_strategy": "ucb", "model_selector": object()},
        {"health_check_interval": 5, "health_monitor": object()},
    ],
)
def test_two_ways_to_say_the_same_thing_are_refused(options):
    """An object or the scalar that builds it, never both."""
    with pytest.raises(TypeError, match="not both"):
        ModelRegistry(**options)


def test_the_tolerant_look_up():
    """`get` gives the default for what is not there, and of a list those that are; names lead there too."""
    registry = ModelRegistry()
    registry["a"] = {"provider": "openai", "name": "gpt-4", "aliases": ["first"]}
    assert (registry.get("first").id, registry.get("b"), registry.get("b", 5)) == ("a", None, 5)
    assert [model.id for model in registry.get(["b", "a"])] == ["a"]
    assert registry.get("openai/gpt-4") is registry["a"]
