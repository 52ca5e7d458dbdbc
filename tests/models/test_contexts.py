"""What a policy is told of a request on the road, and that it learns where the request belongs."""

import asyncio
import math

import pytest

from orchestrator.core.messages import Embeddings, Request
from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.road.contexts import Contexts, prompt_text
from orchestrator.models.roster.expecting import expected_quality
from orchestrator.selectors import ModelSelector, selector_named

QUESTIONS = {"code": "def add(a, b):", "maths": "What is 3 + 4?"}


class Listening(ModelSelector):
    """Chooses the first and remembers what it was told."""

    name, deterministic, attentive, contextual = "listening", True, True, True

    def __init__(self):
        super().__init__()
        self.asked, self.taught, self.corrected = [], [], []

    def scores(self, arms, objective, rng):
        return -arms.cost_usd * 0.0

    def scores_in(self, context, arms, objective, rng):
        self.asked.append(context)
        return self.scores(arms, objective, rng)

    def learn(self, arm, quality, context):
        self.taught.append((arm.name, quality, context))

    def relearn(self, arm, old_quality, new_quality, context):
        self.corrected.append((arm.name, new_quality, context))


@pytest.fixture
def listening(fake_clock, scripted):
    """A registry whose policy listens."""

    def make(*models, **options):
        registry = ModelRegistry(clock=fake_clock, cache_responses=False, model_selector=Listening(), **options)
        for model in models or (scripted("a"),):
            registry.register_model(model)
        return registry

    return make


async def test_choice_result_and_rating_are_told_the_same_context(listening):
    """The category and the features of the prompt."""
    registry = listening()
    response = await registry.generate_response(QUESTIONS["code"])
    response.rate(0.2)
    policy = registry.selector
    (context,) = policy.asked
    assert (context.category, len(context.features)) == ("code", 28)
    assert policy.taught == [("a", 1.0, context)]
    assert policy.corrected == [("a", 0.2, context)]


async def test_streams_and_looks_have_a_context_too(listening):
    """Whoever chooses for a prompt knows its category."""
    registry = listening()
    async for _ in registry.stream_response(QUESTIONS["maths"]):
        pass
    assert registry.select(prompt=QUESTIONS["code"]).context.category == "code"
    assert [context.category for context in registry.selector.asked] == ["maths", "code"]
    assert registry.select().context is None


async def test_a_call_that_names_its_model_teaches_in_its_category(listening):
    """Nobody had to choose, and the result counts where it belongs."""
    registry = listening()
    await registry.invoke_model_async("a", QUESTIONS["maths"])
    assert [(arm, context.category) for arm, _, context in registry.selector.taught] == [("a", "maths")]


async def test_a_policy_that_does_not_look_costs_no_description(fake_clock, scripted):
    """Requests are described for those who want to know."""
    described = []
    registry = ModelRegistry(clock=fake_clock, selection_strategy="ucb", categorise=described.append)
    registry.register_model(scripted("a"))
    await registry.generate_response("hi")
    assert described == []


async def test_a_policy_that_goes_by_categories_is_told_no_numbers(listening):
    """They would be worked out for nothing, and kept with every answer until it is rated."""
    registry = listening()
    registry.selector.by_features = False
    await registry.generate_response(QUESTIONS["code"])
    registry.select(prompt=QUESTIONS["maths"])
    assert [(context.category, context.features) for context in registry.selector.asked] == [
        ("code", None),
        ("maths", None),
    ]
    assert not selector_named("pool").by_features


async def test_categories_may_be_the_users(listening):
    """A function of the prompt takes the place of the built-in one."""
    registry = listening(categorise=lambda text: "long" if len(text) > 20 else "short")
    for prompt in ("hi", "a prompt of more than twenty letters"):
        await registry.generate_response(prompt)
    assert [context.category for context in registry.selector.asked] == ["short", "long"]


