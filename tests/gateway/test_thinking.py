"""Models that think, asked through Anthropic's client: how much they shall, what they thought, and its seal."""

from contextlib import AsyncExitStack, asynccontextmanager

import anthropic
import pytest
from aiohttp import web

from orchestrator import AnthropicModel, ModelRegistry, OpenAIModel
from orchestrator.gateway import Gateway, GatewaySettings
from orchestrator.gateway.frames import event

ASK = [{"role": "user", "content": "What is 2 + 3?"}]
THOUGHT = {"type": "thinking", "thinking": "Two and three.", "signature": "sealed=="}
HIDDEN = {"type": "redacted_thinking", "data": "cipher"}
BUDGET = {"type": "enabled", "budget_tokens": 5_000}
USAGE = {"input_tokens": 9, "output_tokens": 20}


class Thinker:
    """An upstream that speaks as Claude does, thinking in the open and not before it says five; and as GPT does."""

    def __init__(self, *, counts=True):
        self.bodies = []
        self.counts = counts

    async def answer(self, http):
        body = await http.json()
        self.bodies.append(body)
        if http.path.endswith("count_tokens"):
            if self.counts is not True:
                return web.json_response({"type": "error", "error": {"type": "x", "message": "no"}}, status=self.counts)
            return web.json_response({"input_tokens": 42})
        if http.path.endswith("chat/completions"):
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "5"}}
            return web.json_response({"id": "c", "model": body["model"], "choices": [choice]})
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "usage": USAGE}
        if not body.get("stream"):
            content = [THOUGHT, HIDDEN, {"type": "text", "text": "5"}]
            return web.json_response({**message, "content": content, "stop_reason": "end_turn"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        for frame in self.frames(message):
            await response.write(event(frame, frame["type"]))
        return response

    @staticmethod
    def frames(message):
        yield {"type": "message_start", "message": {**message, "content": []}}
        yield {"type": "content_block_start", "index": 0, "content_block": {**THOUGHT, "thinking": "", "signature": ""}}
        for piece in ("Two and ", "three."):
            yield {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "thinking_delta", "thinking": piece},
            }
        yield {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "signature_delta", "signature": THOUGHT["signature"]},
        }
        yield {"type": "content_block_stop", "index": 0}
        yield {"type": "content_block_start", "index": 1, "content_block": HIDDEN}
        yield {"type": "content_block_stop", "index": 1}
        yield {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}}
        yield {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "5"}}
        yield {"type": "content_block_stop", "index": 2}
        yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE}
        yield {"type": "message_stop"}


@asynccontextmanager
async def served(thinker, *, cache_responses=False):
    """A gateway over Claude, a model of OpenAI's that reasons and one that does not; and a client in front."""
    app = web.Application()
    app.router.add_post("/{path:.*}", thinker.answer)
    runner = web.AppRunner(app)
    async with AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        there = {"api_key": "x", "base_url": f"http://127.0.0.1:{runner.addresses[0][1]}"}
        registry = ModelRegistry(seed=1, cache_responses=cache_responses)
        stack.push_async_callback(registry.cleanup)
        registry["claude"] = AnthropicModel("claude-sonnet-4-5", **there)
        for name in ("o3-mini", "gpt-4o"):
            registry[name] = OpenAIModel(name, **there)
        url = await stack.enter_async_context(Gateway(registry, GatewaySettings(port=0)).serving())
        client = anthropic.AsyncAnthropic(api_key="any", base_url=url, max_retries=0)
        yield await stack.enter_async_context(client)


@pytest.mark.parametrize("model", ["claude", "auto"])
async def test_a_thought_comes_back_whole(model):
    """With its seal, and what was kept hidden stays sealed; the wish goes upstream as it was said."""
    thinker = Thinker()
    async with served(thinker) as client:
        answer = await client.messages.create(
            model=model,
            max_tokens=9_000,
            messages=ASK,
            thinking=BUDGET,
            extra_body={"orchestrator": {"exclude_models": ["o3-mini"]}},
        )
    assert [block.model_dump(exclude_none=True) for block in answer.content[:2]] == [THOUGHT, HIDDEN]
    assert answer.content[2].text == "5"
    [body] = thinker.bodies
    assert body["thinking"] == BUDGET
    assert body["max_tokens"] == 9_000
    assert "output_config" not in body


