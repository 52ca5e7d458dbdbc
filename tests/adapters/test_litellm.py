"""The engine as LiteLLM's routing strategy: it chooses, LiteLLM calls, and it learns from what came of it."""

import asyncio
import os

import pytest
from adapter_stage import KEY, framework

from orchestrator import ModelRegistry
from orchestrator.testing import CallTool, Fail, Say

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch its price list while it is imported
litellm = framework("litellm")
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER  # noqa: E402 - after the skip

from orchestrator.adapters.litellm import OrchestratorRouting  # noqa: E402 - after the skip

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of the library about itself
    pytest.mark.asyncio(loop_scope="module"),  # its worker that reports belongs to the loop of the first call
]
ASK = [{"role": "user", "content": "Hello"}]


@pytest.fixture(autouse=True)
def _tidy():
    """LiteLLM keeps a worker and its clients running on purpose: tasks left are its own here."""


@pytest.fixture
def router(town):
    """Two deployments under one name."""
    deployments = [
        {
            "model_name": "chat",
            "litellm_params": {"model": f"openai/{name}", "api_base": town.base_url("openai"), "api_key": KEY},
            "model_info": {"id": name},
        }
        for name in ("first", "second")
    ]
    return litellm.Router(model_list=deployments, num_retries=2, disable_cooldowns=True)


@pytest.fixture
def routing(router):
    """The engine in charge, asking in turn."""
    routing = OrchestratorRouting(router, registry=ModelRegistry("round-robin", seed=1)).install()
    yield routing
    routing.remove()


def calls(routing):
    """How many calls the registry has heard of."""
    return sum(model.metrics.calls for model in routing.registry.values())


async def reported(so_far):
    """LiteLLM reports in the background: wait until it has."""
    await GLOBAL_LOGGING_WORKER.flush()
    for _ in range(500):
        if so_far():
            return
        await asyncio.sleep(0.01)
    pytest.fail("LiteLLM has not reported its calls")


async def test_calls_are_spread_and_learned_from(router, routing):
    """Figures, usage and costs of every deployment are in the registry."""
    for number in range(4):
        await router.acompletion("chat", messages=ASK)
        await reported(lambda: calls(routing) > number)  # noqa: B023 - called at once
    assert {key: model.metrics.calls for key, model in routing.registry.items()} == {"first": 2, "second": 2}
    assert routing.registry.get_usage_summary("first").request_count == 2
    assert routing.registry.selector.statistics()["first"]["pulls"] == 2


async def test_what_failed_a_request_is_not_asked_for_it_again(router, routing, town):
    """LiteLLM's retry goes to the other deployment; after some failures the dead one is not asked at all."""
    town.break_model("first", Fail(503))
    for number in range(8):
        assert (await router.acompletion("chat", messages=ASK)).model == "second"
        await reported(lambda: calls(routing) > number)  # noqa: B023 - called at once
    assert town.requests["second"] == 8
    assert town.requests["first"] <= 4
    assert (await routing.registry.get_model_health("first")).status == "unhealthy"


async def test_streams_count_when_they_end(router, routing, town):
    """With tokens and the time to the first piece."""
    town.script("first", Say("one two"))
    outcomes = []  # of streams: what was called before may still be reported
    routing.registry.subscribe(lambda _, outcome: outcomes.append(outcome) if outcome.streamed else None)
    stream = await router.acompletion("chat", messages=ASK, stream=True, stream_options={"include_usage": True})
    said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    await reported(lambda: outcomes)
    assert "".join(said) == "one two"
    (one,) = outcomes
    assert one.usage.completion_tokens == 2
    assert one.ttft_s <= one.latency_s


async def test_a_stream_that_cannot_begin_begins_elsewhere(router, routing, town):
    """LiteLLM asks again, and the engine names the other deployment."""
    town.break_model("first", Fail(503))
    outcomes = []
    routing.registry.subscribe(lambda _, outcome: outcomes.append(outcome))
    stream = await router.acompletion("chat", messages=ASK, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    await reported(lambda: {(one.model_id, one.success) for one in outcomes} >= {("second", True)})


async def test_an_agent_survives_the_death_of_its_provider(router, routing, town):
    """The deployment that called the tool dies; the other answers, and the registry knows what both have cost."""
    town.script("first", CallTool("weather", {"city": "Oslo"}), *[Fail(503)] * 3)
    town.script("second", Say("It rains."))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    said = (await router.acompletion("chat", messages=ASK, tools=[tool])).choices[0].message
    history = [*ASK, said.model_dump(), {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "rain"}]
    answer = await router.acompletion("chat", messages=history, tools=[tool])
    assert (answer.model, answer.choices[0].message.content) == ("second", "It rains.")
    await reported(lambda: calls(routing) >= 2)
    summaries = [routing.registry.get_usage_summary(name) for name in ("first", "second")]
    assert [summary.request_count for summary in summaries] == [1, 1]


async def test_tools_pass_through(router, routing, town):
    """What a request needs counts in the choice; the call itself is LiteLLM's."""
    town.script("first", CallTool("weather", {"city": "Oslo"}))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    answer = await router.acompletion("chat", messages=ASK, tools=[tool])
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"
    await reported(lambda: calls(routing) >= 1)


async def test_requirements_hold(router, town):
    """`wanted` narrows every choice."""
    routing = OrchestratorRouting(router, wanted={"exclude_models": ["first"]}).install()
    try:
        for number in range(3):
            assert (await router.acompletion("chat", messages=ASK)).model == "second"
            await reported(lambda: calls(routing) > number)  # noqa: B023 - called at once
    finally:
        routing.remove()


async def test_when_all_fail_litellms_own_error_comes(router, routing, town):
    """And both deployments have it in their figures."""
    town.break_provider("openai", Fail(503))
    with pytest.raises(litellm.exceptions.ServiceUnavailableError):
        await router.acompletion("chat", messages=ASK)
    await reported(lambda: calls(routing) >= 2)
    assert all(model.metrics.failures for model in routing.registry.values())


async def test_plain_code_is_routed_too(router, routing):
    """`router.completion` in a thread."""
    answer = await asyncio.to_thread(router.completion, "chat", messages=ASK)
    assert answer.model == "first"
    await reported(lambda: calls(routing) >= 1)


def test_an_unknown_name_is_refused(routing):
    """With the names there are."""
    from orchestrator.errors import ModelNotFoundError

    with pytest.raises(ModelNotFoundError, match="'chat'"):
        routing.get_available_deployment("chatt")


async def test_without_it_the_router_is_as_before(router, routing):
    """`remove` leaves nothing behind."""
    routing.remove()
    assert routing not in litellm.callbacks
    assert (await router.acompletion("chat", messages=ASK)).choices
    assert not routing.registry
