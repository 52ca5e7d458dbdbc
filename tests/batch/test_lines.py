"""A line is OpenAI's batch format or a shorter form of it; what is wrong with one is its own affair."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.batch import Line, read_lines
from orchestrator.batch.lines import Defaults
from orchestrator.errors import ConfigurationError

BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}


def line_of(item, number=1, **defaults):
    """One line with these requirements as defaults."""
    return Line.of(number, json.dumps(item).encode(), Defaults(defaults))


@pytest.mark.parametrize(
    ("item", "model", "prompt"),
    [
        ("Hi", None, "Hi"),
        ({"prompt": "Hi"}, None, "Hi"),
        ({"prompt": ["Hi", {"type": "text", "text": "there"}]}, None, ["Hi", {"type": "text", "text": "there"}]),
        ({"messages": BODY["messages"], "model": "auto"}, None, BODY["messages"]),
        ({"prompt": "Hi", "model": "openai/gpt-4o"}, "openai/gpt-4o", "Hi"),
        ({"method": "POST", "url": "/v1/chat/completions", "body": BODY}, "gpt-4o-mini", BODY["messages"]),
        ({"body": {"messages": BODY["messages"]}}, None, BODY["messages"]),
    ],
)
def test_every_form_of_a_prompt_is_read(item, model, prompt):
    """A string, an object, or the whole format."""
    line = line_of(item)
    assert line.refused is None
    assert (line.asked.model, line.asked.prompt) == (model, prompt)


def test_requirements_go_to_the_engine_and_parameters_to_the_provider():
    """The line's own word wins over what holds for all."""
    line = line_of({"prompt": "Hi", "temperature": 0, "max_cost": 0.5, "tenant": "acme"}, max_cost=0.1, tags=["x"])
    assert line.asked.wanted == {"max_cost": 0.5, "tags": ["x"]}
    assert line.asked.params == {"temperature": 0, "tenant": "acme"}


def test_a_body_speaks_to_the_engine_through_its_extension():
    """As at the gateway."""
    line = line_of({"body": {**BODY, "orchestrator": {"provider": "openai", "deadline_s": 3}}})
    assert (line.asked.wanted, line.asked.params) == ({"provider": "openai"}, {"max_tokens": 5, "deadline_s": 3})


def test_parameters_for_all_lines_go_to_those_that_they_are_for():
    """Vectors have no temperature, and words no dimensions; what the line itself says is said."""
    defaults = {"temperature": 0, "dimensions": 8, "deadline_s": 9}
    vectors = {"url": "/v1/embeddings", "body": {"model": "m", "input": "x", "user": "u"}}
    own = {"url": "/v1/embeddings", "body": {"model": "m", "input": "x", "dimensions": 4}}
    words = {"url": "/v1/chat/completions", "body": {"messages": BODY["messages"]}}
    lines = read_lines([vectors, own, words, "Hi"], defaults)
    patient = {"wait_for_capacity": True, "deadline_s": 9}
    assert [line.asked.params for line in lines] == [
        {"dimensions": 8} | patient,
        {"dimensions": 4} | patient,
        {"temperature": 0} | patient,
        {"temperature": 0} | patient,
    ]


def test_completions_are_lines_as_well():
    """Several prompts on one line are answered on one line."""
    body = {"model": "gpt-4o-mini", "prompt": ["Hi", "Ho"], "n": 2, "echo": True}
    line = line_of({"url": "/v1/completions", "body": body})
    assert (line.asked.choices, line.asked.prompts, line.asked.echo) == (4, ("Hi", "Ho"), True)


def test_a_short_line_has_choices_and_no_stream():
    """A file has no use for a stream, and a provider that answers twice is paid twice."""
    line = line_of({"prompt": "Hi", "n": 2, "stream": True, "seed": 1})
    assert (line.asked.choices, line.asked.params) == (2, {"seed": 1})
    assert line_of({"prompt": "Hi", "n": 99}).refused.message == "n=99: give a whole number from 1 to 8"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "line 1 is no JSON"),
        (b"\xff\xfe", "line 1 is no JSON in UTF-8"),
        (b"[" * 100_000, "line 1 is no JSON"),
        (b"[1]", "line 1 is a list"),
        (b"3", "line 1 is a int"),
        (b"{}", "give one of 'prompt', 'messages'"),
        (b'{"prompt": ""}', "'prompt' is empty"),
        (b'""', "'prompt' is empty"),
        (b'{"prompt": "x", "messages": []}', "give one of"),
        (b'{"prompt": 3}', "a prompt is text"),
        (b'{"messages": [{"role": "nobody"}]}', "a message has a role among"),
        (b'{"prompt": "x", "max_costs": 1}', "did you mean 'max_cost'"),
        (b'{"prompt": "x", "orchestrator": {"max_costs": 1}}', "max_costs"),
        (b'{"prompt": "x", "custom_id": ""}', "custom_id is a text"),
        (b'{"custom_id": "a", "url": "/v1/images", "body": {}}', "url '/v1/images' is not served"),
        (b'{"custom_id": "a", "method": "GET", "body": {}}', "method POST"),
        (b'{"custom_id": "a", "body": {"model": "x"}}', "'messages' is missing"),
        (b'{"custom_id": "a", "body": {"messages": [], "orchestrator": 3}}', "messages"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(text, words):
    """In words that name the line or the member."""
    line = Line.of(1, text, Defaults())
    assert line.asked is None
    assert words in line.refused.message
    assert line.refused.kind == "invalid_request"


def test_an_id_that_is_used_again_is_refused(prompts):
    """Its answers could not be told apart; the line says where it was used first."""
    first, second, third = read_lines(prompts({"id": "a", "prompt": "1"}, "", {"id": "a", "prompt": "2"}, '"3"'))
    assert (first.custom_id, third.custom_id) == ("a", "line-4")
    assert "'a' stands on line 1 already" in second.refused.message
    assert second.custom_id == "line-3"


def test_items_may_come_from_code():
    """Strings and mappings, of which equal ones have equal digests."""
    one, two = read_lines(["Hi", {"prompt": "Hi", "id": 7}])
    assert (one.custom_id, two.custom_id) == ("line-1", "7")
    (again,) = read_lines(iter([{"id": 7, "prompt": "Hi"}]))
    assert again.digest == two.digest


def test_defaults_are_checked_before_anything_is_asked(prompts):
    """A misspelt one would fail every line."""
    with pytest.raises(TypeError, match="did you mean 'max_cost'"):
        read_lines(prompts('"Hi"'), {"max_costs": 1})
    with pytest.raises((TypeError, ValueError), match="max_cost"):
        read_lines(prompts('"Hi"'), {"max_cost": "much"})


def test_a_file_that_is_not_there_is_said(tmp_path):
    """Before a batch begins."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(read_lines(tmp_path / "nothing.jsonl"))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["prompt", "messages", "body", "url", "custom_id", "model", "orchestrator", "role", "content"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_line_breaks_the_reader(text):
    """Whatever stands there, it is asked or refused."""
    line = Line.of(1, text, Defaults())
    assert (line.asked is None) is (line.refused is not None)
