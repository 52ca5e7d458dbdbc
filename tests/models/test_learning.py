"""Learning happens by itself, through the pattern of the first example: select a model, then ask it."""

import asyncio
from collections import Counter

import pytest

from orchestrator.errors import InvalidRequestError, RateLimitError, ServerError
from orchestrator.models.model_registry import ModelRegistry


@pytest.mark.parametrize("seed", range(3))
async def test_the_better_model_wins_through_select_and_generate(scripted, fake_clock, seed):
    """After 300 calls the better of two has more than 80 % of the last 100.

    The worse one fails every second time, a gap of 1/2. UCB1's pulls of a worse arm grow at most as
    8 ln(t) / gap^2 (Auer et al. 2002): by 13 between calls 200 and 300, where the test allows 19.
    """
    registry = ModelRegistry(clock=fake_clock, seed=seed)
    registry.register_model(scripted("worse", [ServerError("x"), "ok"] * 300))
    registry.register_model(scripted("better"))
    registry.health.rules.failure_threshold, registry.health.rules.failure_rate = (
        1000,
        2.0,
    )  # the selector alone decides
    chosen = []
    for _ in range(300):
        model = await registry.select_model(capabilities=["text_generation"])
        chosen.append(model.id)
        try:
            await model.generate_response("hi", max_attempts=1)
        except ServerError:
            continue
    assert Counter(chosen[-100:])["better"] > 80
    assert registry["worse"].asked + registry["better"].asked == 300


async def test_ratings_teach_where_every_call_succeeds(registry, scripted):
    """Two models that always answer differ by what their answers are worth."""
    bad, good = registry.register_model(scripted("bad")), registry.register_model(scripted("good"))
    for _ in range(300):
        response = await registry.generate_response("hi")
        response.rate(0.9 if response.model_id == "good" else 0.2)
    assert good.asked > 220
    assert good.asked + bad.asked == 300


async def test_unknown_models_share_what_is_in_flight(registry, scripted):
    """With 64 calls under way nobody unknown takes them all: four unknown models get sixteen each."""
    gate = asyncio.Event()
    models = [registry.register_model(scripted(name, [gate.wait] * 64)) for name in "abcd"]
    calls = [asyncio.create_task(registry.generate_response("hi")) for _ in range(64)]
    await registry.clock.advance(0)
    assert sum(model.asked for model in models) == 64
    assert [model.metrics.in_flight for model in models] == [16] * 4
    gate.set()
    await asyncio.gather(*calls)
    assert [model.metrics.in_flight for model in models] == [0] * 4


async def test_models_handed_out_but_not_yet_called_count_too(registry, three):
    """Sixty choices in a row spread as calls do."""
    chosen = Counter([(await registry.select_model()).id for _ in range(60)])
    assert chosen == {"a": 20, "b": 20, "c": 20}
    assert pending(registry) == {"a": 20, "b": 20, "c": 20}


def pending(registry):
    """Calls in flight by model, as the selector counts them."""
    return {arm: facts["pending"] for arm, facts in registry.selector.statistics().items()}


async def test_a_choice_that_is_used_is_counted_once(registry, three):
    """The call takes the place of the reservation."""
    model = await registry.select_model()
    assert pending(registry)[model.id] == 1
    await model.generate_response("hi")
    assert pending(registry) == {"a": 0, "b": 0, "c": 0}
    assert registry.selector.statistics()[model.id]["pulls"] == 1


@pytest.mark.parametrize("then", ["select", "generate"])
async def test_a_choice_that_is_never_used_expires(registry, three, then):
    """After a minute a reservation is gone, whatever is called next."""
    for _ in range(9):
        await registry.select_model()
    await registry.clock.advance(61)
    if then == "select":
        await registry.select_model()
    else:
        await registry.generate_response("hi")
    assert sum(pending(registry).values()) == (1 if then == "select" else 0)


async def test_looking_is_not_choosing(registry, three):
    """`select` explains and leaves no trace."""
    for _ in range(5):
        registry.select()
    assert sum(pending(registry).values()) == 0


@pytest.mark.parametrize(
    ("error", "pulls"), [(ServerError("x"), 1), (InvalidRequestError("x"), 0), (RateLimitError("x"), 0)]
)
async def test_only_the_models_own_failures_are_pulls(registry, scripted, error, pulls):
    """The caller's fault and a full queue say nothing about quality, and leave no call in flight."""
    model = registry.register_model(scripted("a", [error]))
    with pytest.raises(type(error)):
        await model.generate_response("hi", max_attempts=1)
    facts = registry.selector.statistics()["a"]
    assert (facts["pulls"], facts["pending"]) == (pulls, 0)


async def test_a_cancelled_call_is_no_pull(registry, scripted):
    """Cancellation gives back the pull and the place in flight."""
    started = asyncio.Event()

    async def hang():
        started.set()
        await asyncio.get_running_loop().create_future()

    model = registry.register_model(scripted("a", [hang]))
    task = asyncio.create_task(registry.generate_response("hi"))
    await started.wait()
    assert (model.metrics.in_flight, pending(registry)["a"]) == (1, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (model.metrics.in_flight, pending(registry)["a"], model.metrics.calls) == (0, 0, 0)
