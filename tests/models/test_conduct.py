"""The table of what follows from a failure, row by row, as the road lives it."""

import asyncio

import pytest

from orchestrator.core.attempt import HurriedError
from orchestrator.errors import CONDUCT, PROVIDER_ERRORS, Blame, Toll
from orchestrator.integrations.failures import ConflictError, RequestTimeoutError, UnsupportedFeatureError

ERRORS = [*PROVIDER_ERRORS.values(), ConflictError, HurriedError, RequestTimeoutError, UnsupportedFeatureError]
ROWS = [pytest.param(error, CONDUCT[error.kind], id=error.kind) for error in ERRORS]
ATTEMPTS = 4


async def finished(call, clock):
    """The call's result, with as much time as it wants."""
    task = asyncio.ensure_future(call)
    while not task.done():
        await clock.advance(1)
    return await task


def test_the_table_has_a_row_for_every_error_and_no_other():
    """Beside what providers cause there is what nobody understands, and what the caller calls off."""
    assert {error.kind for error in ERRORS} | {"unknown", "cancelled"} == set(CONDUCT)


@pytest.mark.parametrize(("error", "row"), ROWS)
async def test_another_model_is_asked_when_the_table_says_so(registry, three, error, row):
    """Else the caller gets the error after one attempt."""
    three[0].steps.append(error("x"))
    if row.elsewhere:
        assert (await registry.generate_response("hi")).model_id == "b"
    else:
        with pytest.raises(error):
            await registry.generate_response("hi")
    assert [m.asked for m in three] == [1, int(row.elsewhere), 0]


@pytest.mark.parametrize(("error", "row"), ROWS)
async def test_the_same_model_is_asked_again_as_often_as_the_table_says(registry, scripted, error, row):
    """Where there is no other; a rate limit only when it says for how long."""
    failure = error("x", retry_after_s=1 if error.blame is Blame.LIMIT else None)
    model = registry.register_model(scripted("a", [failure] * ATTEMPTS))
    with pytest.raises(error):
        await finished(model.generate_response("hi", max_attempts=ATTEMPTS), registry.clock)
    assert model.asked == 1 + min(row.again, ATTEMPTS - 1)


@pytest.mark.parametrize(("error", "row"), ROWS)
async def test_figures_score_and_health_suffer_as_the_table_says(registry, three, error, row):
    """What says nothing about a model leaves no trace in what is known of it."""
    for _ in range(3):
        three[0].steps.append(error("x"))
        with pytest.raises(error):
            await three[0].generate_response("hi", max_attempts=1)
    assert three[0].metrics.calls == (3 if row.counts else 0)
    assert (registry.selector.statistics()["a"]["pulls"] > 0) is row.lowers
    status = registry.health.status_of(three[0])
    assert status.healthy is (row.health is Toll.NOTHING), status
    assert registry.selector.statistics()["a"]["pending"] == 0


@pytest.mark.parametrize(("error", "row"), ROWS)
async def test_a_stream_that_fails_before_its_first_word_is_treated_alike(registry, streaming, error, row):
    """One table for both ways of answering."""
    models = [registry.register_model(streaming(name)) for name in "ab"]
    models[0].steps.append([error("x")])
    if row.elsewhere:
        assert [c async for c in registry.stream_response("hi")][-1].model_id == "b"
    else:
        with pytest.raises(error):
            [c async for c in registry.stream_response("hi")]
    assert models[1].asked == int(row.elsewhere)
