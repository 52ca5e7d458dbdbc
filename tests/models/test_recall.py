"""The cache on the road: repeats are answered without a call, and nothing is shared that must not be."""

import asyncio
import tracemalloc

import pytest

from orchestrator import Embeddings, Model, ModelCache, ModelRegistry, Objective


class Counting(Model):
    """Answers with its name and counts how often it is asked."""

    def __init__(self, name: str = "one"):
        super().__init__(name=name, provider="custom", capabilities={"embeddings": True})
        self.asked = 0

    async def generate_response(self, prompt, **kwargs):
        self.asked += 1
        await asyncio.sleep(0)
        return f"{self.name}: {prompt}"

    async def stream_response(self, prompt, **kwargs):
        self.asked += 1
        for word in ("a ", "b ", "c"):
            yield word

    async def send_embeddings(self, texts, params):
        self.asked += len(texts)
        return Embeddings([[float(len(text))] for text in texts])

    async def health_check(self):
        return True


@pytest.fixture
def model():
    return Counting()


@pytest.fixture
def registry(model):
    registry = ModelRegistry(cache_responses=True)
    registry.register_model(model)
    return registry


async def test_a_repeated_prompt_costs_no_call_and_no_pull(registry, model):
    """A hit is the same answer, names its level, costs nothing and teaches the selector nothing."""
    first, second = [await registry.generate_response("q") for _ in range(2)]
    assert (first.cached, second.cached) == (None, "memory")
    assert (second.text, second.cost_usd, model.asked) == (first.text, 0.0, 1)
    assert registry.selector.statistics()[model.id]["pulls"] == 1


class Gated(Counting):
    """Answers once it is told to."""

    def __init__(self):
        super().__init__("gated")
        self.gate = asyncio.Event()

    async def generate_response(self, prompt, **kwargs):
        await self.gate.wait()
        return await super().generate_response(prompt, **kwargs)


async def test_who_waits_for_an_equal_call_costs_little_memory():
    """Below 3 kB, the task included: no route, no permit, and no frame that only passes on."""
    registry, model = ModelRegistry(cache_responses=True), Gated()
    registry.register_model(model)
    leader = asyncio.ensure_future(registry.generate_response("q"))
    await asyncio.sleep(0)
    tracemalloc.start()
    try:
        waiting = [asyncio.ensure_future(registry.generate_response("q")) for _ in range(2_000)]
        await asyncio.sleep(0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    model.gate.set()
    answers = await asyncio.gather(leader, *waiting)
    assert {answer.text for answer in answers} == {"gated: q"}
    assert (model.asked, held / 2_000 < 3_000) == (1, True)


async def test_equal_calls_under_way_become_one(registry, model):
    """Fifty callers of one prompt at the same moment make one call."""
    answers = await asyncio.gather(*(model.generate_response("q") for _ in range(50)))
    assert model.asked == 1
    assert {answer.cached for answer in answers} == {None, "flight"}


async def test_a_stream_is_replayed_piece_by_piece(registry, model):
    """The second stream has the pieces of the first, and no call behind it."""
    first, second = [[c.text async for c in registry.stream_response("q")] for _ in range(2)]
    assert first == second == ["a ", "b ", "c", ""]
    assert model.asked == 1


async def test_only_new_texts_are_embedded(registry, model):
    """Vectors are remembered one by one, in the order asked."""
    await model.embed(["x", "yy"])
    assert await model.embed(["zzz", "x"]) == [[3.0], [1.0]]
    assert model.asked == 3


async def test_a_call_may_opt_out(registry, model):
    """`cache=False` asks anew, and the provider never sees the word."""
    for _ in range(2):
        await registry.generate_response("q", cache=False)
    assert model.asked == 2


async def test_other_needs_and_another_objective_are_other_questions(registry, model):
    """What decides who answers is part of the question."""
    await registry.generate_response("q")
    await registry.generate_response("q", context_length=0)
    await registry.generate_response("q", objective=Objective(cost=5))
    assert model.asked == 3


async def test_two_registries_that_share_a_cache_share_no_answer():
    """ "Any of these" is another question than "any of those"."""
    cache, models = ModelCache(), [Counting("one"), Counting("two")]
    registries = [ModelRegistry(cache=cache) for _ in models]
    for registry, model in zip(registries, models, strict=True):
        registry.register_model(model)
    texts = [(await registry.generate_response("q")).text for registry in registries]
    assert texts == ["one: q", "two: q"]


async def test_a_model_that_comes_makes_the_question_a_new_one(registry, model):
    """With another model in the pool another answer may be the right one."""
    await registry.generate_response("q")
    registry.register_model(Counting("two"))
    assert (await registry.generate_response("q")).cached is None


async def test_a_model_has_a_cache_of_its_own(model):
    """`enable_caching` works without a registry-wide cache, and its figures add up."""
    registry = ModelRegistry()
    registry.register_model(model)
    cache = ModelCache(ttl=3600, max_size=10_000)
    model.enable_caching(cache)
    for _ in range(4):
        await model.generate_response("What is AI?")
    assert model.asked == 1
    assert cache.get_statistics().hit_rate == 0.75


def test_a_cache_is_asked_for_in_one_way():
    """The flag builds a cache; a flag and a cache at once is a mistake."""
    with pytest.raises(TypeError, match="cache_responses or cache"):
        ModelRegistry(cache_responses=True, cache=ModelCache())


async def test_a_model_without_a_registry_remembers_too(model):
    """A lone model with a cache answers repeats, streams and vectors from it."""
    model.enable_caching(ModelCache())
    answers = [await model.generate_response("What is AI?", deadline_s=9) for _ in range(2)]
    streams = [[chunk.text async for chunk in model.stream_response("w")] for _ in range(2)]
    vectors = [await model.embed(["x"]) for _ in range(2)]
    assert [answer.cached for answer in answers] == [None, "memory"]
    assert streams[0] == streams[1]
    assert vectors[0] == vectors[1]
    assert model.asked == 3