async def test_a_thought_comes_in_pieces_with_its_seal_at_the_end():
    """The client's own reader puts the blocks together, what was kept hidden among them."""
    async with (
        served(Thinker()) as client,
        client.messages.stream(model="claude", max_tokens=9_000, messages=ASK, thinking=BUDGET) as stream,
    ):
        kinds = [event.type async for event in stream]
        final = await stream.get_final_message()
    assert {"thinking", "signature", "text"} <= set(kinds)
    assert [block.model_dump(exclude_none=True) for block in final.content[:2]] == [THOUGHT, HIDDEN]
    assert [block.type for block in final.content] == ["thinking", "redacted_thinking", "text"]


async def test_thoughts_go_back_to_who_thought_them():
    """As Anthropic wants them in the turn after a tool; one without a seal would be refused there, and stays out."""
    thinker = Thinker()
    unsealed = {"type": "thinking", "thinking": "of another", "signature": ""}
    call = {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 2}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "5"}
    turns = [
        *ASK,
        {"role": "assistant", "content": [THOUGHT, HIDDEN, unsealed, call]},
        {"role": "user", "content": [result]},
    ]
    async with served(thinker) as client:
        await client.messages.create(model="claude", max_tokens=9_000, messages=turns, thinking=BUDGET)
    assert thinker.bodies[0]["messages"][1]["content"] == [THOUGHT, HIDDEN, call]


