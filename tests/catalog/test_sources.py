"""Sources read the lists that providers really send, and survive the ones they should not."""

import json
from datetime import date

import pytest

from orchestrator.catalog import (
    Found,
    HuggingFaceSource,
    LiteLLMSource,
    ModelsDevSource,
    OllamaSource,
    OpenRouterSource,
    ProviderAPISource,
    source_named,
)
from orchestrator.core.cost import Cost, CostTier
from orchestrator.errors import (
    AuthenticationError,
    ConfigurationError,
    MalformedResponseError,
    ModelProviderError,
    ServerError,
)
from orchestrator.integrations.dialects import listing

KEY = "sk-a-key-that-nobody-shows"


def ids(found):
    """The ids of what was found."""
    return [model.id for model in found.models]


# the lists as they were recorded

RECORDED = {
    "anthropic": ("anthropic/models-anthropic-models-01.json", "/models", ["anthropic/claude-opus-4-6"]),
    "cerebras": ("cerebras/models-models-list-01.json", "/models", ["cerebras/gemma-4-31b"]),
    "google": ("google/models-google-models-01.json", "/models", ["google/gemini-2.0-flash", "google/gemini-1.5-pro"]),
    "ollama": ("ollama/models-ollama-tags-01.json", "/api/tags", ["ollama/deepseek-r1:latest"]),
    "openai": ("openai/models-openai-models-01.json", "/models", ["openai/model-id-0", "openai/model-id-1"]),
    "openrouter": ("openrouter/models-openrouter-models-01.json", "/models", ["openrouter/anthropic/claude-opus-5"]),
    "perplexity": ("perplexity/models-models-list-01.json", "/models", ["perplexity/anthropic/claude-fable-5"]),
}


@pytest.mark.parametrize("provider", RECORDED)
async def test_a_recorded_list_is_read(provider, desk, shared_data):
    """Each provider's own list, as it was sent, in the order in which it was sent; nothing is dropped."""
    file, path, first = RECORDED[provider]
    document = json.loads((shared_data / "wire" / file).read_bytes())
    desk.put(path, document | ({"has_more": False} if provider == "anthropic" else {}))
    found = await ProviderAPISource(provider, api_key=KEY, base_url=desk.url).fetch()
    assert ids(found)[: len(first)] == first
    assert found.dropped == {}
    assert all(model.provider == provider for model in found.models)


async def test_what_openrouter_tells_is_kept(desk, shared_data):
    """Windows, prices by a million tokens, dearer long prompts, abilities; a price of -1 is unknown."""
    desk.put("/models", (shared_data / "wire" / RECORDED["openrouter"][0]).read_bytes())
    opus, gemini, auto, *_ = (await OpenRouterSource(base_url=desk.url).fetch()).models
    assert opus.context_window == 1_000_000
    assert opus.capabilities.max_tokens == 128_000
    assert opus.cost == Cost(input=5, output=25, cache_read=0.5, cache_write=6.25)
    assert {"function_calling", "structured_output", "reasoning", "vision"} <= opus.capabilities.names
    assert gemini.cost.tiers == (CostTier(200_000, 4.0, 18.0, 0.4, 0.375),)
    assert auto.cost is None


async def test_a_day_of_withdrawal_is_kept(desk, shared_data):
    """OpenAI's list names the day on which a model goes."""
    desk.put("/models", (shared_data / "wire" / RECORDED["openai"][0]).read_bytes())
    found = await ProviderAPISource("openai", api_key=KEY, base_url=desk.url).fetch()
    assert [model.deprecation_date for model in found.models] == [None, None, date(2026, 10, 23)]


async def test_ollama_is_asked_about_each_model(desk, shared_data):
    """Its list holds names; window and abilities come from its facts about each, where it tells them."""
    desk.put("/api/tags", (shared_data / "wire" / RECORDED["ollama"][0]).read_bytes())
    facts = {"model_info": {"general.architecture": "llama", "llama.context_length": 131_072}}
    desk.put("/api/show", facts | {"capabilities": ["completion", "tools"]})
    first, second = (await OllamaSource(desk.url).fetch()).models
    assert (first.context_window, second.context_window) == (131_072, 131_072)
    assert first.is_local
    assert first.cost == Cost.FREE
    assert first.capabilities.has("function_calling")
    assert desk.paths.count("/api/show") == 2


async def test_an_ollama_that_tells_no_facts_still_lists(desk):
    """And a model in its cloud is neither local nor free."""
    desk.put("/api/tags", {"models": [{"name": "big:cloud", "remote_host": "https://ollama.com"}]})
    [model] = (await OllamaSource(desk.url).fetch()).models
    assert (model.id, model.is_local, model.cost, model.context_window) == ("ollama/big:cloud", False, None, None)


# headers and pages


