"""The door of the cache: what it takes, what it keeps, what it answers and what it counts."""

import asyncio
import random

import pytest
from cache_asking import WAY_OUT, Echo, Upstream, turns

from orchestrator.core.cache import ModelCache
from orchestrator.core.messages import ChatResponse, Request, ToolCall, UsageStats
from orchestrator.errors import ConfigurationError, InvalidRequestError, ProviderTimeoutError, ServerError
from orchestrator.testing import FakeClock

KEY = "k"


# what it takes


@pytest.mark.parametrize(
    ("params", "taken"),
    [
        ({}, True),
        ({"temperature": 0}, True),
        ({"temperature": 0.0, "max_tokens": 5}, True),
        ({"temperature": None}, True),
        ({"temperature": 0.7}, False),
        ({"temperature": float("nan")}, False),
        ({"cache": False}, False),
        ({"temperature": 0.7, "cache": True}, True),
    ],
)
def test_sampled_answers_and_calls_that_opt_out_are_not_taken(params, taken):
    """A temperature above 0 asks for a new answer each time, unless the call says otherwise."""
    assert ModelCache().takes(Request.of("Hello", **params)) is taken


def test_sampled_answers_are_taken_when_the_cache_is_told_to():
    """`any_temperature=True` is the user's own choice."""
    assert ModelCache(any_temperature=True).takes(Request.of("Hello", temperature=1.0))


# what it answers


async def test_the_second_of_two_equal_calls_costs_nothing():
    """A hit is a copy that names its level, costs 0, keeps the tokens and says how long the look-up took."""
    cache, upstream = ModelCache(), Upstream()
    first = await cache.answer(KEY, upstream)
    second = await cache.answer(KEY, upstream)
    assert upstream.calls == 1
    assert (first.cached, second.cached) == (None, "memory")
    assert (second.text, second.model_id, second.id) == (first.text, first.model_id, first.id)
    assert (second.usage["cost"], second.usage.total_tokens) == (0.0, 15)
    assert 0 <= second.latency_s < first.latency_s


async def test_peek_answers_at_once_or_not_at_all():
    """The fast way in: no task, no waiting, and nothing counted for a miss."""
    cache = ModelCache()
    assert cache.peek(KEY) is None
    await cache.answer(KEY, Upstream())
    assert cache.peek(KEY).text == "Paris"
    assert (cache.get_statistics().hits, cache.get_statistics().misses) == (1, 1)


async def test_what_a_caller_does_to_an_answer_changes_no_other_one():
    """Nothing is shared by reference: neither among hits nor between the first answer and what is stored."""
    cache = ModelCache()
    upstream = Upstream("", finish_reason="tool_calls", tool_calls=(ToolCall("f", {"list": [1]}, "c1"),))
    first = await cache.answer(KEY, upstream)
    first.tool_calls[0].arguments["list"].append("first")
    second = await cache.answer(KEY, upstream)
    second.tool_calls[0].arguments["list"].append("second")
    second.usage.input_tokens = -1
    third = await cache.answer(KEY, upstream)
    assert third.tool_calls == (ToolCall("f", {"list": [1]}, "c1"),)
    assert third.usage.prompt_tokens == 12


async def test_everything_an_answer_says_survives():
    """Every field but the raw reply, the attempts and what the cache itself says."""
    cache = ModelCache(compression=True)
    told = Upstream(
        "Grüße \ud83d " * 500,
        usage=UsageStats(100, 50, cache_read_tokens=40, cache_write_tokens=5, reasoning_tokens=20, cost_usd=1.5),
        reasoning="because",
        provider="custom",
        raw_finish="end_turn",
        upstream_model="echo-2026",
    )
    first, second = await cache.answer(KEY, told), await cache.answer(KEY, told)
    changed = {"cached", "latency_s", "usage", "raw", "attempts", "_rater"}
    for name in set(ChatResponse.__slots__) - changed:
        assert getattr(second, name) == getattr(first, name), name
    assert second.usage == first.usage.with_cost(0.0)


async def test_a_hit_can_be_rated_like_the_answer_it_repeats():
    """The rating goes to the answer that was bought."""
    ratings = []
    cache = ModelCache()
    await cache.answer(KEY, Upstream())
    (await cache.answer(KEY, Upstream(), rater=lambda *rating: ratings.append(rating))).rate(0.9)
    assert ratings == [("r-1", 0.9)]


