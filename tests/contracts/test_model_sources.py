"""What every source of models promises, whatever is sent to it."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.catalog import (
    Found,
    LiteLLMSource,
    ModelsDevSource,
    OllamaSource,
    OpenRouterSource,
    ProviderAPISource,
)
from orchestrator.catalog.facts import found_on
from orchestrator.core.info import ModelInfo
from orchestrator.integrations.dialects.anthropic import Anthropic
from orchestrator.integrations.dialects.google import Google
from orchestrator.integrations.dialects.ollama import Ollama, read_facts
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.portal import portal
from orchestrator.testing import EmulatedModel, Emulator
from orchestrator.testing.contracts import ModelSourceContract

KEY = "sk-0123456789-shown-by-nobody"
DOCUMENTS = {
    "litellm": (LiteLLMSource, {"a": {"litellm_provider": "openai"}, "b": {"litellm_provider": "x"}}),
    "models.dev": (ModelsDevSource, {"openai": {"api": "http://trap", "models": {"a": {}, "b": {}}}}),
}


@pytest.fixture(scope="module")
def town():
    with Emulator.in_thread([EmulatedModel("a"), EmulatedModel("b")]) as emulator:
        yield emulator
        portal.close()


@pytest.fixture(params=["openai", "anthropic", "google", "groq", "openrouter", "ollama", *DOCUMENTS])
async def source(request, town, tmp_path):
    """Each kind, over a list of two models."""
    yield made(request.param, town, tmp_path)
    await close_sessions()


def made(kind, town, folder):
    """A source of that kind, which finds `a` and `b`."""
    if kind in DOCUMENTS:
        of_kind, document = DOCUMENTS[kind]
        place = folder / "document.json"
        place.write_text(json.dumps(document))
        return of_kind(place)
    if kind == "ollama":
        return OllamaSource(town.base_url("ollama"))
    address = town.base_url(kind if kind in ("anthropic", "google") else "openai")
    if kind == "openrouter":
        return OpenRouterSource(base_url=address)
    return ProviderAPISource(kind, api_key=KEY, base_url=address)


class TestSources(ModelSourceContract):
    """All that ship."""

    secrets = (KEY,)

    @pytest.fixture
    def source(self, source):
        return source


async def test_both_doors_lead_to_the_same_models(source):
    """Awaited or not, the same ids, each once; the plain door gives models."""
    found = await source.fetch()
    plainly = await asyncio.to_thread(source.discover_models)
    assert [model.id for model in found.models] == [model.id for model in plainly]
    assert [model.name for model in found.models] == ["a", "b"]
    assert found.dropped == {}


async def test_a_source_follows_no_address(source, town):
    """The only one is that which was given."""
    found = await source.fetch()
    assert all(model.base_url is None or model.base_url.startswith(town.url) for model in found.models)


# whatever is sent

ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.just("1e999")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
KEYS = [
    "id",
    "name",
    "context_length",
    "pricing",
    "supported_parameters",
    "architecture",
    "top_provider",
    "providers",
    "expiration_date",
    "capabilities",
    "max_tokens",
    "display_name",
    "inputTokenLimit",
    "supportedGenerationMethods",
    "thinking",
    "details",
    "remote_host",
    "model_info",
    "limit",
    "cost",
    "modalities",
    "release_date",
    "tool_call",
    "litellm_provider",
    "mode",
    "max_input_tokens",
    "deprecation_date",
    "input_cost_per_token",
    "input_cost_per_token_above_200k_tokens",
    "models",
    "supports_vision",
]
ENTRY = st.one_of(ANYTHING, st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=8))
INNER = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=5)},
    optional={
        "pricing": st.dictionaries(st.sampled_from(["prompt", "completion", "overrides", "input"]), ANYTHING),
        "architecture": st.dictionaries(st.sampled_from(["input_modalities", "output_modalities"]), ANYTHING),
        "supported_parameters": ANYTHING,
        "providers": ANYTHING,
    },
)
LISTS = st.one_of(ANYTHING, st.lists(st.one_of(ENTRY, INNER), max_size=5))


def check(found):
    """Descriptions with different ids, and counts of what was left out."""
    assert isinstance(found, Found)
    assert all(isinstance(model, ModelInfo) for model in found.models)
    assert len({model.id for model in found.models}) == len(found.models)
    assert all(count > 0 for count in found.dropped.values())


@settings(max_examples=150, deadline=None)
@given(entries=LISTS)
def test_no_list_breaks_its_reader(entries):
    """A provider's list may hold anything: what can be read is, the rest is counted."""
    for dialect in (OpenAIChat(), Anthropic(), Google(), Ollama()):
        models, _ = dialect.decode_models({"data": entries, "models": entries})
        check(found_on("house", models))
    read_facts("a", {"model_info": entries, "details": entries, "capabilities": entries})


@settings(max_examples=150, deadline=None)
@given(
    document=st.dictionaries(
        st.text(max_size=8), st.one_of(ENTRY, st.dictionaries(st.just("models"), LISTS)), max_size=4
    )
)
def test_no_document_breaks_its_reader(document):
    """Nor may a catalogue."""
    for source in (ModelsDevSource("x"), LiteLLMSource("x")):
        check(Found.of(source.read(document)))
        check(Found.of(source.read({"p": {"models": document}})))