async def test_a_category_function_that_fails_costs_no_request(listening, caplog):
    """The request has no category, and a log says so once, without its words."""
    registry = listening(categorise=lambda text: 1 / 0)
    for _ in range(3):
        await registry.generate_response("my secret")
    assert [context.category for context in registry.selector.asked] == [None] * 3
    assert caplog.text.count("ZeroDivisionError") == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize("said", [["a", "b"], ("a", 1), 3, b"code"], ids=repr)
async def test_a_category_that_is_no_text_is_none(fake_clock, scripted, caplog, said):
    """It could not be saved or shared; the request is answered, and a log says so once."""
    registry = ModelRegistry(
        clock=fake_clock, cache_responses=False, selection_strategy="pool", categorise=lambda text: said
    )
    registry.register_model(scripted("a"))
    for _ in range(2):
        assert (await registry.generate_response("hi")).text
    assert "by_category" not in registry.selector.state()["arms"]["a"]
    assert caplog.text.count("the category function failed with TypeError") == 1


@pytest.mark.parametrize("strategy", ["category", "linucb"])
async def test_who_is_good_at_what_is_learnt_on_the_road(fake_clock, scripted, strategy):
    """After 200 rated answers each kind of question goes to the model that is good at it."""
    registry = ModelRegistry(clock=fake_clock, cache_responses=False, selection_strategy=strategy, seed=1)
    for name in QUESTIONS:
        registry.register_model(scripted(name))
    for _ in range(100):
        for kind, prompt in QUESTIONS.items():
            response = await registry.generate_response(prompt)
            response.rate(0.95 if response.model_id == kind else 0.1)
    assert {kind: registry.select(prompt=prompt).model_id for kind, prompt in QUESTIONS.items()} == {
        "code": "code",
        "maths": "maths",
    }


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("plain", "plain"),
        ([{"role": "user", "content": "first"}, {"role": "assistant", "content": "x"}], "first"),
        ([{"role": "user", "content": "first"}, {"role": "user", "content": "last"}], "last"),
        (["look", b"\x89PNG"], "look"),
        ([{"role": "system", "content": "only"}], ""),
    ],
)
def test_a_request_is_judged_by_its_last_turn(prompt, words):
    """Instructions and history are much the same for every request."""
    assert prompt_text(Request.of(prompt)) == words


# embeddings


class Vectors(Model):
    """An embedding model: letters counted, in as many dimensions as wanted."""

    def __init__(self, dimensions=64, step=None):
        super().__init__(id="vectors", provider="custom", capabilities={"text_generation": False, "embeddings": True})
        self.dimensions, self.step, self.asked = dimensions, step, 0

    async def generate_response(self, prompt, **kwargs):
        raise AssertionError("an embedding model writes no text")

    async def send_embeddings(self, texts, params):
        self.asked += 1
        if self.step is not None:
            await self.step()
        return Embeddings([[float(ord(text[i % len(text)])) for i in range(self.dimensions)] for text in texts])

    async def health_check(self):
        return True


async def test_any_registered_embedding_model_describes_prompts(listening, scripted):
    """Awaited before the decision, brought down to 32 numbers, asked once for each prompt."""
    vectors = Vectors()
    registry = listening(scripted("a"), vectors, embeddings="vectors")
    for prompt in ("one", "one", "two"):
        await registry.generate_response(prompt)
    first, again, other = (context.features for context in registry.selector.asked)
    assert first == again != other
    assert len(first) == 32
    assert vectors.asked == 2
    assert registry.get_usage_summary("vectors").request_count == 2


async def test_a_stream_waits_for_its_embedding_too(listening, scripted):
    """It is described before anybody is chosen."""
    registry = listening(scripted("a"), Vectors(16), embeddings="vectors")
    async for _ in registry.stream_response("one"):
        pass
    assert len(registry.selector.asked[0].features) == 16


