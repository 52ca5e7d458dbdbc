"""A failing model is somebody else's turn: who is asked next, how often, and what the caller is told."""

import asyncio

import pytest

from orchestrator.core.model import Model
from orchestrator.errors import (
    AuthenticationError,
    BudgetExceededError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    NoEligibleModelsError,
    OverloadedError,
    ProviderAPIError,
    ProviderConnectionError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
    UpstreamNotFoundError,
)

OTHERS_MAY_DO = [
    AuthenticationError, QuotaError, RateLimitError, OverloadedError, ServerError, ProviderTimeoutError,
    ProviderConnectionError, MalformedResponseError, StreamTruncatedError, UpstreamNotFoundError, ContextLengthError,
    ProviderAPIError,
]  # fmt: skip


@pytest.mark.parametrize("error", [*OTHERS_MAY_DO, ValueError, OSError, TimeoutError])
async def test_whatever_one_model_cannot_do_the_next_one_does(registry, three, error):
    """The caller gets an answer, and sees that it took two."""
    three[0].steps.append(error("x"))
    response = await registry.generate_response("hi")
    assert response.text == "b says hello"
    assert [(a.model_id, a.error_type is None) for a in response.attempts] == [("a", False), ("b", True)]


@pytest.mark.parametrize("error", [InvalidRequestError, ContentFilterError])
async def test_the_callers_own_fault_is_not_passed_on(registry, three, error):
    """Every model would refuse it: one attempt, the error as it is."""
    three[0].steps.append(error("x"))
    with pytest.raises(error) as caught:
        await registry.generate_response("hi")
    assert [m.asked for m in three] == [1, 0, 0]
    assert [a.model_id for a in caught.value.attempts] == ["a"]


async def test_when_all_fail_the_last_error_lists_every_attempt(registry, three):
    """Model, class and seconds of each try, and each model once."""
    for model, error in zip(three, (ServerError, RateLimitError, OverloadedError), strict=True):
        model.steps.append(error(f"from {model.id}"))
    with pytest.raises(OverloadedError, match="from c") as caught:
        await registry.generate_response("hi")
    assert [(a.model_id, a.error_type) for a in caught.value.attempts] == [
        ("a", "server"), ("b", "rate_limit"), ("c", "overloaded"),
    ]  # fmt: skip
    assert caught.value.model_id == "c"


async def test_no_model_is_asked_twice_for_one_request(registry, scripted):
    """Two models and ten attempts are still two calls."""
    models = [registry.register_model(scripted(name, [ServerError("x")] * 9)) for name in "ab"]
    with pytest.raises(ServerError):
        await registry.generate_response("hi", max_attempts=10)
    assert [m.asked for m in models] == [1, 1]


async def test_attempts_are_bounded(registry, scripted):
    """Three by default, or as many as the caller allows."""
    models = [registry.register_model(scripted(name, [ServerError("x")] * 9)) for name in "abcdef"]
    with pytest.raises(ServerError):
        await registry.generate_response("hi")
    assert sum(m.asked for m in models) == 3
    with pytest.raises(ServerError) as caught:
        await registry.generate_response("hi", max_attempts=1)
    assert len(caught.value.attempts) == 1


async def test_a_namesake_at_another_provider_is_asked(registry, scripted):
    """Leaving out a failed model leaves out that one, not all of its name."""
    registry["gpt-4"] = scripted("gpt-4", [ServerError("x")], provider="openai")
    registry["azure/gpt-4"] = scripted("azure/gpt-4", provider="azure", aliases=("gpt-4",))
    assert (await registry.generate_response("hi")).model_id == "azure/gpt-4"


class Keyed(Model):
    """A model whose key is shared with others."""

    def __init__(self, name, key, error=None):
        super().__init__(id=name, provider="p")
        self.key, self.error, self.asked = key, error, 0

    @property
    def key_id(self):
        return self.key

    async def generate_response(self, prompt):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return f"{self.id} says hello"


@pytest.mark.parametrize("error", [AuthenticationError, QuotaError])
async def test_a_bad_key_takes_its_siblings_out(registry, error):
    """Models behind the same key are not asked either; another key of the provider is."""
    for name, key in (("a", "k1"), ("b", "k1"), ("c", "k2")):
        registry.register_model(Keyed(name, key, error("x") if key == "k1" else None))
    response = await registry.generate_response("hi")
    assert [a.model_id for a in response.attempts] == ["a", "c"]
    assert registry["b"].asked == 0
    assert error.error_type in registry.select().candidates[-1].refused


