"""Members of a body that are not what they should be are refused by name, in every dialect, before anybody is asked."""

import copy

import pytest
from gateway_stage import stage
from hypothesis import given, settings
from hypothesis import strategies as st
from test_requests import post

from orchestrator.errors import OrchestratorError
from orchestrator.gateway.asking import completed
from orchestrator.gateway.dialects import (
    anthropic_messages,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from orchestrator.gateway.refusals import refusal_of
from orchestrator.testing import EmulatedModel

ASK = [{"role": "user", "content": "hi"}]
CHAT = {"model": "auto", "messages": ASK}
COMPLETION = {"model": "auto", "prompt": "hi"}
MESSAGE = CHAT | {"max_tokens": 9}
RESPONSE = {"model": "auto", "input": "hi"}
VECTORS = {"model": "first", "input": "hi"}
PATHS = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETION,
    "/v1/messages": MESSAGE,
    "/v1/responses": RESPONSE,
    "/v1/embeddings": VECTORS,
}
TALKS = [path for path in PATHS if path != "/v1/embeddings"]
TOOL = {"name": "now", "input_schema": {"type": "object"}}


def message_of(answer):
    """What a refusal says, in either shape."""
    return answer["error"]["message"]


@pytest.mark.parametrize("path", TALKS)
@pytest.mark.parametrize("value", ["yes", 1, 0, "false", [], {}])
async def test_a_stream_is_wished_for_by_true_and_by_nothing_else(served, path, value):
    """Anything else is more likely a mistake than a wish."""
    status, _, answer = await post(served, PATHS[path] | {"stream": value}, path=path)
    assert status == 400
    assert "'stream' must be true or false, not " in message_of(answer)
    assert not served.emulator.requests