# what it keeps


@pytest.mark.parametrize(
    "facts",
    [
        {"finish_reason": "length"},
        {"finish_reason": "content_filter"},
        {"finish_reason": "error"},
        {"finish_reason": "paused"},
        {"refusal": "I cannot"},
        {"text": ""},
        {"tool_calls": (ToolCall("f", "{", "c1"),), "finish_reason": "tool_calls"},
        {"model_id": "custom/other"},
    ],
    ids=["cut", "filtered", "error", "paused", "refused", "empty", "broken tool call", "another model's"],
)
async def test_what_is_no_whole_answer_of_this_model_is_never_kept(facts):
    """The caller gets it as it is; the next one is asked anew."""
    cache, upstream = ModelCache(), Upstream(**facts)
    key = cache.key_of(Echo(), Request.of("Hello"))
    await cache.answer(key, upstream)
    await cache.answer(key, upstream)
    assert upstream.calls == 2
    assert cache.get_statistics().refused == 2


async def test_a_failure_is_never_kept():
    """Each caller has a try of its own."""
    cache, upstream = ModelCache(), Upstream(error=ServerError("down"))
    for _ in range(2):
        with pytest.raises(ServerError):
            await cache.answer(KEY, upstream)
    upstream.error = None
    assert (await cache.answer(KEY, upstream)).cached is None
    assert upstream.calls == 3


async def test_an_answer_lives_for_its_ttl():
    """Not a moment longer."""
    clock = FakeClock()
    cache, upstream = ModelCache(ttl=60, clock=clock, **WAY_OUT), Upstream()
    await cache.answer(KEY, upstream)
    clock.jump(59.9)
    assert (await cache.answer(KEY, upstream)).cached == "memory"
    clock.jump(0.1)
    assert (await cache.answer(KEY, upstream)).cached is None


async def test_what_was_stored_together_does_not_expire_together():
    """Jitter only ever shortens a life."""
    clock = FakeClock()
    cache, upstream = ModelCache(ttl=100, jitter=0.5, clock=clock, rng=random.Random(1)), Upstream()
    for number in range(200):
        await cache.answer(f"k{number}", upstream)
    clock.jump(75)
    alive = sum(cache.peek(f"k{number}") is not None for number in range(200))
    assert 60 <= alive <= 140
    clock.jump(25)
    assert not any(cache.peek(f"k{number}") for number in range(200))


# one flight


async def test_ten_thousand_equal_calls_ask_upstream_once():
    """Whoever joins pays nothing and is counted as a hit of the flight."""
    cache, upstream = ModelCache(), Upstream(held=True)
    tasks = [asyncio.ensure_future(cache.answer(KEY, upstream)) for _ in range(10_000)]
    await turns()
    upstream.gate.set()
    answers = await asyncio.gather(*tasks)
    assert upstream.calls == 1
    assert [answer.cached for answer in answers].count("flight") == 9_999
    assert sum(answer.cost_usd for answer in answers) == pytest.approx(0.25)
    stats = cache.get_statistics()
    assert (stats.hits, stats.misses, stats.levels["flight"].hits) == (9_999, 1, 9_999)


async def test_a_cancelled_leader_costs_one_more_call():
    """The rest are answered."""
    cache, upstream = ModelCache(), Upstream(held=True)
    tasks = [asyncio.ensure_future(cache.answer(KEY, upstream)) for _ in range(5)]
    await turns()
    tasks[0].cancel()
    await turns()
    upstream.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert upstream.calls == 2
    assert [getattr(answer, "text", None) for answer in answers] == [None, *["Paris"] * 4]


async def test_a_follower_whose_time_is_over_gets_a_timeout_of_its_own():
    """As if its own call had taken too long."""
    clock = FakeClock()
    cache, upstream = ModelCache(clock=clock), Upstream(held=True)
    leader = asyncio.ensure_future(cache.answer(KEY, upstream, patience_s=1.0))
    await turns()
    follower = asyncio.ensure_future(cache.answer(KEY, upstream, patience_s=1.0))
    await turns()
    await clock.advance(2)
    with pytest.raises(ProviderTimeoutError, match=r"1\.0 s"):
        await follower
    upstream.gate.set()
    assert (await leader).text == "Paris"


