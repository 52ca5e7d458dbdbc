"""The engine inside Pydantic AI: agents, tools, every kind of output, and their errors."""

from decimal import Decimal

import pytest
from adapter_stage import framework
from pydantic import BaseModel

from orchestrator.errors import BudgetExceededError, RateLimitError
from orchestrator.testing import CallTool, CutStream, Drop, Fail, Say

framework("pydantic_ai")
from pydantic_ai import Agent, BinaryContent, ModelRetry, NativeOutput, PromptedOutput, ToolOutput  # noqa: E402 - after the skip
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError  # noqa: E402 - after the skip
from pydantic_ai.models.fallback import FallbackModel  # noqa: E402 - after the skip
from pydantic_ai.models.test import TestModel  # noqa: E402 - after the skip

from orchestrator.adapters.pydantic_ai import OrchestratorModel  # noqa: E402 - after the skip


class City(BaseModel):
    """A city."""

    name: str


@pytest.fixture
def model(registry):
    return OrchestratorModel(registry)


def weather_agent(model, **options):
    """An agent with a tool that wants a capital letter."""
    agent = Agent(model, **options)

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather in a city."""
        if not city.istitle():
            raise ModelRetry("write the city with a capital letter")
        return f"rain in {city}"

    return agent


async def test_an_agent_runs_and_knows_its_cost(model, town):
    """Usage adds up over the run, in tokens and in USD."""
    town.script("first", CallTool("weather", {"city": "oslo"}), CallTool("weather", {"city": "Oslo"}), Say("It rains."))
    result = await weather_agent(model, instructions="Be brief.").run("Weather in Oslo?")
    assert result.output == "It rains."
    assert (result.usage.requests, result.usage.tool_calls) == (3, 1)
    assert result.usage.cost == (result.usage.input_tokens + 2 * result.usage.output_tokens) / Decimal(1_000_000)
    assert result.response.model_name == "first"
    assert result.response.provider_details["attempts"][0]["model_id"] == "first"


@pytest.mark.parametrize(
    ("form", "step"),
    [
        (City, CallTool("final_result", {"name": "Rome"})),
        (ToolOutput(City, name="answer"), CallTool("answer", {"name": "Rome"})),
        (NativeOutput(City), Say('{"name": "Rome"}')),
        (PromptedOutput(City), Say('{"name": "Rome"}')),
    ],
    ids=["default", "tool", "native", "prompted"],
)
async def test_every_kind_of_output_is_an_object(model, town, form, step):
    """By a tool, by the provider's JSON mode, or by asking for it."""
    town.script("first", step)
    assert (await Agent(model, output_type=form).run("Where?")).output == City(name="Rome")


async def test_a_stream_brings_pieces_then_usage(model, town):
    """Text as it comes; afterwards cost and the name of the model."""
    town.script("first", Say("one two three"))
    async with Agent(model).run_stream("?") as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    assert pieces == ["one ", "two ", "three"]
    assert stream.usage.cost > 0
    assert stream.response.model_name == "first"
    assert stream.response.finish_reason == "stop"


async def test_tools_are_called_from_a_stream(model, town):
    """The agent goes on after the tool, and streams the answer."""
    town.script("first", CallTool("weather", {"city": "Oslo"}), Say("It rains."))
    async with weather_agent(model).run_stream("?") as stream:
        assert await stream.get_output() == "It rains."


async def test_the_agent_survives_the_death_of_its_provider(model, town):
    """Between the call of a tool and the answer another model takes over, with the same history."""
    agent = weather_agent(model)
    town.script("first", CallTool("weather", {"city": "Oslo"}), *[Fail(503)] * 3)
    town.script("second", Say("It rains."))
    result = await agent.run("Weather in Oslo?")
    assert result.output == "It rains."
    who = [message.model_name for message in result.all_messages() if message.kind == "response"]
    assert who == ["first", "second"]
    assert result.usage.cost > 0


async def test_so_does_an_agent_that_streams(model, town):
    """What dies before its first piece is begun elsewhere; the run's cost is that of both."""
    agent = weather_agent(model)
    town.script("first", CallTool("weather", {"city": "Oslo"}), *[Fail(503)] * 3)
    town.script("second", Say("It rains."))
    async with agent.run_stream("Weather in Oslo?") as stream:
        assert await stream.get_output() == "It rains."
    said = [message for message in stream.all_messages() if message.kind == "response"]
    assert [message.model_name for message in said] == ["first", "second"]
    assert stream.usage.cost == sum(message.usage.cost for message in said) > 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_errors_are_pydantic_ais_with_ours_behind(model, town, streamed):
    """A status makes a `ModelHTTPError`, none a `ModelAPIError`; so a `FallbackModel` goes on."""
    agent = Agent(model)

    async def run():
        if not streamed:
            return (await agent.run("?")).output
        async with agent.run_stream("?") as stream:
            return await stream.get_output()

    town.break_provider("openai", Fail(429, retry_after_s=300))
    with pytest.raises(ModelHTTPError) as caught:
        await run()
    assert (caught.value.status_code, caught.value.retry_after) == (429, 300)
    assert isinstance(caught.value.__cause__, RateLimitError)
    agent = Agent(FallbackModel(model, TestModel(custom_output_text="at last")))
    assert await run() == "at last"


async def test_a_call_without_a_status_is_an_api_error(model, town):
    """Nobody was reached."""
    town.break_provider("openai", Drop())
    with pytest.raises(ModelAPIError) as caught:
        await Agent(model).run("?")
    assert not isinstance(caught.value, ModelHTTPError)


async def test_a_stream_that_breaks_says_so(registry, town):
    """Half an answer is no answer."""
    town.break_provider("openai", CutStream(after_chunks=1, clean=True))
    with pytest.raises(ModelAPIError, match="ended before"):
        async with Agent(OrchestratorModel(registry["first"])).run_stream("?") as stream:
            await stream.get_output()


async def test_a_spent_budget_is_no_failure_of_a_model(town, registry):
    """No fallback would be right: the engine's own error comes through."""
    from orchestrator import ModelRegistry

    poor = ModelRegistry(budgets={"total_usd": 1e-9})
    poor["first"] = registry["first"]
    with pytest.raises(BudgetExceededError):
        await Agent(FallbackModel(OrchestratorModel(poor), TestModel())).run("?")
    await poor.cleanup()


async def test_settings_and_pictures_reach_the_model(model, town):
    """Stop words, limits and images are the engine's parameters."""
    settings = {"max_tokens": 1, "stop_sequences": ["x"], "temperature": 0.0, "extra_body": {"user": "me"}}
    picture = BinaryContent(b"\x89PNG...", media_type="image/png")
    result = await Agent(model).run(["Look", picture], model_settings=settings)
    assert result.response.finish_reason == "length"
    assert result.usage.output_tokens == 1
