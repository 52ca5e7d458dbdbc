"""The engine inside LlamaIndex: chat, completion, tools, agents."""

import pytest
from adapter_stage import framework

from orchestrator.errors import OverloadedError, StreamTruncatedError
from orchestrator.testing import CallTool, CutStream, Fail, Say

framework("llama_index.core")
from llama_index.core.agent.workflow import FunctionAgent  # noqa: E402 - after the skip
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock  # noqa: E402 - after the skip
from llama_index.core.tools import FunctionTool  # noqa: E402 - after the skip
from pydantic import BaseModel  # noqa: E402 - after the skip

from orchestrator.adapters.llama_index import OrchestratorLLM  # noqa: E402 - after the skip

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library about itself
ASK = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content="?")]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


class City(BaseModel):
    """A city."""

    name: str


TOOL = FunctionTool.from_defaults(weather)


@pytest.fixture
def llm(registry):
    return OrchestratorLLM(registry)


async def test_it_answers_and_says_who_and_at_what_cost(llm, town):
    """The facts are in `raw`."""
    town.script("first", Say("Paris"), Say("Paris"))
    answer = await llm.achat(ASK)
    assert answer.message.content == "Paris"
    assert (answer.raw["model_name"], answer.raw["finish_reason"]) == ("first", "stop")
    assert answer.raw["cost_usd"] > 0
    assert (await llm.acomplete("?")).text == "Paris"


def test_plain_code_asks_and_streams(llm, town):
    """All the ways without an event loop."""
    town.script("first", Say("one"), Say("two"), Say("three four"), Say("five six"))
    assert llm.chat(ASK).message.content == "one"
    assert llm.complete("?").text == "two"
    assert [piece.delta for piece in llm.stream_chat(ASK)] == ["three ", "four", ""]
    assert [piece.text for piece in llm.stream_complete("?")] == ["five ", "five six", "five six"]


async def test_a_stream_grows_to_the_answer(llm, town):
    """Each piece has what came so far; the last has the facts."""
    town.script("first", Say("one two"), Say("three four"))
    pieces = [piece async for piece in await llm.astream_chat(ASK)]
    assert [piece.message.content for piece in pieces] == ["one ", "one two", "one two"]
    assert pieces[-1].raw["model_name"] == "first"
    assert [piece.delta async for piece in await llm.astream_complete("?")] == ["three ", "four", ""]


async def test_tools_are_called(llm, town):
    """Whole and streamed; an answer without a call is an error where one is needed."""
    call = CallTool("weather", {"city": "Oslo"})
    town.script("first", call, call, Say("no"))
    whole = await llm.achat_with_tools([TOOL], "Weather?", tool_required=True)
    (chosen,) = llm.get_tool_calls_from_response(whole)
    assert (chosen.tool_name, chosen.tool_kwargs) == ("weather", {"city": "Oslo"})
    last = [piece async for piece in await llm.astream_chat_with_tools([TOOL], "Weather?")][-1]
    assert llm.get_tool_calls_from_response(last)[0].tool_name == "weather"
    with pytest.raises(ValueError, match="calls no tool"):
        llm.get_tool_calls_from_response(await llm.achat_with_tools([TOOL], "Weather?"))


async def test_structured_output_is_an_object(llm, town):
    """By a tool, as LlamaIndex asks function-calling models."""
    town.script("first", CallTool("City", {"name": "Rome"}))
    answer = await llm.as_structured_llm(City).achat([ChatMessage(role="user", content="Where?")])
    assert answer.raw == City(name="Rome")


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_agent_survives_the_death_of_its_provider(llm, town, registry, streaming):
    """Between the call of a tool and the answer another model takes over, whole or streamed."""
    town.script("first", CallTool("weather", {"city": "Oslo"}), *[Fail(503)] * 4)
    town.script("second", Say("It rains."))
    agent = FunctionAgent(tools=[TOOL], llm=llm, streaming=streaming)
    assert str(await agent.run("Weather in Oslo?")) == "It rains."
    assert registry.get_usage_summary("first").request_count == registry.get_usage_summary("second").request_count == 1


async def test_when_all_fail_the_error_is_the_engines(llm, town):
    """With who was tried."""
    town.break_provider("openai", Fail(503))
    with pytest.raises(OverloadedError) as caught:
        await llm.achat(ASK)
    assert {attempt.model_id for attempt in caught.value.attempts} == {"first", "second"}
    with pytest.raises(OverloadedError):
        _ = [piece async for piece in await llm.astream_chat(ASK)]


@pytest.mark.parametrize("plain", [True, False])
async def test_half_a_stream_is_an_error(registry, town, plain):
    """What came before it stays in `text_so_far`."""
    llm = OrchestratorLLM(registry["first"])
    town.break_model("first", CutStream(after_chunks=1, clean=True))
    with pytest.raises(StreamTruncatedError) as caught:
        _ = list(llm.stream_chat(ASK)) if plain else [piece async for piece in await llm.astream_complete("?")]
    assert caught.value.text_so_far


async def test_a_stream_that_cannot_begin_begins_elsewhere(llm, town):
    """The reader sees one answer; the last piece says who was tried."""
    town.break_model("first", Fail(503))
    pieces = [piece async for piece in await llm.astream_chat(ASK)]
    assert [attempt["model_id"] for attempt in pieces[-1].raw["attempts"]][-1] == "second"


async def test_pictures_are_understood(llm):
    """A turn of text and image."""
    turn = ChatMessage(role="user", blocks=[TextBlock(text="Look"), ImageBlock(image=b"\x89PNG\r\n\x1a\n")])
    assert (await llm.achat([turn])).message.content


def test_the_window_is_the_largest(llm):
    """Unknown windows leave LlamaIndex's own default."""
    assert llm.metadata.is_function_calling_model
    assert llm.metadata.model_name == "auto"
