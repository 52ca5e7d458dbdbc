"""Descriptions of models in every shape that settings and older code give them."""

import json
import math
import pickle
import warnings

import pytest
from pydantic import ValidationError

from orchestrator.core.cost import Cost
from orchestrator.core.info import ModelCapabilities, ModelConstraints, ModelInfo

CANARY = "sk-canary-0123456789"


def test_the_nested_shape_of_a_settings_file_is_read():
    """`model_id`, `cost`, `rate_limit` and a provider with a key become plain fields."""
    info = ModelInfo(
        model_id="openai:gpt-4o",
        model_name="GPT-4o",
        cost={"input_cost_per_million": 5, "output_cost_per_million": 15},
        rate_limit={"tokens_per_minute": 10_000_000, "requests_per_minute": 1500},
        provider={"name": "OpenAI", "default_api_key": CANARY, "base_url": "https://api.openai.com"},
        api_key=None,
    )
    assert (info.id, info.provider, info.name, info.display_name) == ("openai:gpt-4o", "openai", "gpt-4o", "GPT-4o")
    assert info.cost == Cost(input=5, output=15)
    assert (info.constraints.max_requests_per_minute, info.constraints.max_tokens_per_minute) == (1500, 10_000_000)
    assert info.api_key.get_secret_value() == CANARY
    assert info.base_url == "https://api.openai.com"


def test_the_flat_shape_of_a_catalogue_is_read():
    """Context size, per-token prices and metadata of the mapping's own records."""
    info = ModelInfo(id="gpt-4", provider="openai", context_size=8192, cost_per_token={"input": 3e-5, "output": 6e-5})
    assert (info.id, info.name, info.context_size, info.model_id) == ("gpt-4", "gpt-4", 8192, "gpt-4")
    assert (info.cost.input, info.cost.output) == (pytest.approx(30), pytest.approx(60))
    assert ModelInfo(id="a", provider="x", cost_per_token={}).cost is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"provider": "openai", "name": "gpt-4"}, ("openai/gpt-4", "openai", "gpt-4")),
        ({"id": "openai/gpt-4"}, ("openai/gpt-4", "openai", "gpt-4")),
        ({"id": "openai:gpt-4"}, ("openai:gpt-4", "openai", "gpt-4")),
        ({"id": "deepmind/gemini-pro"}, ("deepmind/gemini-pro", "google", "gemini-pro")),
        ({"id": "llama2:7b", "provider": "ollama"}, ("llama2:7b", "ollama", "llama2:7b")),
        ({"id": "ollama/llama2:7b"}, ("ollama/llama2:7b", "ollama", "llama2:7b")),
        ({"id": "org/Llama-2", "provider": "huggingface"}, ("org/Llama-2", "huggingface", "org/Llama-2")),
        ({"id": "mine", "provider": "OpenAI", "name": "gpt-4"}, ("mine", "openai", "gpt-4")),
    ],
)
def test_any_two_of_id_provider_and_name_give_the_third(given, expected):
    """Names that contain a slash or a colon stay whole unless they begin with their own provider."""
    info = ModelInfo(**given)
    assert (info.id, info.provider, info.name) == expected


@pytest.mark.parametrize(
    "bad",
    [
        {"context_window": 0},
        {"context_window": -1},
        {"context_window": math.nan},
        {"speed_tokens_per_s": math.inf},
        {"capabilities": {"max_tokens": -5}},
        {"constraints": {"max_requests_per_minute": 0}},
        {"constraints": {"max_request_per_minute": 5}},
        {"id": ""},
        {"tag": ["x"]},
    ],
)
def test_absurd_descriptions_are_refused(bad):
    """Negative, NaN or unknown settings never get in."""
    with pytest.raises(ValidationError):
        ModelInfo(**{"id": "a", "provider": "x", **bad})


def test_a_refusal_does_not_show_what_was_given():
    """A validation error of a record with a key does not repeat the record."""
    with pytest.raises(ValidationError) as caught:
        ModelInfo(id="a", provider="x", api_key=CANARY, context_window=-1, odd=CANARY)
    assert CANARY not in f"{caught.value} {caught.value!r}"


def test_a_key_is_held_but_never_shown_or_saved():
    """Neither repr, JSON nor a pickle has the key; the object itself still does."""
    info = ModelInfo(id="a", provider="x", api_key=CANARY)
    assert CANARY not in repr(info) + str(info) + info.model_dump_json() + json.dumps(info.model_dump(mode="json"))
    assert CANARY.encode() not in pickle.dumps(info)
    assert pickle.loads(pickle.dumps(info)).api_key is None
    assert info.model_copy().api_key.get_secret_value() == CANARY


def test_what_is_saved_can_be_read_back():
    """A record survives JSON but for its key."""
    info = ModelInfo(
        id="a",
        provider="x",
        context_window=8,
        capabilities=["vision"],
        cost={"input": 1, "output": 2},
        tags={"t"},
        aliases=("b",),
        connector_metadata={"openai": {"id": "c"}},
        custom_metadata={"notes": "good"},
    )
    assert ModelInfo(**json.loads(info.model_dump_json())) == info


@pytest.mark.parametrize("form", [["vision", "tools"], {"vision": True, "supports_functions": True}])
def test_capabilities_come_as_names_or_as_flags(form):
    """A list of names and a mapping of flags, in any spelling, mean the same."""
    able = ModelCapabilities.model_validate(form)
    assert {"vision", "function_calling"} <= able.names
    assert "supports_functions" in able
    assert able["function_call"] is True


def test_undeclared_is_neither_had_nor_denied():
    """A flag that was never said is no obstacle, one that was switched off is."""
    able = ModelCapabilities(vision=False)
    assert (able.has("vision"), able.denies("vision")) == (False, True)
    assert (able.has("audio"), able.denies("audio")) == (False, False)
    assert able.get("translation") is None
    with pytest.raises(KeyError):
        able["translation"]


def test_the_constructor_of_the_custom_model_guide_works():
    """Flags under their `supports_` names and limits by their plain names."""
    able = ModelCapabilities(text_generation=True, max_tokens=4096, supports_streaming=True)
    assert (able.max_tokens, able.streaming) == (4096, True)
    limits = ModelConstraints(max_requests_per_minute=100, max_concurrent_requests=10, required_memory_gb=2.0)
    assert (limits.max_requests_per_minute, limits.max_concurrent_requests) == (100, 10)


def test_a_price_a_thousand_times_too_high_is_read_with_a_warning():
    """Figures in thousandths of a dollar are read as they stand, and said to look odd."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        info = ModelInfo(id="a", provider="x", cost={"input_cost_per_million": 5000})
    assert info.cost.input == 5000
    assert "milli_usd" in str(caught[0].message)
