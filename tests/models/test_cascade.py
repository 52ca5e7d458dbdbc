"""The cascade on the road: the cheap model answers first, and a judge decides whether a dearer one is asked."""

import asyncio
import math

import pytest

from orchestrator.core.messages import Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError, InvalidRequestError, ServerError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.road.judging import Judge

PRICES_USD = {"small": 0.001, "middle": 0.01, "large": 0.1}


class Rung(Model):
    """Says its name, or the next step of its script, for its price."""

    def __init__(self, name, steps=()):
        super().__init__(id=name, provider="custom", cost={"input": PRICES_USD[name] * 1e3, "output": 0})
        self.steps, self.asked = list(steps), 0

    async def generate_response(self, prompt, **kwargs):
        self.asked += 1
        step = self.steps.pop(0) if self.steps else self.id
        if isinstance(step, BaseException):
            raise step
        return Reply(step, usage=UsageStats(1_000, 0))

    async def health_check(self):
        return True


@pytest.fixture
def cascade(fake_clock):
    """A registry of three rungs with a judge who likes these answers."""

    def make(judge, *, steps=None, **options):
        options = {"selection_strategy": "cascade", "cache_responses": False, **options}
        registry = ModelRegistry(judge=judge, clock=fake_clock, seed=0, **options)
        for name in PRICES_USD:
            registry.register_model(Rung(name, (steps or {}).get(name, ())))
        return registry

    return make


def likes(*names):
    """A judge of taste."""
    return lambda prompt, response: response.text in names


def asked(registry):
    """How often each rung was asked."""
    return [registry[name].asked for name in PRICES_USD]


async def test_an_answer_that_stands_is_the_only_one(cascade):
    """Nobody dearer is asked."""
    registry = cascade(likes("small"))
    response = await registry.generate_response("hi")
    assert (response.text, asked(registry)) == ("small", [1, 0, 0])
    assert response.spent_usd == response.cost_usd == pytest.approx(0.001)


async def test_each_answer_that_does_not_stand_leads_to_the_next_rung(cascade):
    """All rungs are paid for, listed and counted."""
    registry = cascade(likes("large"))
    response = await registry.generate_response("hi")
    assert (response.text, asked(registry)) == ("large", [1, 1, 1])
    assert [(one.model_id, one.error_type) for one in response.attempts] == [
        ("small", None),
        ("middle", None),
        ("large", None),
    ]
    assert response.cost_usd == pytest.approx(0.1)
    assert response.spent_usd == pytest.approx(0.111)
    assert sum(registry.get_usage_summary(name).cost_usd for name in PRICES_USD) == pytest.approx(0.111)


async def test_verdicts_are_qualities(cascade):
    """What the judge says takes the place of success, rung by rung."""
    registry = cascade(lambda prompt, response: {"small": 0.2, "middle": 0.9}[response.text])
    await registry.generate_response("hi")
    facts = registry.selector.statistics()
    assert facts["small"]["mean_quality"] == pytest.approx(0.2)
    assert facts["middle"]["mean_quality"] == pytest.approx(0.9)
    assert facts["large"]["pulls"] == 0


async def test_a_rung_that_never_passes_is_skipped_in_the_end(cascade):
    """The policy learns where to start."""
    registry = cascade(likes("middle"))
    for _ in range(60):
        assert (await registry.generate_response("hi")).text == "middle"
    assert registry["small"].asked < 60
    assert registry["large"].asked == 0


async def test_when_nobody_pleases_the_best_is_given(cascade):
    """With all attempts on it."""
    verdicts = {"small": 0.1, "middle": 0.4, "large": 0.3}
    registry = cascade(lambda prompt, response: verdicts[response.text])
    response = await registry.generate_response("hi")
    assert (response.text, [one.model_id for one in response.attempts]) == ("middle", list(PRICES_USD))
    assert response.spent_usd == pytest.approx(0.111)


@pytest.mark.parametrize("error", [ServerError("x"), InvalidRequestError("x")])
async def test_a_rung_that_fails_is_passed_over(cascade, error):
    """The one above it is asked."""
    registry = cascade(likes("large"), steps={"middle": [error]})
    response = await registry.generate_response("hi")
    assert (response.text, asked(registry)) == ("large", [1, 1, 1])
    assert [one.error_type for one in response.attempts] == [None, error.error_type, None]


async def test_an_answer_is_not_lost_when_all_above_fail(cascade):
    """What is there is given."""
    registry = cascade(likes(), steps={"middle": [ServerError("x")], "large": [ServerError("x")]})
    response = await registry.generate_response("hi")
    assert response.text == "small"
    assert [one.error_type for one in response.attempts] == [None, "server", "server"]


