"""Ratings come late, twice, for nothing or not at all."""

import math

import pytest

from orchestrator.models.road.ratings import Ratings


def quality(registry, model_id="a"):
    """The mean quality the selector has for a model."""
    return registry.selector.statistics()[model_id]["mean_quality"]


async def test_success_stands_in_for_quality_until_a_rating_comes(registry, three):
    """One pull, first worth 1 and then what it was rated."""
    response = await registry.generate_response("hi")
    assert quality(registry) == 1.0
    response.rate(0.2)
    assert quality(registry) == pytest.approx(0.2)
    assert registry.selector.statistics()["a"]["pulls"] == 1


async def test_the_last_rating_counts_and_the_same_one_twice_is_one(registry, three):
    """A rating may be corrected; repeating it changes nothing."""
    response = await registry.generate_response("hi")
    assert [registry.record_feedback(response.id, q) for q in (0.2, 0.2, 0.7)] == [True, False, True]
    assert quality(registry) == pytest.approx(0.7)


async def test_a_rating_may_be_hours_late(registry, three):
    """Up to a day."""
    response = await registry.generate_response("hi")
    await registry.clock.advance(20 * 3600)
    assert registry.record_feedback(response.id, 0.5)


async def test_a_rating_for_nobodys_answer_is_false(registry, three):
    """Unknown ids are no error: the answer may be long forgotten."""
    await registry.generate_response("hi")
    assert not registry.record_feedback("r-unknown", 0.5)
    assert quality(registry) == 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.1, "good", None, True, 10**400])
async def test_what_is_no_quality_is_refused_and_changes_nothing(registry, three, bad):
    """The error names the value and the scale."""
    response = await registry.generate_response("hi")
    with pytest.raises(ValueError, match="from 0"):
        response.rate(bad)
    assert quality(registry) == 1.0


async def test_a_rating_for_a_model_that_left_is_harmless(registry, three):
    """Nobody learns, nobody fails."""
    response = await registry.generate_response("hi")
    registry.unregister_model("a")
    response.rate(0.1)
    assert "a" not in registry.selector.statistics()


def test_memory_of_answers_is_bounded_by_count_and_age(fake_clock):
    """The oldest are forgotten first; the last two always are known."""
    ratings = Ratings(fake_clock, least_count=2, max_age_s=100)
    for i in range(7):
        ratings.expect(f"r{i}", "m", assumed=1.0)
    assert len(ratings) == 3
    assert ratings.take("r3", 0.5) is None
    assert ratings.take("r4", 0.5) == ("m", 1.0, None)
    fake_clock.jump(99)
    assert ratings.take("r5", 0.5) == ("m", 1.0, None)
    fake_clock.jump(101)
    assert ratings.take("r6", 0.5) is None


def test_answers_that_are_alike_are_remembered_apart(fake_clock):
    """They share what is known of them until one is rated."""
    ratings = Ratings(fake_clock)
    for i in range(3):
        ratings.expect(f"r{i}", "m", assumed=1.0)
    assert ratings.take("r1", 0.5) == ("m", 1.0, None)
    assert [ratings.take(f"r{i}", 0.2) for i in range(3)] == [("m", 1.0, None), ("m", 0.5, None), ("m", 1.0, None)]