async def test_who_has_less_time_does_not_join_and_who_has_more_is_not_cut_short():
    """A call under way ends with its caller's deadline: it is shared among those who have the same."""
    cache, upstream = ModelCache(), Upstream(held=True)
    calls = [asyncio.ensure_future(cache.answer(KEY, upstream, patience_s=s)) for s in (60.0, 60.0, 5.0)]
    await turns()
    assert upstream.calls == 2
    upstream.gate.set()
    assert {answer.text for answer in await asyncio.gather(*calls)} == {"Paris"}


# growing old


async def test_a_stale_answer_is_served_while_it_is_renewed():
    """One renewal, behind the caller's back; the next caller has the new answer."""
    clock = FakeClock()
    upstream = Upstream("old")
    async with ModelCache(ttl=60, stale_while_revalidate_s=30, clock=clock, **WAY_OUT) as cache:
        await cache.answer(KEY, upstream)
        clock.jump(70)
        upstream.text = "new"
        stale = [await cache.answer(KEY, upstream) for _ in range(3)]
        await turns(10)
        fresh = await cache.answer(KEY, upstream)
    assert [answer.text for answer in stale] == ["old"] * 3
    assert (fresh.text, fresh.cached, upstream.calls) == ("new", "memory", 2)
    assert cache.get_statistics().refreshed == 1


async def test_a_renewal_that_fails_hurts_nobody():
    """The old answer stays until its grace is over."""
    clock = FakeClock()
    upstream = Upstream("old")
    async with ModelCache(ttl=60, stale_while_revalidate_s=30, clock=clock, **WAY_OUT) as cache:
        await cache.answer(KEY, upstream)
        clock.jump(70)
        upstream.error = ServerError("down")
        assert (await cache.answer(KEY, upstream)).text == "old"
        await turns(10)
        assert (await cache.answer(KEY, upstream)).text == "old"


async def test_an_old_answer_stands_in_for_an_error_where_that_is_allowed():
    """For a model that is down, not for the caller's own mistake, and not for ever."""
    clock = FakeClock()
    cache = ModelCache(ttl=60, stale_if_error_s=600, clock=clock, **WAY_OUT)
    upstream = Upstream("old")
    await cache.answer(KEY, upstream)
    clock.jump(100)
    upstream.error = ServerError("down")
    answer = await cache.answer(KEY, upstream)
    assert (answer.text, answer.cached, cache.get_statistics().stale) == ("old", "memory", 1)
    upstream.error = InvalidRequestError("no such parameter")
    with pytest.raises(InvalidRequestError):
        await cache.answer(KEY, upstream)
    clock.jump(600)
    upstream.error = ServerError("down")
    with pytest.raises(ServerError):
        await cache.answer(KEY, upstream)


async def test_hot_answers_are_renewed_before_they_expire():
    """XFetch: seldom when young, nearly always at the end, and never in the caller's time."""
    clock = FakeClock()
    upstream = Upstream(latency_s=5.0)
    async with ModelCache(ttl=100, early_refresh=1.0, clock=clock, rng=random.Random(3), **WAY_OUT) as cache:
        await cache.answer(KEY, upstream)
        clock.jump(50)
        for _ in range(20):
            assert (await cache.answer(KEY, upstream)).cached == "memory"
            await turns()
        assert upstream.calls == 1
        clock.jump(49.9)
        for _ in range(20):
            assert (await cache.answer(KEY, upstream)).cached == "memory"
            await turns()
        assert upstream.calls == 2


# what it counts


async def test_the_figures_are_exact():
    """Hits, misses, money and seconds saved; a cost that is not known is not guessed."""
    clock = FakeClock()
    cache = ModelCache(clock=clock)
    known, unknown = Upstream(), Upstream(usage=UsageStats(1, 1))
    for upstream, key in ((known, "a"), (unknown, "b")):
        for _ in range(3):
            await cache.answer(key, upstream)
    stats = cache.get_statistics()
    assert (stats.hits, stats.misses, stats.stored) == (4, 2, 2)
    assert f"{stats.hit_rate:.2%}" == "66.67%"
    assert stats.saved_usd == pytest.approx(0.5)
    assert stats.saved_s == pytest.approx(8.0)
    assert stats.levels["memory"].hits == 4
    assert stats.levels["memory"].misses == 2
    assert stats.levels["memory"].entries == 2
    assert stats.to_dict()["levels"]["memory"]["hits"] == 4


