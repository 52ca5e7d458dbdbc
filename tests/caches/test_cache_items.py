"""Vectors text by text, and plain values such as metadata and lists of models."""

import asyncio

import pytest
from cache_asking import Echo, turns
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.cache import ModelCache
from orchestrator.core.messages import Embeddings, UsageStats
from orchestrator.errors import MalformedResponseError
from orchestrator.testing import FakeClock

MODEL = Echo()


class Vectors:
    """An upstream that keeps what it was asked."""

    def __init__(self):
        self.asked = []

    async def __call__(self, texts):
        self.asked.append(list(texts))
        await asyncio.sleep(0)
        vectors = [[float(len(text)), 0.1, -1e-30] for text in texts]
        return Embeddings(vectors, usage=UsageStats(len(texts), cost_usd=0.01 * len(texts)))


async def test_a_batch_asks_only_for_what_is_new():
    """Order is kept, equal texts are asked once, and only the rest is paid for."""
    cache, upstream = ModelCache(), Vectors()
    await cache.embed(MODEL, ["a", "bb"], {}, upstream)
    vectors = await cache.embed(MODEL, ["ccc", "bb", "ccc", "a"], {}, upstream)
    assert upstream.asked == [["a", "bb"], ["ccc"]]
    assert vectors == [[3.0, 0.1, -1e-30], [2.0, 0.1, -1e-30], [3.0, 0.1, -1e-30], [1.0, 0.1, -1e-30]]
    assert vectors.usage.cost_usd == pytest.approx(0.01)
    stats = cache.get_statistics()
    assert (stats.hits, stats.misses, stats.saved_usd) == (2, 3, pytest.approx(0.02))


async def test_a_batch_that_is_all_known_costs_nothing():
    """No call, no cost."""
    cache, upstream = ModelCache(), Vectors()
    await cache.embed(MODEL, ["a"], {}, upstream)
    again = await cache.embed(MODEL, ["a"], {}, upstream)
    assert (len(upstream.asked), again.usage.cost_usd, again.model_id) == (1, 0.0, MODEL.id)
    assert await cache.embed(MODEL, [], {}, upstream) == []


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=8), max_size=6))
@settings(max_examples=40, deadline=None)
def test_whatever_the_batches_each_text_is_asked_once(batches):
    """And every batch has its vectors in its own order."""

    async def run():
        cache, upstream = ModelCache(), Vectors()
        for batch in batches:
            texts = [letter * (ord(letter) - 96) for letter in batch]
            vectors = await cache.embed(MODEL, texts, {}, upstream)
            assert [vector[0] for vector in vectors] == [float(len(text)) for text in texts]
        asked = [text for batch in upstream.asked for text in batch]
        assert len(asked) == len(set(asked))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("params", "model", "tenant"), [({"dimensions": 2}, MODEL, None), ({}, Echo("other"), None), ({}, MODEL, "t")]
)
async def test_vectors_of_other_parameters_models_and_tenants_are_others(params, model, tenant):
    """They never share an entry."""
    cache, upstream = ModelCache(), Vectors()
    await cache.embed(MODEL, ["a"], {}, upstream)
    await cache.embed(model, ["a"], params, upstream, tenant=tenant)
    assert len(upstream.asked) == 2


@pytest.mark.parametrize("params", [{"cache": False}, {"callback": object()}])
async def test_a_call_that_opts_out_or_has_no_key_is_passed_on(params):
    """Each time."""
    cache, upstream = ModelCache(), Vectors()
    for _ in range(2):
        await cache.embed(MODEL, ["a"], params, upstream)
    assert len(upstream.asked) == 2


async def test_equal_batches_at_once_are_one():
    """And only one pays."""
    cache, upstream = ModelCache(), Vectors()
    batches = await asyncio.gather(*(cache.embed(MODEL, ["a", "bb"], {}, upstream) for _ in range(10)))
    assert len(upstream.asked) == 1
    assert sum(batch.usage.cost_usd for batch in batches) == pytest.approx(0.02)


async def test_a_wrong_number_of_vectors_is_stored_nowhere():
    """A provider that loses one must not shift the others."""

    async def broken(texts):
        return Embeddings([[1.0]])

    cache, upstream = ModelCache(), Vectors()
    with pytest.raises(MalformedResponseError, match="1 vectors for 2 texts"):
        await cache.embed(MODEL, ["a", "bb"], {}, broken)
    await cache.embed(MODEL, ["a", "bb"], {}, upstream)
    assert upstream.asked == [["a", "bb"]]


class Listing:
    """A provider's list of models."""

    def __init__(self, result):
        self.calls, self.result = 0, result

    async def __call__(self):
        self.calls += 1
        await asyncio.sleep(0)
        return self.result


async def test_a_value_is_remembered_for_its_parts():
    """Another address, version or price is another question; its own ttl counts."""
    clock = FakeClock()
    cache, listing = ModelCache(clock=clock, jitter=0), Listing([{"id": "m"}])
    for _ in range(2):
        assert await cache.value("models", ["openai", "https://a"], listing, ttl=60) == [{"id": "m"}]
    assert listing.calls == 1
    await cache.value("models", ["openai", "https://b"], listing)
    await cache.value("prices", ["openai", "https://a"], listing)
    assert listing.calls == 3
    clock.jump(60)
    await cache.value("models", ["openai", "https://a"], listing, ttl=60)
    assert listing.calls == 4


async def test_a_value_is_never_shared_by_reference():
    """Neither with who fetched it nor among those who waited for it."""
    cache, listing = ModelCache(), Listing({"models": ["m"]})
    values = await asyncio.gather(*(cache.value("models", 1, listing) for _ in range(3)))
    values[0]["models"].append("mine")
    assert values[1] == {"models": ["m"]}
    assert await cache.value("models", 1, listing) == {"models": ["m"]}
    assert listing.calls == 1


@pytest.mark.parametrize("empty", [None, [], {}])
async def test_nothing_is_not_remembered(empty):
    """An empty list of models is an outage, not a fact."""
    cache, listing = ModelCache(), Listing(empty)
    for _ in range(2):
        assert await cache.value("models", 1, listing) == empty
    assert listing.calls == 2


async def test_values_can_be_dropped_by_tag():
    """When the facts behind them change."""
    cache, listing = ModelCache(), Listing([1])
    await cache.value("models", 1, listing, tags=["openai"])
    await turns()
    assert await cache.invalidate(tag="openai") == 1
    await cache.value("models", 1, listing)
    assert listing.calls == 2