@pytest.mark.parametrize("path", TALKS)
@pytest.mark.parametrize("value", [None, False])
async def test_null_is_as_if_nothing_had_been_said(served, path, value):
    """Clients send null for what they leave out."""
    status, headers, _ = await post(served, PATHS[path] | {"stream": value, "temperature": None}, path=path)
    assert (status, headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("path", "more", "told"),
    [
        ("/v1/chat/completions", {"temperature": "hot"}, "'temperature' must be a number, not 'hot'"),
        ("/v1/chat/completions", {"temperature": True}, "'temperature' must be a number, not true"),
        ("/v1/chat/completions", {"max_tokens": 0}, "'max_tokens' must be a whole number above 0, not 0"),
        ("/v1/chat/completions", {"max_completion_tokens": 1.5}, "must be a whole number above 0, not 1.5"),
        ("/v1/chat/completions", {"n": "2"}, "n='2': give a whole number from 1 to 8"),
        ("/v1/chat/completions", {"stop": [1]}, "'stop' must be a text or a list of texts, not a list"),
        ("/v1/chat/completions", {"logprobs": 5}, "'logprobs' must be true or false, not 5"),
        ("/v1/chat/completions", {"stream_options": True}, "'stream_options' must be an object, not true"),
        (
            "/v1/chat/completions",
            {"stream_options": {"include_usage": "yes"}},
            "'include_usage' of 'stream_options' must be true or false, not 'yes'",
        ),
        ("/v1/chat/completions", {"tools": {"a": 1}}, "'tools' must be a list of objects, not an object"),
        ("/v1/chat/completions", {"tool_choice": "perhaps"}, "'none', 'auto', 'required' or an object"),
        ("/v1/chat/completions", {"parallel_tool_calls": "no"}, "'parallel_tool_calls' must be true or false"),
        ("/v1/chat/completions", {"response_format": {"type": "xml"}}, "'text', 'json_object' or 'json_schema'"),
        ("/v1/chat/completions", {"functions": [{}]}, "'functions' is not served any more: give 'tools'"),
        ("/v1/chat/completions", {"orchestrator": {"cache": "yes"}}, "'cache' of orchestrator must be true or false"),
        ("/v1/chat/completions", {"model": 5}, "'model' must be the id of a model, a profile's name or 'auto', not 5"),
        ("/v1/chat/completions", {"modalities": ["text", "audio"]}, "answers in words alone are served"),
        ("/v1/messages", {"mcp_servers": [{"url": "x"}]}, "'mcp_servers' is kept and run by Anthropic"),
        ("/v1/messages", {"container": "c"}, "'container' is kept and run by Anthropic"),
        ("/v1/completions", {"echo": "yes"}, "'echo' must be true or false, not 'yes'"),
        ("/v1/messages", {"max_tokens": "9"}, "'max_tokens' must be a whole number above 0, not '9'"),
        ("/v1/messages", {"top_k": "9"}, "'top_k' must be a whole number, not '9'"),
        ("/v1/messages", {"stop_sequences": "x"}, "'stop_sequences' must be a list of texts, not 'x'"),
        ("/v1/messages", {"tools": [TOOL], "tool_choice": "auto"}, "'tool_choice' must be an object, not 'auto'"),
        ("/v1/messages", {"tools": [TOOL], "tool_choice": {"type": "must"}}, "tool_choice.type='must': give one of"),
        ("/v1/messages", {"tools": [TOOL], "tool_choice": {"type": "tool"}}, "'name' of 'tool_choice' is missing"),
        (
            "/v1/messages",
            {"tools": [TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": "yes"}},
            "'disable_parallel_tool_use' of 'tool_choice' must be true or false",
        ),
        ("/v1/messages", {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, "run on a server"),
        ("/v1/messages", {"output_config": {"format": "json"}}, "has the type 'json_schema' and a 'schema'"),
        ("/v1/responses", {"instructions": 5}, "'instructions' must be a text, not 5"),
        ("/v1/responses", {"text": "json"}, "'text' must be an object, not 'json'"),
        ("/v1/responses", {"text": {"format": "json"}}, "'format' of 'text' must be an object, not 'json'"),
        ("/v1/responses", {"reasoning": {"effort": 5}}, "'effort' of 'reasoning' must be a text, not 5"),
        ("/v1/responses", {"background": True}, "'background' is not served"),
        ("/v1/responses", {"input": [{"role": "poet"}]}, "has a role among user, assistant, system, developer"),
        ("/v1/embeddings", {"dimensions": "x"}, "'dimensions' must be a whole number above 0, not 'x'"),
        ("/v1/embeddings", {"encoding_format": []}, "'encoding_format' must be 'float' or 'base64'"),
        ("/v1/feedback", {"response_id": "r", "quality": True}, "'quality' must be a number from 0 to 1, not true"),
    ],
)
async def test_a_member_of_the_wrong_kind_is_named_with_what_would_do(served, path, more, told):
    """The member, its value, and what is accepted; nobody is asked."""
    status, _, answer = await post(served, PATHS.get(path, {}) | more, path=path)
    assert status == 400
    assert told in message_of(answer)
    assert not served.emulator.requests


async def test_the_member_is_told_apart_where_the_dialect_has_a_place_for_it(served):
    """OpenAI's errors have a `param`; Anthropic's have none."""
    _, _, answer = await post(served, CHAT | {"top_p": "all"})
    assert (answer["error"]["param"], answer["error"]["type"]) == ("top_p", "invalid_request_error")
    _, _, answer = await post(served, MESSAGE | {"top_p": "all"}, path="/v1/messages")
    assert answer["error"].keys() == {"type", "message"}


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (
            {"role": "user", "content": [{"type": "text", "text": None}]},
            "'text' of a text block must be a text, not null",
        ),
        ({"role": "user", "content": [{"type": "tool_result", "content": "5"}]}, "'tool_use_id' of a tool's result"),
        ({"role": "assistant", "content": [{"type": "tool_use", "id": "t"}]}, "'name' of a call of a tool is missing"),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": "x"}]},
            "the 'input' of a call of a tool is an object",
        ),
        (
            {"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]},
            "'data' of an image is missing",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document"}]}],
            },
            "blocks of type 'document' are not served in a tool's result",
        ),
    ],
)
async def test_a_block_that_lacks_something_is_no_word_none(served, turn, told):
    """What is missing is not made up."""
    status, _, answer = await post(served, MESSAGE | {"messages": [turn]}, path="/v1/messages")
    assert (status, told in message_of(answer)) == (400, True)


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ({"role": "assistant", "tool_calls": "x"}, "tool_calls of a message are a list"),
        ({"role": "assistant", "tool_calls": ["x"]}, "a tool call has a 'function'"),
        ({"role": "tool", "content": "5", "tool_call_id": 5}, "tool_call_id of a message is text"),
        ({"role": "user", "content": [{"type": "text", "text": None}]}, "a part of type 'text' cannot be read"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,x"}}]},
            "the content of a data: URL is not base64",
        ),
    ],
)
async def test_a_turn_that_lacks_something_is_told_so(served, turn, told):
    """And is no fault of the gateway's."""
    status, _, answer = await post(served, CHAT | {"messages": [turn]})
    assert (status, told in message_of(answer)) == (400, True)


