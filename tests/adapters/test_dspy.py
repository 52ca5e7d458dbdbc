"""The engine as the language model of DSPy programs."""

import pytest
from adapter_stage import framework

from orchestrator.errors import AuthenticationError, ProviderAPIError
from orchestrator.testing import CallTool, CutStream, Fail, Say

dspy = framework("dspy")
from dspy import lm15  # noqa: E402 - after the skip

from orchestrator.adapters.dspy import orchestrator_lm  # noqa: E402 - after the skip

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library about itself


@pytest.fixture
def lm(registry):
    return orchestrator_lm(registry, wanted={"usage_tags": ["dspy"]}, cache=False)


def asked(text, **parts):
    """A request in DSPy's own form."""
    return lm15.Request("orchestrator/auto", (lm15.Message.user(text),), **parts)


TOOL = lm15.FunctionTool("weather", "The weather in a city.", {"type": "object", "properties": {}})


def test_a_program_runs_on_it(lm, town, registry):
    """A signature is filled; what it cost is in the registry's books."""
    town.script("first", Say("[[ ## answer ## ]]\n42\n\n[[ ## completed ## ]]"))
    with dspy.context(lm=lm):
        assert dspy.Predict("question -> answer")(question="6 * 7?").answer == "42"
    (row,) = [row for row in registry.usage.report(["tag"]).rows if row["tag"] == "dspy"]
    assert (row["requests"], row["cost_usd"] > 0) == (1, True)
    assert lm.history[-1]["usage"]["completion_tokens"] > 0


async def test_awaited_and_plain_calls_are_answered(lm, town):
    """Both of DSPy's engines ask the same registry."""
    town.script("first", Say("one"), Say("two"))
    assert lm("?") == ["one"]
    assert await lm.acall("?") == ["two"]


async def test_its_own_requests_have_all_facts(lm, town):
    """Text, end, tokens, and who answered at what cost."""
    town.script("first", Say("Paris"))
    answer = await lm.acall(asked("Capital?", system="Be brief.", config=lm15.Config(temperature=0.0, max_tokens=9)))
    assert (answer.message.text, answer.model, answer.finish_reason) == ("Paris", "first", "stop")
    assert answer.usage.output_tokens > 0
    assert answer.provider_data["cost_usd"] > 0


@pytest.mark.parametrize("plain", [True, False])
async def test_a_stream_brings_the_same(lm, town, plain):
    """A start, pieces, an end with the tokens; tool calls among the pieces."""
    town.script("first", Say("one two"), CallTool("weather", {"city": "Oslo"}))
    runs = []
    for request in (asked("?"), asked("?", tools=(TOOL,))):
        if plain:
            runs.append(list(lm.engine.stream(request)))
        else:
            runs.append([event async for event in lm._async_engine_spec.stream(request)])
    said = [event.delta.text for event in runs[0] if event.type == "delta"]
    assert "".join(said) == "one two"
    (call,) = [event.delta for event in runs[1] if event.type == "delta"]
    assert (call.name, call.input) == ("weather", '{"city": "Oslo"}')
    for events in runs:
        assert (events[0].type, events[-1].type) == ("start", "end")
        assert events[-1].usage.output_tokens is not None


def test_an_agent_survives_the_death_of_its_provider(lm, town, registry):
    """A ReAct program calls a tool; the provider dies; another model finishes."""

    def weather(city: str) -> str:
        """The weather in a city."""
        return f"rain in {city}"

    step = "[[ ## next_thought ## ]]\n{}\n\n[[ ## next_tool_name ## ]]\n{}\n\n[[ ## next_tool_args ## ]]\n{}\n\n"
    town.script("first", Say(step.format("look", "weather", '{"city": "Oslo"}')), *[Fail(503)] * 9)
    town.script(
        "second",
        Say(step.format("done", "finish", "{}")),
        Say("[[ ## reasoning ## ]]\nseen\n\n[[ ## answer ## ]]\nIt rains.\n\n[[ ## completed ## ]]"),
    )
    with dspy.context(lm=lm):
        result = dspy.ReAct("question -> answer", tools=[weather])(question="Weather in Oslo?")
    assert result.answer == "It rains."
    assert "rain in Oslo" in str(result.trajectory)
    assert registry.get_usage_summary("second").request_count == 2


def test_tools_go_out_and_calls_come_back(lm, town):
    """With the history of an earlier call."""
    town.script("first", CallTool("weather", {"city": "Oslo"}), Say("It rains."))
    first = lm(asked("Weather?", tools=(TOOL,)))
    (call,) = [part for part in first.message.parts if part.type == "tool_call"]
    assert (call.name, dict(call.input), first.finish_reason) == ("weather", {"city": "Oslo"}, "tool_call")
    told = lm15.Message("tool", (lm15.ToolResultPart(call.id, (lm15.TextPart("rain"),)),))
    history = (lm15.Message.user("Weather?"), first.message, told)
    assert lm(lm15.Request("orchestrator/auto", history, tools=(TOOL,))).message.text == "It rains."


@pytest.mark.parametrize(
    ("step", "kind", "cause"),
    [
        (Fail(401), lm15.AuthError, AuthenticationError),
        (Fail(429), lm15.RateLimitError, ProviderAPIError),
        (Fail(kind="context_length"), lm15.ContextLengthError, ProviderAPIError),
        (Fail(503), lm15.ServerError, ProviderAPIError),
    ],
)
def test_errors_are_dspys_with_ours_behind(lm, town, step, kind, cause):
    """So that a program that catches them goes on catching them."""
    town.break_provider("openai", step)
    with pytest.raises(kind) as caught:
        lm.engine.complete(asked("?"))
    assert isinstance(caught.value.__cause__, cause)


@pytest.mark.parametrize("streamed", [False, True])
async def test_awaited_errors_are_the_same(lm, town, streamed):
    """Of a whole answer, and of a stream that nobody can begin."""
    town.break_provider("openai", Fail(503))
    engine = lm._async_engine_spec
    with pytest.raises(lm15.ServerError) as caught:
        _ = [event async for event in engine.stream(asked("?"))] if streamed else await engine.complete(asked("?"))
    assert {attempt.model_id for attempt in caught.value.__cause__.attempts} == {"first", "second"}


@pytest.mark.parametrize("plain", [True, False])
async def test_a_stream_that_cannot_begin_begins_elsewhere(lm, town, plain):
    """The program sees one start and one answer."""
    town.break_model("first", Fail(503))
    engine = lm.engine if plain else lm._async_engine_spec
    events = list(engine.stream(asked("?"))) if plain else [event async for event in engine.stream(asked("?"))]
    assert [event.type for event in events].count("start") == 1
    assert events[-1].provider_data["model_name"] == "second"


def test_a_stream_that_breaks_says_so(registry, town):
    """Half an answer is no answer."""
    lm = orchestrator_lm(registry["first"], cache=False)
    town.break_model("first", CutStream(after_chunks=1, clean=True))
    with pytest.raises(lm15.ProviderError, match="ended before"):
        list(lm.engine.stream(asked("?")))