@pytest.mark.parametrize(
    ("provider", "pages", "marks"),
    [
        (
            "anthropic",
            [
                {"data": [{"id": "a"}], "has_more": True, "last_id": "a"},
                {"data": [{"id": "b"}, {"id": "a"}], "has_more": False, "last_id": "b"},
            ],
            ["/models?limit=1000", "/models?limit=1000&after_id=a"],
        ),
        (
            "google",
            [{"models": [{"name": "models/a"}], "nextPageToken": "t"}, {"models": [{"name": "models/b"}]}],
            ["/models?pageSize=1000", "/models?pageSize=1000&pageToken=t"],
        ),
    ],
)
async def test_all_pages_are_read(provider, pages, marks, desk):
    """Page after page until there is none; what comes twice counts once."""
    for mark, page in zip(marks, pages, strict=True):
        desk.put(mark, page)
    found = await ProviderAPISource(provider, api_key=KEY, base_url=desk.url).fetch()
    assert ids(found) == [f"{provider}/a", f"{provider}/b"]
    assert desk.paths == marks


@pytest.mark.parametrize(
    ("provider", "header", "value"),
    [
        ("openai", "authorization", f"Bearer {KEY}"),
        ("anthropic", "x-api-key", KEY),
        ("google", "x-goog-api-key", KEY),
        ("azure", "api-key", KEY),
    ],
)
async def test_each_provider_gets_its_own_header(provider, header, value, desk):
    """A key where the provider looks for it; Anthropic also wants a version."""
    desk.put("/models", {"data": [], "models": []})
    desk.put("/openai/models", {"data": []})
    await ProviderAPISource(provider, api_key=KEY, base_url=desk.url).fetch()
    [(_, headers)] = desk.asked
    assert headers[header] == value
    assert ("anthropic-version" in headers) is (provider == "anthropic")


async def test_an_open_list_needs_no_key(desk, monkeypatch):
    """OpenRouter and Hugging Face show theirs to everybody; OpenAI does not."""
    for name in ("OPENROUTER_API_KEY", "HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    desk.put("/models", {"data": [{"id": "org/m"}]})
    assert ids(await OpenRouterSource(base_url=desk.url).fetch()) == ["openrouter/org/m"]
    assert ids(await HuggingFaceSource(base_url=desk.url).fetch()) == ["huggingface/org/m"]
    with pytest.raises(ModelProviderError, match="OPENAI_API_KEY"):
        await ProviderAPISource("openai", base_url=desk.url).fetch()


async def test_a_refused_key_is_named_and_not_shown(desk):
    """The error says what is wrong without the key."""
    desk.put("/models", {"error": {"message": f"Incorrect API key {KEY}"}}, status=401)
    with pytest.raises(AuthenticationError) as caught:
        await ProviderAPISource("openai", api_key=KEY, base_url=desk.url).fetch()
    assert KEY not in str(caught.value)


# what should not be there


async def test_bad_entries_are_dropped_and_counted(desk):
    """One bad line costs that line."""
    entries = [{"id": "good"}, {"id": "good"}, {}, None, 5, {"id": ""}, {"id": 7}, {"id": "x" * 10_000}]
    entries += [{"id": "esc\x1b[2Jape"}, {"id": "dear", "pricing": {"prompt": "7", "completion": "nan"}}]
    entries += [{"id": "odd", "context_length": None, "pricing": "none", "supported_parameters": None}]
    desk.put("/models", {"data": entries})
    found = await OpenRouterSource(base_url=desk.url).fetch()
    assert ids(found) == ["openrouter/good", "openrouter/dear", "openrouter/odd"]
    assert found.dropped == {"listed twice": 1, "no id": 5, "unusable id": 2}
    assert [model.cost for model in found.models] == [None, None, None]


async def test_a_list_without_an_end_is_bounded(desk, monkeypatch):
    """What comes after the bound (a hundred thousand; a thousand here) is counted, not kept."""
    assert listing.MAX_LISTED == 100_000
    monkeypatch.setattr(listing, "MAX_LISTED", 1_000)
    desk.put("/models", {"data": [{"id": str(number)} for number in range(1_003)]})
    found = await ProviderAPISource("groq", api_key=KEY, base_url=desk.url).fetch()
    assert len(found.models) == 1_000
    assert found.dropped == {"beyond 1000 entries": 3}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("<html>Bad gateway</html>", 200, ServerError),
        ("", 200, ServerError),
        ('{"data": [{"id": "a', 200, MalformedResponseError),
        ("[" * 10_000, 200, MalformedResponseError),
        ("[]", 500, ServerError),
    ],
)
async def test_what_is_no_list_is_an_error(body, status, error, desk):
    """A page, a torn document, a bottomless one."""
    desk.put("/models", body, status=status)
    with pytest.raises(error):
        await OpenRouterSource(base_url=desk.url).fetch()