def test_a_new_cache_can_be_printed():
    """Before the first look-up the rate is 0, not an error."""
    assert f"{ModelCache().get_statistics().hit_rate:.2%}" == "0.00%"
    assert "memory" in repr(ModelCache())


# forgetting


async def test_forgetting_by_model_tenant_tag_and_key():
    """What matches is gone, the rest stays; any-model answers go with the model that gave them."""
    cache, upstream = ModelCache(), Upstream()
    other = Upstream(model_id="custom/other")

    async def fill():
        await cache.clear()
        keys = {
            "mine": cache.key_of(Echo(), Request.of("Hello", tenant="a")),
            "theirs": cache.key_of(Echo(), Request.of("Hello", tenant="b")),
            "other": cache.key_of(Echo("other"), Request.of("Hello", tenant="a")),
            "any": cache.key_of(None, Request.of("Hello")),
        }
        await cache.answer(keys["mine"], upstream, tags=["faq"])
        await cache.answer(keys["theirs"], upstream)
        await cache.answer(keys["other"], other, tags=["faq", "x"])
        await cache.answer(keys["any"], other)
        return keys

    def left(keys):
        return {name for name, key in keys.items() if cache.peek(key)}

    keys = await fill()
    assert await cache.invalidate(model=Echo()) == 2
    assert left(keys) == {"other", "any"}
    keys = await fill()
    assert await cache.invalidate(model="custom/other") == 2
    assert left(keys) == {"mine", "theirs"}
    keys = await fill()
    assert await cache.invalidate(tenant="a") == 2
    assert left(keys) == {"theirs", "any"}
    keys = await fill()
    assert await cache.invalidate(tag="faq", tenant="a", model=Echo()) == 1
    assert left(keys) == {"theirs", "other", "any"}
    keys = await fill()
    assert await cache.invalidate(key=keys["mine"]) == 1
    await cache.clear()
    assert left(keys) == set()


async def test_forgetting_needs_to_know_what():
    """Emptying everything is another verb."""
    with pytest.raises(TypeError, match="clear"):
        await ModelCache().invalidate()


# what it may be given


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"backend": "memroy"}, "'memory'"),
        ({"backend": "s3"}, "'memory', 'disk', 'redis'"),
        ({"backend": ()}, "'disk'"),
        ({"backend": ("memory", "tape")}, "'disk'"),
        ({"backend": ("memory", 7)}, "'memory'"),
        ({"backend": ("memory", "memory")}, "name of its own"),
        ({"ttl": 0}, "above 0"),
        ({"ttl": float("inf")}, "up to"),
        ({"ttl": float("nan")}, "above 0"),
        ({"ttl": "60"}, "number"),
        ({"ttl": True}, "number"),
        ({"max_size": 0}, "from 1"),
        ({"max_size": 1.5}, "whole number"),
        ({"jitter": 1}, "0.9"),
        ({"stale_if_error_s": -1}, "from 0"),
        ({"level_ttl": {"memory": -1}}, "level_ttl"),
        ({"max_bytes": 0}, "from 1024"),
        ({"port": 0}, "65535"),
        ({"namespace": "a{b}*"}, "letters"),
        ({"prot": 1}, "'port'"),
    ],
)
def test_a_wrong_value_names_the_right_ones(options, named):
    """The message says what would have been accepted."""
    with pytest.raises(ConfigurationError, match=named):
        ModelCache(**options)


def test_a_password_is_never_shown():
    """Neither by the cache nor by its settings."""
    from orchestrator.core.caching.settings import LevelSettings

    assert "secret" not in repr(LevelSettings(password="secret", url="redis://:secret@host"))
    assert "secret" not in repr(ModelCache(password="secret"))


async def test_a_restored_answer_is_whole_and_frozen():
    """Every slot is filled, and none can be set."""
    from orchestrator.core.caching import entries

    cache = ModelCache()
    await cache.answer(KEY, Upstream())
    again = await cache.answer(KEY, Upstream())
    assert type(again) is ChatResponse
    assert all(hasattr(again, name) for name in ChatResponse.__slots__)
    assert all(hasattr(again.usage, name) for name in UsageStats.__slots__)
    assert set(entries._USAGE) == set(UsageStats.__slots__)
    with pytest.raises(AttributeError, match="frozen"):
        again.text = "Rome"
