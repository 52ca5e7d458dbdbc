"""Back in time, whatever happens: a deadline is the caller's, and so is one that no model could keep."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.core.cache import ModelCache
from orchestrator.errors import CapacityError, ProviderTimeoutError

FOREVER_S = 10**6
DEADLINE_S = 3.0


async def whole(stream):
    """The text of a stream."""
    return "".join([chunk.text async for chunk in stream])


async def test_a_thousand_calls_into_silence_are_back_by_their_deadline(registry, timed, ended):
    """Plain and streamed, of any model, of a named one, hedged, with attempts in plenty."""
    for name in "abc":
        timed(name, FOREVER_S)
    doors = [
        lambda **options: registry.generate_response("hi", **options),
        lambda **options: whole(registry.stream_response("hi", **options)),
        lambda **options: registry.invoke_model_async("a", "hi", **options),
        lambda **options: registry.generate_response("hi", hedge=True, max_attempts=9, **options),
    ]
    found = await ended(*(doors[number % 4](deadline_s=DEADLINE_S) for number in range(1_000)))
    assert {type(result).__mro__[-5].__name__ for result, _ in found} <= {"OrchestratorError", "ModelError"}
    assert max(took_s for _, took_s in found) <= DEADLINE_S
    assert all(model.metrics.in_flight == 0 for model in registry.values())


async def test_a_stream_that_flows_ends_at_the_callers_deadline(registry, timed, ended):
    """What was said so far is on the error; the model did nothing wrong."""
    model = timed("a", 0.5)
    for _ in range(3):
        await ended(whole(registry.stream_response("hi")))
    [(error, took_s)] = await ended(whole(registry.stream_response("hi", deadline_s=0.75)))
    assert isinstance(error, ProviderTimeoutError)
    assert (error.text_so_far, took_s) == ("All ", 0.75)
    assert registry.health.status_of(model).healthy
    assert model.metrics.failures == 0


async def test_who_waits_for_a_place_waits_no_longer_than_that(registry, timed, ended):
    """The queue of a full model."""
    timed("a", FOREVER_S, constraints={"max_concurrent_requests": 1})
    first = asyncio.ensure_future(registry.generate_response("hi"))
    await registry.clock.advance(0)
    [(error, took_s)] = await ended(registry.generate_response("hi", wait_for_capacity=True, deadline_s=DEADLINE_S))
    assert isinstance(error, CapacityError)
    assert took_s <= DEADLINE_S
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_hurried_caller_does_not_wait_on_somebody_elses_call(fake_clock, registry, timed, ended, streamed):
    """Equal questions become one call only among callers with the same deadline; each is kept."""
    registry.recall.cache = ModelCache(clock=fake_clock)
    model = timed("a", 10)

    def ask(**options):
        if streamed:
            return whole(registry.stream_response("hi", **options))
        return registry.generate_response("hi", **options)

    patient, also_patient, hurried = await ended(ask(), ask(), ask(deadline_s=1))
    assert str(patient[0]) == str(also_patient[0]) == "All is well."
    assert isinstance(hurried[0], ProviderTimeoutError)
    assert hurried[1] == 1
    assert model.asked == 2


async def test_where_there_is_no_other_model_one_attempt_may_take_all_the_time(registry, timed, ended):
    """Nobody else needs a share of it."""
    timed("a", 100)
    assert (await ended(registry.generate_response("hi"), step_s=5))[0][0].text == "All is well."


# too little time is nobody's fault


async def test_less_time_than_a_model_usually_takes_is_not_its_fault(registry, timed, ended):
    """A caller in a hurry neither sets a model aside nor narrows it nor enters its figures."""
    model = timed("a", 4)
    for _ in range(3):
        await ended(registry.generate_response("hi"))
    for _ in range(20):
        [(error, _)] = await ended(registry.generate_response("hi", deadline_s=1))
        assert isinstance(error, ProviderTimeoutError)
    assert registry.health.status_of(model).healthy
    assert (model.metrics.calls, model.metrics.failures) == (3, 0)
    assert registry.admission.snapshot() == []
    assert (await ended(registry.generate_response("hi")))[0][0].text == "All is well."


async def test_more_time_than_it_usually_takes_is(registry, timed, ended):
    """Three in a row set it aside."""
    model = timed("a", 0.5)
    for _ in range(3):
        await ended(registry.generate_response("hi"))
    model.takes_s = FOREVER_S
    for _ in range(3):
        await ended(registry.generate_response("hi", deadline_s=1))
    assert not registry.health.status_of(model).healthy


async def test_a_model_nobody_has_heard_of_is_blamed(registry, timed, ended):
    """There is no usual time: one that hangs from the start has to be found out by somebody."""
    model = timed("a", FOREVER_S)
    for _ in range(3):
        await ended(registry.generate_response("hi", deadline_s=1))
    assert not registry.health.status_of(model).healthy


async def test_a_tight_deadline_is_not_cut_into_pieces_too_small_for_anybody(registry, timed, ended):
    """A third of 1.5 s would be too little for three models that take one second each."""
    models = [timed(name, 1.0) for name in "abc"]
    for model in models:
        for _ in range(5):
            await ended(registry.invoke_model_async(model.id, "hi"))
        model.asked = 0
    [(response, took_s)] = await ended(registry.generate_response("hi", deadline_s=1.5))
    assert (response.text, took_s) == ("All is well.", 1.0)
    assert sum(model.asked for model in models) == 1