async def test_a_redirect_is_not_followed(desk):
    """A list that has moved is an error: nobody leads our key elsewhere."""
    desk.put("/models", b"", status=302, headers={"Location": f"{desk.url}/elsewhere"})
    with pytest.raises(Exception, match="302"):
        await OpenRouterSource(base_url=desk.url).fetch()
    assert desk.paths == ["/models"]


# documents

MODELS_DEV = {
    "openai": {
        "id": "openai",
        "api": "http://127.0.0.1:1/trap",
        "models": {
            "gpt-4o": {
                "id": "gpt-4o",
                "name": "GPT-4o",
                "tool_call": True,
                "reasoning": False,
                "release_date": "2024-05-13",
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "cost": {
                    "input": 2.5,
                    "output": 10,
                    "cache_read": 1.25,
                    "context_over_200k": {"input": 5, "output": 20},
                },
                "limit": {"context": 128_000, "output": 16_384},
            },
            "broken": None,
        },
    },
    "togetherai": {"models": {"meta/llama": {}}},
    "nothing": 5,
}
LITELLM = {
    "sample_spec": {"litellm_provider": "one of https://example.org"},
    "gpt-4o": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": 16_384,
        "max_input_tokens": 128_000,
        "max_output_tokens": 16_384,
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1.25e-06,
        "input_cost_per_token_above_200k_tokens": 5e-06,
        "supports_function_calling": True,
        "supports_vision": True,
        "deprecation_date": "2027-01-31",
    },
    "gemini/gemini-embedding-001": {"litellm_provider": "gemini", "mode": "embedding", "input_cost_per_token": 1.5e-07},
    "broken": 5,
}


@pytest.fixture(params=["file", "address"])
def placed(request, desk, tmp_path):
    """Puts a document into a file, or behind an address."""

    def put(document):
        if request.param == "address":
            desk.put("/api.json", document)
            return f"{desk.url}/api.json"
        path = tmp_path / "api.json"
        path.write_text(json.dumps(document))
        return path

    return put


async def test_a_catalogue_like_models_dev(placed):
    """Providers by their names here; the address in the data is kept nowhere."""
    found = await ModelsDevSource(placed(MODELS_DEV)).fetch()
    assert ids(found) == ["openai/gpt-4o", "together/meta/llama"]
    gpt = found.models[0]
    assert (gpt.display_name, gpt.version, gpt.context_window) == ("GPT-4o", "2024-05-13", 128_000)
    assert gpt.cost == Cost(input=2.5, output=10, cache_read=1.25, tiers=(CostTier(200_000, 5.0, 20.0),))
    assert gpt.capabilities.has("vision")
    assert gpt.capabilities.denies("reasoning")
    assert gpt.base_url is None
    assert found.dropped == {"no description": 2}


async def test_a_price_file_like_litellms(placed):
    """Prices a token become prices a million; the specimen is no model."""
    found = await LiteLLMSource(placed(LITELLM)).fetch()
    assert ids(found) == ["openai/gpt-4o", "google/gemini-embedding-001"]
    gpt, vectors = found.models
    assert gpt.cost == Cost(input=2.5, output=10, cache_read=1.25, tiers=(CostTier(200_000, 5.0),))
    assert (gpt.context_window, gpt.capabilities.max_tokens) == (128_000, 16_384)
    assert gpt.deprecation_date == date(2027, 1, 31)
    assert vectors.capabilities.has("embeddings")
    assert vectors.capabilities.denies("text_generation")
    assert found.dropped == {"no description": 1}


@pytest.mark.parametrize("text", ["<html>", "[]", '{"a": ', "", "\ufeff5"])
async def test_a_file_that_is_no_catalogue_is_named(text, tmp_path):
    """The error says which file."""
    path = tmp_path / "prices.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MalformedResponseError, match=r"prices\.json"):
        await LiteLLMSource(path).fetch()


async def test_a_file_that_is_not_there_is_named(tmp_path):
    """So that a typing mistake is found."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.json"):
        await ModelsDevSource(tmp_path / "nowhere.json").fetch()


async def test_a_document_is_fetched_over_safe_roads_only():
    """Plain http beyond this network is refused before anything leaves."""
    with pytest.raises(ConfigurationError, match="http"):
        await ModelsDevSource("http://example.org/api.json").fetch()


# by name


def test_every_provider_is_a_source():
    """A built-in source, or the provider's own list; what is neither is refused with near names."""
    assert isinstance(source_named("ollama"), OllamaSource)
    assert ProviderAPISource("deepmind").provider == source_named("google").provider == "google"
    with pytest.raises(ConfigurationError, match="openrouter"):
        source_named("openruter")
    with pytest.raises(ConfigurationError, match="mistral"):
        ProviderAPISource("mistrall")


def test_nothing_is_found_among_nothing():
    """The empty case."""
    assert Found.of([]) == Found()
