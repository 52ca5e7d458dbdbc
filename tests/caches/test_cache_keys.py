"""The key of a request: equal for equal questions, different for whatever could change the answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cache_asking import Echo
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.caching import keys
from orchestrator.core.caching.keys import CALL_OPTIONS, IRRELEVANT, canonical, digest_of, key_of, label, pool_of
from orchestrator.core.messages import Message, Request
from orchestrator.core.tools import ToolCall

MODEL = Echo()
PNG = b"\x89PNG..."
TOOL = {"name": "now", "description": "the time", "parameters": {"type": "object"}}

texts = st.text(max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
names = texts.filter(
    lambda name: name not in IRRELEVANT | {"system", "tools", "tool_choice", "response_format", "tenant"}
)
questions = st.fixed_dictionaries(
    {"prompt": texts},
    optional={
        "system": texts,
        "tenant": st.text(min_size=1, max_size=20),
        "temperature": st.floats(0, 2),
        "tools": st.just([TOOL]),
        "tool_choice": texts,
        "response_format": st.just({"type": "object"}),
        "params": st.dictionaries(names, plain, max_size=3),
    },
)


def asked(question):
    """The request of a generated question."""
    rest = {name: value for name, value in question.items() if name not in ("prompt", "params")}
    return Request.of(question["prompt"], **{**question.get("params", {}), **rest})


def spelled(request):
    """All that is asked, so that only equal requests look equal, whatever the order of their keys."""
    asked_for = [request.messages, request.params, request.tools, request.tool_choice, request.response_format]
    return json.dumps([*asked_for, request.tenant], sort_keys=True)


@settings(deadline=None)
@given(questions, questions)
def test_two_questions_share_a_key_only_when_they_are_the_same(one, other):
    """Prompt, system, tenant, tools, format and every parameter are part of the key."""
    one, other = asked(one), asked(other)
    assert (key_of(MODEL, one) == key_of(MODEL, other)) is (spelled(one) == spelled(other))


@pytest.mark.parametrize(
    "other",
    [
        Echo(name="echo2"),
        Echo(provider="elsewhere"),
        Echo(version="2"),
        Echo(base_url="https://other.example"),
        Echo(id="mine/echo"),
        None,
    ],
    ids=["name", "provider", "version", "address", "id", "any model"],
)
def test_two_models_never_share_a_key(other):
    """Whoever might answer differently has entries of its own."""
    request = Request.of("Hello")
    assert key_of(MODEL, request) != key_of(other, request)


TURN = {
    "role": "system",
    "content": "other words",
    "tool_calls": (ToolCall("f", {}, "1"),),
    "tool_call_id": "1",
    "name": "somebody",
    "thoughts": ({"type": "thinking", "thinking": "hm", "signature": "s"},),
}


@pytest.mark.parametrize("field", Message._fields)
def test_every_field_of_a_turn_is_part_of_the_question(field):
    """Whatever a turn gets one day is told apart, or this test asks for it."""
    said = Message("user", "Hello")
    keys = [key_of(MODEL, Request([], (turn,), {})) for turn in (said, said._replace(**{field: TURN[field]}))]
    assert keys[0] != keys[1]


def test_a_turn_without_thoughts_keeps_the_key_it_had_before_there_were_any():
    """What is on disk is still found."""
    turn = Message("user", "Hello", thoughts=())
    assert key_of(MODEL, Request("Hello", (turn,), {})) == key_of(MODEL, Request.of("Hello"))
    assert key_of(MODEL, Request.of("Hello")).rpartition(".")[2].startswith("fee67dffed1b6edf")


def test_two_keys_of_one_account_never_share_an_entry():
    """Which key pays is part of the question, the key itself is nowhere in it."""

    class Keyed(Echo):
        key_id = "k-1"

    class OtherKey(Echo):
        key_id = "k-2"

    assert key_of(Keyed(), Request.of("Hello")) != key_of(OtherKey(), Request.of("Hello"))


def test_what_is_wanted_is_part_of_a_question_to_any_model():
    """A cheaper answer may be another answer."""
    request = Request.of("Hello")
    assert key_of(None, request, {"max_cost": 0.01}) != key_of(None, request, {"max_cost": 0.02})


@pytest.mark.parametrize(
    "other",
    [
        [Echo()],
        [Echo(), Echo("other", version="2")],
        [Echo(), Echo("other", base_url="https://other.example")],
        [Echo(), Echo("other"), Echo("third")],
        [],
    ],
    ids=["fewer", "another version", "another address", "more", "none"],
)
def test_two_pools_of_models_never_share_a_question_to_any_model(other):
    """Who might answer is part of what is wanted; the order of registration is not."""
    one = [Echo(), Echo("other")]
    assert pool_of(one) == pool_of(reversed(one))
    assert pool_of(one) != pool_of(other)


@pytest.mark.parametrize("name", sorted(IRRELEVANT))
def test_what_cannot_change_an_answer_is_left_out(name):
    """Limits on time, forms of delivery and labels of a call make no new question."""
    assert key_of(MODEL, Request.of("Hello", **{name: 7})) == key_of(MODEL, Request.of("Hello"))


def test_the_cache_s_own_words_are_among_them():
    """`cache=True` finds what a plain call has stored."""
    assert CALL_OPTIONS <= IRRELEVANT


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What?", [PNG, "What?"]),
        ([PNG, "What?"], [PNG + b"!", "What?"]),
        ([PNG, "What?"], ["What?", PNG]),
        ("a", [{"role": "assistant", "content": "a"}]),
        ("ab", ["a", "b"]),
        ("\ud800", "\udfff"),
        ("a\n*{}", "a*{}"),
    ],
    ids=["picture", "other picture", "order", "role", "parts", "half a surrogate pair", "patterns"],
)
def test_prompts_of_every_form_are_told_apart(one, other):
    """Text, parts, pictures and turns."""
    assert key_of(MODEL, Request.of(one)) != key_of(MODEL, Request.of(other))


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, "1"), (0, None), ([], {}), (b"a", "a"), ({"a"}, ["a"])])
def test_values_of_different_kinds_are_told_apart(one, other):
    """1 is not True, nothing is not none."""
    assert digest_of(one) != digest_of(other)


def test_the_order_of_names_does_not_matter():
    """A mapping is the same whichever way it was built."""
    assert key_of(MODEL, Request.of("?", a=1, b=2)) == key_of(MODEL, Request.of("?", b=2, a=1))


def test_a_parameter_without_a_canonical_form_has_no_key():
    """What cannot be told apart is not remembered, and no error."""
    assert key_of(MODEL, Request.of("?", callback=object())) is None


def test_a_schema_given_as_a_pydantic_class_counts_by_its_fields():
    """Two classes of the same name but of other fields ask different questions."""
    from pydantic import create_model

    one, other = create_model("Answer", a=(int, ...)), create_model("Answer", b=(int, ...))
    assert key_of(MODEL, Request.of("?", response_format=one)) != key_of(MODEL, Request.of("?", response_format=other))


@settings(deadline=None)
@given(texts)
def test_labels_are_hexadecimal_whatever_the_name(name):
    """No tenant can be named so that it matches another one's entries."""
    assert len(label(name)) == 16
    assert set(label(name)) <= set("0123456789abcdef")
    assert label(name) != label(None)


@settings(deadline=None)
@given(plain.filter(lambda value: not isinstance(value, float)))
def test_both_encoders_spell_a_value_the_same_way(value):
    """A process with orjson finds what one without it has stored (floats in exponent form may differ: a miss)."""
    slow = keys._slow_canonical(value)
    assert canonical(value) == slow or b"e" in slow


def test_a_key_is_the_same_in_another_process():
    """No random seed of the interpreter is in it."""
    code = (
        "import sys; sys.path.insert(0, 'tests/caches'); from cache_asking import Echo;"
        "from orchestrator.core.messages import Request; from orchestrator.core.caching.keys import key_of;"
        "print(key_of(Echo(), Request.of('Hello', stop={'a', 'b'}, tenant='t')))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == key_of(MODEL, Request.of("Hello", stop={"a", "b"}, tenant="t"))