async def test_a_prompt_that_is_too_long_goes_to_a_larger_window(registry, scripted):
    """Models with the same or a smaller window are passed over."""
    registry.register_model(scripted("a", [ContextLengthError("x")], context_window=8_000))
    same = registry.register_model(scripted("b", context_window=8_000))
    registry.register_model(scripted("c", context_window=32_000))
    assert (await registry.generate_response("hi")).model_id == "c"
    assert same.asked == 0
    assert registry["a"].metrics.calls == 0


async def test_a_rate_limit_cools_down_for_as_long_as_told(registry, three):
    """Until `retry_after_s` has passed the model is not chosen, and its reason says so."""
    three[0].steps.append(RateLimitError("x", retry_after_s=30))
    await registry.generate_response("hi")
    await registry.clock.advance(29)
    refused = {c.model_id: c.refused for c in registry.select().candidates}
    assert refused["a"].startswith("limited: rate_limit; tried again in")
    await registry.clock.advance(1)
    assert {c.refused for c in registry.select().candidates} == {None}


async def test_a_late_success_does_not_lift_a_rate_limit(registry, scripted):
    """A call that left before the limit says nothing about it."""
    gate = asyncio.Event()

    async def late():
        await gate.wait()
        return "late"

    model = registry.register_model(scripted("a", [late, RateLimitError("x", retry_after_s=30)]))
    early = asyncio.create_task(model.generate_response("hi"))
    await asyncio.sleep(0)
    with pytest.raises(RateLimitError):
        await model.generate_response("hi", max_attempts=1)
    gate.set()
    await early
    assert registry.health.status_of(model).status == "limited"


async def test_the_deadline_is_shared_out_so_that_a_hanging_model_leaves_time(registry, three):
    """With 90 s and three attempts a model that hangs costs a third."""
    three[0].steps.append(lambda: asyncio.get_running_loop().create_future())
    call = asyncio.create_task(registry.generate_response("hi", deadline_s=90))
    await registry.clock.advance(29.9)
    assert not call.done()
    await registry.clock.advance(0.2)
    response = await call
    assert [(a.model_id, a.error_type) for a in response.attempts] == [("a", "timeout"), ("b", None)]


async def test_no_call_outlives_its_deadline(registry, three):
    """When everybody hangs the caller is told at the deadline, not later."""
    for model in three:
        model.steps.append(lambda: asyncio.get_running_loop().create_future())
    call = asyncio.create_task(registry.generate_response("hi", deadline_s=90))
    await registry.clock.advance(90)
    with pytest.raises(ProviderTimeoutError) as caught:
        await call
    assert [a.latency_s for a in caught.value.attempts] == pytest.approx([30, 30, 30])
    assert [m.metrics.in_flight for m in three] == [0, 0, 0]


async def test_what_the_engine_refuses_is_not_a_failure_of_the_model(registry, three):
    """A budget that is used up passes through untouched and blames nobody."""
    three[0].steps.append(BudgetExceededError("spent"))
    with pytest.raises(BudgetExceededError):
        await registry.generate_response("hi")
    assert (three[0].metrics.calls, three[0].metrics.in_flight) == (0, 0)


async def test_nobody_fits_before_anybody_is_asked(registry, three):
    """A need that no model meets is told as such, with reasons."""
    with pytest.raises(NoEligibleModelsError):
        await registry.generate_response("hi", tags=["none has it"])
    assert sum(m.asked for m in three) == 0


async def test_removed_while_it_answers(registry, scripted):
    """A model that leaves the registry finishes its call, and nobody is asked again for its failure's sake."""
    gate = asyncio.Event()

    async def slow():
        await gate.wait()
        return "done"

    registry.register_model(scripted("a", [slow]))
    call = asyncio.create_task(registry.generate_response("hi"))
    await asyncio.sleep(0)
    registry.unregister_model("a")
    registry.register_model(scripted("b"))
    gate.set()
    assert (await call).text == "done"
    assert list(registry.selector.statistics()) == ["b"]


async def test_a_newcomer_may_take_over_a_call_under_way(registry, scripted):
    """The choice after a failure is made among the models of that moment."""

    async def fail():
        registry.register_model(scripted("new"))
        raise ServerError("x")

    registry.register_model(scripted("old", [fail]))
    assert (await registry.generate_response("hi")).model_id == "new"
