"""The engine inside LangChain: a chat model like any other, and one that outlives its providers."""

import pytest
from adapter_stage import framework
from pydantic import BaseModel

from orchestrator.errors import OverloadedError, StreamTruncatedError
from orchestrator.testing import CallTool, CutStream, Fail, Say

framework("langchain_core")
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage  # noqa: E402 - after the skip
from langchain_core.tools import tool  # noqa: E402 - after the skip

from orchestrator.adapters.langchain import OrchestratorChat, OrchestratorEmbeddings  # noqa: E402 - after the skip


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


class City(BaseModel):
    """A city."""

    name: str


@pytest.fixture
def chat(registry):
    return OrchestratorChat(registry)


async def test_it_answers_and_says_who_and_at_what_cost(chat, town):
    """Facts stand in the metadata, tokens in LangChain's own form."""
    town.script("first", Say("Paris"))
    answer = await chat.ainvoke([SystemMessage("Be brief."), HumanMessage("Capital of France?")])
    assert answer.text == "Paris"
    facts = answer.response_metadata
    assert (facts["model_name"], facts["finish_reason"]) == ("first", "stop")
    tokens = answer.usage_metadata
    assert facts["cost_usd"] == pytest.approx((tokens["input_tokens"] + 2 * tokens["output_tokens"]) / 1e6)


def test_plain_code_asks_and_streams(chat, town):
    """`invoke`, `stream` and `batch` without an event loop."""
    town.script("first", Say("one"), Say("two three"))
    assert chat.invoke("?").text == "one"
    assert [piece.text for piece in chat.stream("?")] == ["two ", "three", ""]
    assert len(chat.batch(["a", "b"])) == 2


async def test_pieces_add_up_to_the_whole(chat, town):
    """The sum of the pieces has text, tokens and metadata."""
    town.script("first", Say("one two three"))
    pieces = [piece async for piece in chat.astream("?")]
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    assert whole.text == "one two three"
    assert whole.usage_metadata["output_tokens"] > 0
    assert whole.response_metadata["attempts"][0]["model_id"] == "first"


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_are_called_and_their_results_go_back(chat, town, streamed):
    """A call has name, arguments and id; the turn with its result is understood."""
    town.script("first", CallTool("weather", {"city": "Oslo"}), Say("It rains."))
    bound = chat.bind_tools([weather])
    if streamed:
        said = None
        async for piece in bound.astream("Weather in Oslo?"):
            said = piece if said is None else said + piece
    else:
        said = await bound.ainvoke("Weather in Oslo?")
    (call,) = said.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Oslo"})
    told = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    last = await bound.ainvoke([HumanMessage("Weather?"), AIMessage("", tool_calls=said.tool_calls), told])
    assert last.text == "It rains."


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("function_calling", CallTool("City", {"name": "Rome"})),
        ("json_schema", Say('{"name": "Rome"}')),
        ("json_mode", Say('{"name": "Rome"}')),
    ],
)
async def test_structured_output_is_an_object(chat, town, method, step):
    """By a tool, by a schema or by JSON mode, also with the raw message beside it."""
    town.script("first", step, step)
    assert await chat.with_structured_output(City, method=method).ainvoke("Where?") == City(name="Rome")
    both = await chat.with_structured_output(City, method=method, include_raw=True).ainvoke("Where?")
    assert (both["parsed"], both["parsing_error"]) == (City(name="Rome"), None)


async def test_an_unknown_method_is_refused(chat):
    """With the names of those there are."""
    with pytest.raises(ValueError, match=r"'telepathy'.*json_schema"):
        chat.with_structured_output(City, method="telepathy")


@pytest.mark.parametrize("step", [Fail(503), Fail(401), CutStream(after_chunks=0)])
async def test_another_model_takes_over(chat, town, step):
    """The program sees an answer; the metadata names who failed."""
    town.break_model("first", step)
    whole = await chat.ainvoke("?")
    pieces = [piece async for piece in chat.astream("?")]
    assert whole.response_metadata["model_name"] == "second"
    assert pieces[-1].response_metadata["model_name"] == "second"
    assert whole.response_metadata["attempts"][0]["error_type"] is not None


async def test_when_all_fail_the_error_is_the_engines(chat, town):
    """It says who was tried; LangChain's fallbacks go on with another model."""
    town.break_provider("openai", Fail(503))
    with pytest.raises(OverloadedError) as caught:
        await chat.ainvoke("?")
    assert {attempt.model_id for attempt in caught.value.attempts} == {"first", "second"}
    from langchain_core.language_models import FakeListChatModel

    assert (await chat.with_fallbacks([FakeListChatModel(responses=["at last"])]).ainvoke("?")).text == "at last"


async def test_half_a_stream_is_an_error(registry, town):
    """What came before it stays in `text_so_far`; when nobody can begin, the error names all who were tried."""
    town.break_provider("openai", CutStream(after_chunks=1, clean=True))
    with pytest.raises(StreamTruncatedError) as caught:
        _ = [piece async for piece in OrchestratorChat(registry["first"]).astream("?")]
    assert caught.value.text_so_far
    town.break_provider("openai", Fail(503))
    with pytest.raises(OverloadedError) as caught:
        _ = list(OrchestratorChat(registry).stream("?"))
    assert {attempt.model_id for attempt in caught.value.attempts} == {"first", "second"}


async def test_an_agent_survives_the_death_of_its_provider(chat, town, registry):
    """Between the call of a tool and the answer another model takes over; every piece of the run says its cost."""
    framework("langchain")
    from langchain.agents import create_agent

    town.script("first", CallTool("weather", {"city": "Oslo"}), *[Fail(503)] * 4)
    town.script("second", Say("It rains."))
    result = await create_agent(chat, tools=[weather]).ainvoke({"messages": [("user", "Weather in Oslo?")]})
    said = [message for message in result["messages"] if message.type == "ai"]
    assert [message.response_metadata["model_name"] for message in said] == ["first", "second"]
    assert said[-1].text == "It rains."
    spent = sum(registry.get_usage_summary(name).cost_usd for name in ("first", "second"))
    assert sum(message.response_metadata["cost_usd"] for message in said) == pytest.approx(spent)


async def test_requirements_hold_for_every_call_and_can_be_changed_by_one(registry, town):
    """`wanted` is where they stand; what a call says comes first."""
    chat = OrchestratorChat(registry, wanted={"models": ["second"], "usage_tags": ["agent"]})
    assert (await chat.ainvoke("?")).response_metadata["model_name"] == "second"
    assert (await chat.ainvoke("?", models=["first"])).response_metadata["model_name"] == "first"
    rows = {row["tag"]: row["requests"] for row in registry.usage.report(["tag"]).rows}
    assert rows["agent"] == 2


async def test_embeddings_come_from_one_model(embedder):
    """Vectors in order, awaited or not; a registry is refused, since its models' vectors cannot be compared."""
    vectors = OrchestratorEmbeddings(embedder)
    two = await vectors.aembed_documents(["a", "b"])
    assert await vectors.aembed_query("a") == two[0] != two[1]
    with pytest.raises(TypeError, match="one Model"):
        OrchestratorEmbeddings("text-embedding-3-small")


def test_embeddings_for_plain_code(embedder):
    """Without an event loop."""
    vectors = OrchestratorEmbeddings(embedder)
    assert vectors.embed_documents(["a"]) == [vectors.embed_query("a")]