async def test_an_adaptive_thinker_keeps_the_effort_that_was_asked():
    """`adaptive` and an effort belong together."""
    thinker = Thinker()
    async with served(thinker) as client:
        await client.messages.create(
            model="claude",
            max_tokens=99,
            messages=ASK,
            extra_body={"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        )
    assert thinker.bodies[0]["thinking"] == {"type": "adaptive"}
    assert thinker.bodies[0]["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(("budget", "effort"), [(1_024, "low"), (5_000, "medium"), (20_000, "high")])
async def test_models_of_others_are_told_an_effort(budget, effort):
    """By the size of the budget, and nothing that they would not understand."""
    thinker = Thinker()
    async with served(thinker) as client:
        thinking = {"type": "enabled", "budget_tokens": budget}
        await client.messages.create(model="o3-mini", max_tokens=30_000, messages=ASK, thinking=thinking, timeout=60)
    [body] = thinker.bodies
    assert body["reasoning_effort"] == effort
    assert "thinking" not in body


async def test_a_model_that_does_not_think_refuses_plainly():
    """Before anybody is paid; and thinking switched off is no wish."""
    thinker = Thinker()
    async with served(thinker) as client:
        with pytest.raises(anthropic.BadRequestError, match="'gpt-4o' is not known to have the capability 'reasoning'"):
            await client.messages.create(model="gpt-4o", max_tokens=9_000, messages=ASK, thinking=BUDGET)
        assert thinker.bodies == []
        await client.messages.create(model="gpt-4o", max_tokens=99, messages=ASK, thinking={"type": "disabled"})


@pytest.mark.parametrize(
    ("thinking", "words"),
    [
        ({"type": "loud"}, "has the type 'enabled', 'adaptive' or 'disabled'"),
        ({"type": "enabled"}, "'budget_tokens', a whole number"),
        ({"type": "enabled", "budget_tokens": 500}, "must be less than max_tokens"),
        ("much", "has the type"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(thinking, words):
    """And says what would."""
    async with served(Thinker()) as client:
        with pytest.raises(anthropic.BadRequestError, match=words):
            await client.messages.create(
                model="claude", max_tokens=500, messages=ASK, extra_body={"thinking": thinking}
            )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"output_config": {"effort": ["high"]}}, "output_config.effort is one of low"),
        ({"orchestrator": {"capabilities": 5}}, "capabilities is a name or a list of names, not 5"),
    ],
)
async def test_what_goes_with_a_wish_is_refused_in_words(more, words):
    """As it is without the wish."""
    body = {"thinking": {"type": "adaptive"}, **more}
    async with served(Thinker()) as client:
        with pytest.raises(anthropic.BadRequestError, match=words):
            await client.messages.create(model="auto", max_tokens=500, messages=ASK, extra_body=body)


async def test_tokens_are_counted_by_who_knows():
    """Claude is asked; of a model that does not tell, and of `auto`, there is an estimate that says it is one."""
    thinker = Thinker()
    tools = [{"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "number"}}}}]
    async with served(thinker) as client:
        count = client.messages.count_tokens
        known = await count(model="claude", messages=ASK, system="Be short.", tools=tools)
        plain, longer, anyone = [
            await count(model=model, messages=ASK, **more)
            for model, more in (("gpt-4o", {}), ("gpt-4o", {"tools": tools}), ("auto", {}))
        ]
        with pytest.raises(anthropic.BadRequestError, match="'messages' is missing"):
            await client.post("/v1/messages/count_tokens", body={"model": "claude"}, cast_to=object)
    assert (known.input_tokens, known.orchestrator) == (42, {"estimated": False})
    assert thinker.bodies[0].keys() == {"model", "messages", "system", "tools"}
    assert 0 < plain.input_tokens == anyone.input_tokens < longer.input_tokens
    assert plain.orchestrator == {"estimated": True}


@pytest.mark.parametrize("status", [404, 429, 401, 500, 529])
async def test_tokens_are_estimated_where_who_knows_does_not_tell(status):
    """Whatever failed there: a header says that nobody has counted."""
    async with served(Thinker(counts=status)) as client:
        raw = await client.messages.with_raw_response.count_tokens(model="claude", messages=ASK)
        plain = await client.messages.count_tokens(model="gpt-4o", messages=ASK)
    assert raw.headers["X-Orchestrator-Estimated"] == "true"
    counted = await raw.parse()
    assert counted.input_tokens == plain.input_tokens > 0


async def test_what_is_wrong_with_the_message_is_not_estimated_away():
    """Its count would fail again, and so would the message; and who has counted says nothing of an estimate."""
    async with served(Thinker(counts=400)) as client:
        with pytest.raises(anthropic.BadRequestError):
            await client.messages.count_tokens(model="claude", messages=ASK)
    async with served(Thinker()) as client:
        raw = await client.messages.with_raw_response.count_tokens(model="claude", messages=ASK)
    assert "X-Orchestrator-Estimated" not in raw.headers


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_thought_before_a_tool_is_thought_anew(streamed):
    """A remembered one has lost its seal, and without it the tool's result would be refused."""
    thinker, tools = Thinker(), [{"name": "add", "input_schema": {"type": "object"}}]
    async with served(thinker, cache_responses=True) as client:
        for _ in range(2):
            ask = {"model": "claude", "max_tokens": 9_000, "messages": ASK, "thinking": BUDGET, "tools": tools}
            if streamed:
                async with client.messages.stream(**ask) as stream:
                    answer = await stream.get_final_message()
            else:
                answer = await client.messages.create(**ask)
            assert answer.content[0].signature == THOUGHT["signature"]
    assert len(thinker.bodies) == 2


async def test_what_anthropic_shall_remember_of_a_prompt_is_marked_there_and_nowhere_else():
    """At the end of each part that bears a mark; models of others are sent none."""
    thinker, kept = Thinker(), {"type": "ephemeral", "ttl": "1h"}
    tools = [{"name": "add", "input_schema": {"type": "object"}, "cache_control": kept}]
    turns = [{"role": "user", "content": [{"type": "text", "text": "2 + 3?", "cache_control": kept}]}]
    ask = {"max_tokens": 99, "system": "Be short.", "tools": tools, "messages": turns}
    async with served(thinker) as client:
        await client.messages.create(model="claude", **ask)
        await client.messages.create(model="gpt-4o", **ask)
        await client.messages.create(model="claude", max_tokens=99, messages=ASK, cache_control={"type": "ephemeral"})
    marked, other, whole = thinker.bodies
    assert marked["tools"][-1]["cache_control"] == marked["messages"][-1]["content"][-1]["cache_control"] == kept
    assert marked["system"] == "Be short."
    assert "cache" not in str(other)
    assert whole["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}


async def test_a_mark_within_a_part_is_not_moved_to_what_varies_after_it():
    """A handbook that is kept and a question that is not: at the end of both the mark would cost and never pay."""
    thinker, kept = Thinker(), {"type": "text", "text": "A handbook.", "cache_control": {"type": "ephemeral"}}
    varying = {"type": "text", "text": "2 + 3?"}
    turns = [{"role": "user", "content": [kept, varying]}, {"role": "assistant", "content": "5"}, *ASK]
    async with served(thinker) as client:
        await client.messages.create(model="claude", max_tokens=99, system=[kept, varying], messages=turns)
        await client.messages.create(model="claude", max_tokens=99, messages=turns[:1])
        await client.messages.create(
            model="claude",
            max_tokens=99,
            messages=[{"role": "system", "content": "Be short."}],
            extra_body={"cache_control": {"type": "ephemeral"}},
        )
    assert "cache_control" not in str(thinker.bodies)
