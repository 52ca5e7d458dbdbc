"""Functions a model may ask for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.tools import Tool, ToolCall

JSON_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_arguments_are_the_same_as_text_and_as_an_object(arguments):
    """A call reads the same from JSON text and from an object, and goes back out as it came."""
    from_text, from_object = (ToolCall.read("f", raw) for raw in (json.dumps(arguments), arguments))
    assert from_text == from_object
    assert json.loads(from_text.arguments_json) == arguments
    assert not from_text.broken


@given(st.text())
def test_no_text_whatever_breaks_the_reader(raw):
    """What is no JSON object is kept as raw text and marked as broken."""
    call = ToolCall.read("f", raw)
    assert call.broken is not isinstance(call.arguments, dict)


def test_deeply_nested_arguments_are_kept_as_text():
    """Nesting that would exhaust the stack is broken text, not a crash."""
    assert ToolCall.read("f", "[" * 100_000).broken


@pytest.mark.parametrize("spec", [{}, {"function": None}, {"function": {"name": 7}}, {"name": None}, "now", None])
def test_what_is_no_tool_is_refused(spec):
    """A tool without a name is a TypeError that says what a tool is."""
    with pytest.raises(TypeError, match="a tool is"):
        Tool.of(spec)