async def test_an_own_function_may_embed(listening):
    """Any async function of the text."""

    async def embed(text):
        return [3.0, 4.0]

    registry = listening(embeddings=embed)
    await registry.generate_response("hi")
    assert registry.selector.asked[0].features == (0.6, 0.8)


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [math.nan, 1.0], [[1.0], [2.0]], "words", None])
async def test_a_vector_that_is_none_is_not_used(listening, caplog, vector):
    """The request goes on with its category alone."""

    async def embed(text):
        return vector

    registry = listening(embeddings=embed)
    await registry.generate_response(QUESTIONS["code"])
    assert registry.selector.asked[0] == ("code", None)
    assert "the embedding failed" in caplog.text


async def test_an_embedding_that_takes_too_long_is_not_waited_for(listening, scripted, fake_clock):
    """Two seconds at most."""
    registry = listening(scripted("a"), Vectors(step=lambda: fake_clock.sleep(60)), embeddings="vectors")
    call = asyncio.create_task(registry.generate_response("hi"))
    await fake_clock.advance(2.1)
    assert (await call).text == "a says hello"
    assert registry.selector.asked[0].features is None


async def test_remembered_embeddings_are_bounded(fake_clock):
    """The oldest go first."""
    asked = []

    async def embed(text):
        asked.append(text)
        return [1.0, float(len(asked))]

    contexts = Contexts(embed=embed, clock=fake_clock)
    for number in range(1_100):
        await contexts.prepare(Request.of(f"prompt {number}"))
    await contexts.prepare(Request.of("prompt 1099"))
    assert len(asked) == 1_100
    assert contexts.of_text("prompt 0").features is None
    assert contexts.of_text("prompt 1099").features is not None


async def test_near_vectors_stay_near_and_far_ones_far(fake_clock):
    """The projection keeps angles: cosines of 1,536 numbers to within a quarter (Johnson and Lindenstrauss, 32 axes).

    The error of a cosine has a standard deviation of at most sqrt(2 / 32) = 0.25 x sin-like factors; these are fixed.
    """
    vectors = {"x": [1.0] * 1536, "near": [1.0] * 1400 + [0.0] * 136, "far": [1.0, -1.0] * 768}

    async def embed(text):
        return vectors[text]

    contexts = Contexts(embed=embed, clock=fake_clock)
    for text in vectors:
        await contexts.prepare(Request.of(text))
    x, near, far = (contexts.of_text(text).features for text in vectors)
    cosine = lambda a, b: sum(map(float.__mul__, a, b)) / math.hypot(*a) / math.hypot(*b)  # noqa: E731 - a formula
    assert cosine(x, near) > 0.8
    assert abs(cosine(x, far)) < 0.5


# what is expected of a model


@pytest.mark.parametrize(
    ("notes", "quality"),
    [
        ({}, None),
        ({"expected_quality": 0.7, "benchmarks": {"mmlu": 10}}, 0.7),
        ({"expected_quality": {"code": 71, "chat": 0.8, "maths": "good"}}, {"code": 0.71, "chat": 0.8}),
        ({"expected_quality": {"code": "good"}, "benchmarks": {"mmlu": 10}}, 0.1),
        ({"benchmarks": {"mmlu": 80, "gsm8k": 0.9}}, 0.85),
        ({"benchmarks": {"arena_elo": 1_250}}, None),
        ({"benchmarks": {"mmlu": 80, "arena_elo": 1_250, "note": "good", "flag": True}}, 0.8),
        ({"benchmarks": "high", "expected_quality": "high"}, None),
    ],
)
def test_published_scores_are_expected_qualities(scripted, notes, quality):
    """As shares of 1; of another scale nothing follows."""
    assert expected_quality(scripted("a", custom_metadata=notes)) == pytest.approx(quality)


async def test_the_policy_hears_what_is_expected(fake_clock, scripted):
    """With the price, before the first call."""
    registry = ModelRegistry(clock=fake_clock, selection_strategy="pool")
    for name, score in (("low", 40), ("high", 90)):
        registry.register_model(scripted(name, custom_metadata={"benchmarks": {"mmlu": score}}))
    assert registry.select().model_id == "high"