async def test_no_word_of_a_prompt_is_repeated_in_a_refusal():
    """Where the value may be one, only its kind is told."""
    secret = "the launch code is 0000"
    wrong = {
        "/v1/chat/completions": {"messages": secret},
        "/v1/messages": {"messages": [{"role": "user", "content": [{"type": "text", "text": [secret]}]}]},
        "/v1/completions": {"prompt": [secret, 5]},
        "/v1/responses": {"input": [secret]},
        "/v1/embeddings": {"input": {"text": secret}},
    }
    async with stage(EmulatedModel("first")) as served:
        for path, more in wrong.items():
            status, _, answer = await post(served, PATHS[path] | more, path=path)
            assert (status, "launch" in message_of(answer)) == (400, False)


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}
WHOLE = [
    (
        openai_chat,
        {
            "model": "m",
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "hi"}, PICTURE]},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": "5", "tool_call_id": "c1"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
            "stream_options": {"include_usage": True},
            "orchestrator": {"max_cost": 1, "objective": {"cost": 1}, "cache": False, "models": ["m"]},
        },
    ),
    (openai_completions, {"model": "m", "prompt": ["hi", "ho"], "n": 2, "logprobs": 1, "stop": ["x"], "echo": False}),
    (
        anthropic_messages,
        {
            "model": "m",
            "max_tokens": 9_999,
            "system": [{"type": "text", "text": "Be short."}],
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "aaaa"}}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "5"}]}
                    ],
                },
            ],
            "tools": [TOOL],
            "tool_choice": {"type": "tool", "name": "now"},
            "thinking": {"type": "enabled", "budget_tokens": 1_024},
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        },
    ),
    (
        openai_responses,
        {
            "model": "m",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "5"}]},
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
            "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}},
            "reasoning": {"effort": "low"},
            "include": ["message.output_text.logprobs"],
        },
    ),
    (openai_embeddings, {"model": "m", "input": ["hi"], "dimensions": 8, "encoding_format": "float"}),
]


def places(value, at=()):
    """The way to every value inside."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*at, key))


OTHER_PROMPTS = {"messages", "input", "inputs", "contents", "prompt", "system", "systemInstruction", "instructions"}


@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path in TALKS[:2] for name in sorted(OTHER_PROMPTS - PATHS[path].keys())]
)
async def test_no_prompt_slips_past_the_engine_under_the_name_that_a_provider_has_for_it(served, path, name):
    """What is estimated, limited and remembered is what is asked."""
    status, _, answer = await post(served, PATHS[path] | {name: [{"role": "user", "content": "Another"}]}, path=path)
    assert (status, answer["error"]["param"]) == (400, name)
    assert message_of(answer) == f"'{name}' is not served here: leave it out"
    assert not served.emulator.requests
    assert (await post(served, PATHS[path] | {name: None}, path=path))[0] == 200


@pytest.mark.parametrize("name", ["deadline_s", "priority", "hedge", "tenant"])
async def test_what_the_engine_reads_is_said_to_the_engine(served, name):
    """A provider that has a word of the same name never sees it, so the caller is told where ours is."""
    status, _, answer = await post(served, CHAT | {name: 5})
    assert (status, answer["error"]["param"]) == (400, name)
    assert message_of(answer) == f"'{name}' is said to the engine: put it into 'orchestrator'"


def with_other(body, place, other):
    """The body with another value there."""
    changed = copy.deepcopy(body)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = other
    return changed


CASES = [(dialect, body, place) for dialect, body in WHOLE for place in places(body) if place]
ODD = st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.text(max_size=3)
ODD |= st.lists(ODD, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "name", "x"]), ODD, max_size=2)


@settings(max_examples=800, deadline=None)
@given(st.sampled_from(CASES), ODD)
def test_whatever_stands_in_a_body_is_read_or_refused_and_is_no_fault_of_ours(case, odd):
    """One value anywhere is another: the dialect says so in words, or the request can be made."""
    dialect, body, place = case
    changed, refusal = with_other(body, place, odd), None
    try:
        asked = completed(dialect.read(changed), {}, changed.get("orchestrator"), key=None, profiles={})
        if dialect is not openai_embeddings:
            for choice in range(asked.choices):
                asked.request(choice)
    except (OrchestratorError, TypeError, ValueError) as error:
        refusal = refusal_of(error)
    if refusal is not None:
        assert refusal.status == 400
        assert not any(word in refusal.message for word in ("attribute", "object is not", "unhashable", "supported"))


def test_every_whole_body_is_read():
    """So that a refusal in the test above is of what was changed."""
    for dialect, body in WHOLE:
        asked = completed(dialect.read(body), {}, body.get("orchestrator"), key=None, profiles={})
        assert asked.model == "m"
