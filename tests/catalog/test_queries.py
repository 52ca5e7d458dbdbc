"""Filters and queries: complete, lazy, and exact about what is not known."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.model import Model
from orchestrator.core.query import compiled
from orchestrator.models.model_registry import ModelRegistry

MODELS = [
    Model(
        id="gpt",
        provider="openai",
        version="2024-05-13",
        context_size=128_000,
        capabilities={"vision": True, "max_tokens": 16_384},
        cost={"input": 2.5, "output": 10},
        tags={"production", "fast"},
        custom_metadata={"team": {"name": "search", "size": 3}, "notes": None},
        connector_metadata={"azure": {"id": "deployed"}},
        constraints={"max_requests_per_minute": 60},
        deprecation_date=date(2026, 10, 23),
        aliases=("chat",),
    ),
    Model(
        id="claude", provider="anthropic", context_size=200_000, cost={"input": 3, "output": 15}, tags={"production"}
    ),
    Model(id="llama", provider="ollama", is_local=True, context_size=8_192, capabilities={"vision": False}),
    Model(id="mystery", provider="custom"),
]


@pytest.fixture
def registry():
    registry = ModelRegistry()
    registry.register_models(MODELS)
    return registry


def ids(models):
    """The ids, in order."""
    return [model.id for model in models]


# keywords


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["gpt", "claude", "llama", "mystery"]),
        ({"provider": "openai"}, ["gpt"]),
        ({"provider": ["openai", "ollama"]}, ["gpt", "llama"]),
        ({"is_local": True}, ["llama"]),
        ({"is_local": False}, ["gpt", "claude", "mystery"]),
        ({"min_context_size": 100_000}, ["gpt", "claude"]),
        ({"max_context_size": 100_000}, ["llama"]),
        ({"min_context_size": 0}, ["gpt", "claude", "llama"]),
        ({"max_context_size": 0}, []),
        ({"has_capabilities": ["vision"]}, ["gpt"]),
        ({"capabilities": "supports_vision"}, ["gpt"]),
        ({"tags": ["production", "fast"]}, ["gpt"]),
        ({"version": "2024-05-13"}, ["gpt"]),
        ({"version": ["2024-05-13", "none"]}, ["gpt"]),
        ({"max_input_price": 2.5}, ["gpt"]),
        ({"max_output_price": 20, "tags": ["production"]}, ["gpt", "claude"]),
        ({"max_input_price": 0}, []),
        ({"custom_filter": lambda model: model.id.startswith("m")}, ["mystery"]),
        ({"custom_filter": lambda model: model.cost_per_token.get("input", 0) < 1e-6}, ["llama", "mystery"]),
        ({"provider": "openai", "query": {"tags": "slow"}}, []),
    ],
    ids=str,
)
def test_every_condition_counts(wanted, found, registry):
    """Each alone and together; what is not known meets no bound, and a bound of 0 is a bound."""
    assert ids(registry.filter(**wanted)) == found
    assert registry.list_models(**wanted) == found


def test_filtering_is_lazy():
    """Nobody is looked at before he is asked for."""
    looked = []
    registry = ModelRegistry()
    registry.register_models(MODELS)
    found = registry.filter(custom_filter=lambda model: looked.append(model.id) or True)
    assert looked == []
    next(found)
    assert looked == ["gpt"]


def test_a_change_does_not_reach_into_the_loop(registry):
    """What is handed out are the models of the moment of the call."""
    found = registry.filter()
    del registry["mystery"]
    assert ids(found) == ["gpt", "claude", "llama", "mystery"]


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        ({"providers": "x"}, TypeError, "did you mean 'provider'"),
        ({"min_context_size": "8k"}, TypeError, "min_context_size is a number"),
        ({"max_input_price": True}, TypeError, "max_input_price"),
        ({"query": []}, TypeError, "a query is a mapping"),
        ({"query": {"contxt_size": 5}}, ValueError, "did you mean 'context_size'"),
        ({"query": {"context_size": {"$gte": 1, "$lo": 2}}}, ValueError, "unknown operator '\\$lo'"),
        ({"query": {"$nor": []}}, ValueError, "did you mean '\\$or'"),
        ({"query": {"$and": {}}}, TypeError, "list of queries"),
        ({"query": {"$or": []}}, TypeError, "list of queries"),
        ({"query": {"tags": {"$in": "fast"}}}, TypeError, "takes a list"),
        ({"query": {"tags": {"$exists": 1}}}, TypeError, "True or False"),
        ({"query": {5: 1}}, TypeError, "field's name"),
        ({"query": {"api_key": {"$exists": True}}}, ValueError, "unknown field 'api_key'"),
    ],
    ids=str,
)
def test_a_condition_that_is_none_is_refused_at_once(wanted, error, said, registry):
    """Not at the first model, and with what was probably meant."""
    with pytest.raises(error, match=said):
        registry.filter(**wanted)


def test_a_bottomless_query_is_refused(registry):
    """However it nests."""
    query = inner = {}
    for _ in range(10_000):
        inner["$not"] = {}
        inner = inner["$not"]
    with pytest.raises(ValueError, match="deep"):
        registry.filter(query=query)


# queries


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["gpt", "claude", "llama", "mystery"]),
        ({"provider": "openai", "context_size": {"$gte": 8000}}, ["gpt"]),
        ({"context_size": {"$gt": 8_192, "$lt": 200_000}}, ["gpt"]),
        ({"context_length": {"$lte": 128_000}}, ["gpt", "llama"]),
        ({"context_window": {"$eq": 8_192}}, ["llama"]),
        ({"context_size": {"$ne": 8_192}}, ["gpt", "claude", "mystery"]),
        ({"context_size": {"$exists": False}}, ["mystery"]),
        ({"context_size": None}, ["mystery"]),
        ({"provider": {"$in": ["openai", "ollama"]}}, ["gpt", "llama"]),
        ({"provider": {"$nin": ["openai", "ollama"]}}, ["claude", "mystery"]),
        ({"tags": "fast"}, ["gpt"]),
        ({"tags": {"$in": ["fast", "slow"]}}, ["gpt"]),
        ({"tags": {"$nin": ["fast"]}}, ["claude", "llama", "mystery"]),
        ({"tags": ["production"]}, []),
        ({"tags": {"production"}}, ["claude"]),
        ({"aliases": "chat"}, ["gpt"]),
        ({"capabilities.vision": True}, ["gpt"]),
        ({"capabilities.supports_vision": False}, ["claude", "llama", "mystery"]),
        ({"capabilities": "vision"}, ["gpt"]),
        ({"capabilities.max_tokens": {"$gte": 10_000}}, ["gpt"]),
        ({"cost.input": {"$lt": 3}}, ["gpt"]),
        ({"cost_per_token.output": {"$lte": 1e-5}}, ["gpt"]),
        ({"custom_metadata.team.name": "search"}, ["gpt"]),
        ({"custom_metadata.team.size": {"$gte": "3"}}, []),
        ({"custom_metadata.team": {"name": "search", "size": 3}}, ["gpt"]),
        ({"custom_metadata.notes": {"$exists": True}}, []),
        ({"custom_metadata.team.name.__class__": {"$exists": True}}, []),
        ({"connector_metadata.azure.id": {"$exists": True}}, ["gpt"]),
        ({"constraints.max_requests_per_minute": 60}, ["gpt"]),
        ({"deprecation_date": {"$lt": "2027-01-01"}}, ["gpt"]),
        ({"deprecation_date": date(2026, 10, 23)}, ["gpt"]),
        ({"metrics.calls": 0}, ["gpt", "claude", "llama", "mystery"]),
        ({"metrics.latency_p50": {"$lt": 1}}, []),
        ({"$or": [{"provider": "openai"}, {"is_local": True}]}, ["gpt", "llama"]),
        ({"$and": [{"tags": "production"}, {"tags": "fast"}]}, ["gpt"]),
        ({"$not": {"provider": "openai"}, "is_local": False}, ["claude", "mystery"]),
        ({"context_size": {"$not": {"$gte": 100_000}}}, ["llama", "mystery"]),
        ({"$not": {"$or": [{"tags": "fast"}, {"$not": {"provider": {"$ne": "custom"}}}]}}, ["claude", "llama"]),
    ],
    ids=str,
)
def test_a_query_finds(query, found, registry):
    """Every operator, nested fields, sets, dates, and what is not known."""
    assert ids(registry.filter(query=query)) == found


LEAF = st.one_of(
    st.builds(
        lambda field, sign, value: {field: {sign: value}},
        st.sampled_from(["context_size", "cost.input", "capabilities.max_tokens"]),
        st.sampled_from(["$gt", "$gte", "$lt", "$lte", "$eq", "$ne"]),
        st.sampled_from([0, 2.5, 8_192, 128_000, None]),
    ),
    st.builds(lambda tag: {"tags": tag}, st.sampled_from(["production", "fast", "slow"])),
    st.builds(lambda names: {"provider": {"$in": names}}, st.lists(st.sampled_from(["openai", "ollama"]), max_size=2)),
)
QUERIES = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"$and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"$or": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"$not": part}, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(left=QUERIES, right=QUERIES)
def test_queries_obey_the_laws_of_logic(left, right):
    """De Morgan, double negation, and a list of conditions as their conjunction, for every model."""
    for model in MODELS:
        both = compiled({"$and": [left, right]})(model)
        assert both == (compiled(left)(model) and compiled(right)(model))
        assert both != compiled({"$or": [{"$not": left}, {"$not": right}]})(model)
        assert compiled({"$not": {"$not": left}})(model) == compiled(left)(model)
