"""The semantic index: near questions of the same kind only, with the verifier's consent, and off until asked for."""

import math

import pytest
from cache_asking import Echo, Upstream

from orchestrator.core.cache import ModelCache, SemanticIndex
from orchestrator.core.messages import Request
from orchestrator.errors import ConfigurationError, ServerError

MODEL = Echo()
DEGREES = {"capital of France?": 0, "France's capital?": 5, "capital of Spain?": 40, "Hauptstadt?": 12}


async def embed(text):
    """Directions in the plane, by hand."""
    angle = math.radians(DEGREES[text])
    return [math.cos(angle), math.sin(angle)]


async def ask(cache, text, upstream, **params):
    """One question with all that is known about it."""
    request = Request.of(text, **params)
    return await cache.answer(cache.key_of(MODEL, request), upstream, asked=(MODEL, request))


async def test_a_near_question_is_answered_and_a_far_one_is_not():
    """By cosine, above the threshold."""
    cache = ModelCache(semantic=SemanticIndex(embed, threshold=0.99))
    await ask(cache, "capital of France?", Upstream())
    near = await ask(cache, "France's capital?", Upstream("wrong"))
    far = await ask(cache, "capital of Spain?", Upstream("Madrid"))
    assert (near.text, near.cached, near.cost_usd) == ("Paris", "semantic", 0.0)
    assert (far.text, far.cached) == ("Madrid", None)
    stats = cache.get_statistics()
    assert (stats.hits, stats.misses, stats.levels["semantic"].hits) == (1, 2, 1)
    assert stats.saved_usd == 0.25


async def test_without_an_index_nothing_is_near():
    """Off by default."""
    cache = ModelCache()
    await ask(cache, "capital of France?", Upstream())
    assert (await ask(cache, "France's capital?", Upstream("other"))).text == "other"


@pytest.mark.parametrize(
    "params",
    [
        {"tenant": "other"},
        {"system": "Be brief"},
        {"max_tokens": 5},
        {"tools": [{"name": "f"}]},
        {"response_format": "json"},
    ],
)
async def test_only_the_last_words_may_differ(params):
    """Another tenant, system, parameter, tool or format is another question however near the words."""
    cache = ModelCache(semantic=SemanticIndex(embed, threshold=0.9))
    await ask(cache, "capital of France?", Upstream())
    assert (await ask(cache, "France's capital?", Upstream("other"), **params)).text == "other"


async def test_another_model_is_another_question():
    """Whatever it was asked."""
    cache = ModelCache(semantic=SemanticIndex(embed, threshold=0.9))
    await ask(cache, "capital of France?", Upstream())
    other = Echo("other")
    request = Request.of("France's capital?")
    upstream = Upstream("other", model_id="custom/other")
    answer = await cache.answer(cache.key_of(other, request), upstream, asked=(other, request))
    assert answer.text == "other"


async def test_the_verifier_has_the_last_word():
    """It sees both questions and the answer at hand."""
    seen = []

    def verify(asked, found, answer):
        seen.append((asked, found, answer.text))
        return False

    cache = ModelCache(semantic=SemanticIndex(embed, threshold=0.9, verify=verify))
    await ask(cache, "capital of France?", Upstream())
    assert (await ask(cache, "France's capital?", Upstream("bought"))).text == "bought"
    assert seen == [("France's capital?", "capital of France?", "Paris")]
    assert cache.get_statistics().levels["semantic"].misses == 1


async def test_a_trial_serves_nothing_and_counts_false_hits():
    """How often the answer at hand would have been wrong is known before anybody gets it."""
    index = SemanticIndex(embed, threshold=0.9, trial=True)
    cache = ModelCache(semantic=index)
    await ask(cache, "capital of France?", Upstream())
    assert (await ask(cache, "France's capital?", Upstream("Paris"))).cached is None
    assert (await ask(cache, "Hauptstadt?", Upstream("Berlin"))).text == "Berlin"
    assert (index.agreed, index.disagreed, index.hits) == (1, 1, 0)
    assert cache.get_statistics().saved_usd == 0


@pytest.mark.parametrize("broken", [ServerError("down"), ValueError("odd")])
async def test_an_embedder_that_fails_is_a_miss(broken):
    """The question is asked."""

    async def fails(text):
        raise broken

    cache = ModelCache(semantic=SemanticIndex(fails))
    assert (await ask(cache, "capital of France?", Upstream())).text == "Paris"


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [math.nan, 1.0], [[1.0]], [1.0, 0.0, 0.0]])
async def test_a_vector_without_direction_is_a_miss(vector):
    """Empty, zero, not a number, of another shape or length."""
    vectors = iter([[1.0, 0.0], vector])

    async def odd(text):
        return next(vectors)

    cache = ModelCache(semantic=SemanticIndex(odd, threshold=0.1))
    await ask(cache, "a", Upstream())
    assert (await ask(cache, "b", Upstream("other"))).text == "other"


async def test_the_index_is_bounded_and_forgets_the_oldest():
    """Questions a scope, and scopes."""
    index = SemanticIndex(embed, threshold=0.9, max_size=1)
    cache = ModelCache(semantic=index)
    await ask(cache, "capital of France?", Upstream())
    await ask(cache, "capital of Spain?", Upstream("Madrid"))
    assert index.figures().entries == 1
    assert (await ask(cache, "France's capital?", Upstream("bought"))).text == "bought"
    await cache.clear()
    assert index.figures().entries == 0


def test_a_threshold_is_a_cosine():
    """From 0 to 1."""
    with pytest.raises(ConfigurationError, match="threshold"):
        SemanticIndex(embed, threshold=1.5)