async def test_when_the_first_rung_fails_the_next_is_judged_too(cascade):
    """Failover and escalation go together."""
    registry = cascade(likes("large"), steps={"small": [ServerError("x")]})
    response = await registry.generate_response("hi")
    assert (response.text, asked(registry)) == ("large", [1, 1, 1])


async def test_max_attempts_bound_the_climb(cascade):
    """A rung is an attempt."""
    registry = cascade(likes("large"))
    response = await registry.generate_response("hi", max_attempts=2)
    assert (response.text in ("small", "middle"), asked(registry)) == (True, [1, 1, 0])


async def test_a_budget_bounds_the_climb(cascade):
    """What cannot be paid for is not asked, and the answer from below is given."""
    registry = cascade(likes("large"), budgets={"call_usd": 0.05})
    response = await registry.generate_response("x" * 4_000, max_tokens=10)
    assert (response.text in ("small", "middle"), registry["large"].asked) == (True, 0)


async def test_what_the_caller_excludes_is_no_rung(cascade):
    """Requirements hold for every rung."""
    registry = cascade(likes("large"))
    response = await registry.generate_response("hi", exclude_models=["middle"])
    assert (response.text, asked(registry)) == ("large", [1, 0, 1])


async def test_a_model_that_is_named_is_not_judged(cascade):
    """The caller wanted this one."""
    registry = cascade(likes())
    response = await registry.invoke_model_async("small", "hi")
    assert (response.text, asked(registry)) == ("small", [1, 0, 0])


# streams


async def test_a_stream_shows_only_what_stands(cascade):
    """It comes whole, once it is judged: what was shown cannot be taken back."""
    registry = cascade(likes("middle"))
    pieces = [piece async for piece in registry.stream_response("hi")]
    assert [piece.text for piece in pieces] == ["middle", ""]
    assert pieces[-1].finish_reason == "stop"
    assert pieces[-1].response.spent_usd == pytest.approx(0.011)


async def test_a_stream_that_nobody_reads_asks_nobody(cascade):
    """And leaves nothing behind."""
    registry = cascade(likes("small"))
    pieces = registry.stream_response("hi")
    await pieces.aclose()
    assert asked(registry) == [0, 0, 0]


# the judge


async def test_a_judge_may_be_async(cascade):
    """A function, or an object that is called."""

    class Slow:
        async def __call__(self, prompt, response):
            await asyncio.sleep(0)
            return response.text == "middle" and prompt == "hi"

    for judge in (Slow(), Slow().__call__, lambda prompt, response: Slow()(prompt, response)):
        assert (await cascade(judge).generate_response("hi")).text == "middle"


@pytest.mark.parametrize("said", [None, "good", -0.1, 1.5, math.nan, ZeroDivisionError()])
async def test_a_judge_who_fails_has_no_say(cascade, caplog, said):
    """The answer stands, unrated, and a log says why."""

    def judge(prompt, response):
        if isinstance(said, Exception):
            raise said
        return said

    registry = cascade(judge)
    response = await registry.generate_response("hi")
    assert (response.text, asked(registry)) == ("small", [1, 0, 0])
    assert registry.selector.statistics()["small"]["mean_quality"] == 1.0
    assert "the judge of 'small'" in caplog.text


async def test_a_judge_who_takes_too_long_has_no_say(cascade, fake_clock):
    """Within its own deadline."""

    async def judge(prompt, response):
        await fake_clock.sleep(60)
        return False

    registry = cascade(Judge(judge, deadline_s=3))
    call = asyncio.create_task(registry.generate_response("hi"))
    await fake_clock.advance(3.1)
    assert (await call).text == "small"


def test_a_judge_needs_a_cascade():
    """Other policies ask one model, so the error says what to do instead."""
    with pytest.raises(ConfigurationError, match="selection_strategy='cascade'"):
        ModelRegistry(judge=lambda prompt, response: True)


@pytest.mark.parametrize(("judge", "error"), [("no", TypeError), (3, TypeError)])
def test_a_judge_is_a_function(judge, error):
    """Anything else is refused at once."""
    with pytest.raises(error, match="give a function"):
        ModelRegistry(selection_strategy="cascade", judge=judge)


@pytest.mark.parametrize("deadline_s", [0, -1, math.inf, math.nan])
def test_a_judges_deadline_is_finite(deadline_s):
    """And above 0."""
    with pytest.raises(ValueError, match="deadline_s="):
        Judge(likes(), deadline_s=deadline_s)


async def test_without_a_judge_a_cascade_takes_success_for_quality(fake_clock):
    """The cheapest that answers is asked."""
    registry = ModelRegistry(selection_strategy="cascade", clock=fake_clock, cache_responses=False)
    for name in PRICES_USD:
        registry.register_model(Rung(name))
    assert (await registry.generate_response("hi")).text == "small"
