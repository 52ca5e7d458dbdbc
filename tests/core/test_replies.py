"""What comes back: one reply type, frozen, printed as its text, safe to send elsewhere."""

import copy
import pickle

import pytest

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.core.outcome import Attempt
from orchestrator.core.usage import UsageStats


def answer(**facts):
    """A response as the engine makes it."""
    return ChatResponse("Paris", usage=UsageStats(12, 47, cost_usd=0.00318), model_id="openai/gpt-4", id="r-1", **facts)


def test_an_answer_prints_as_its_text_under_either_name():
    """`str`, `.text` and the older `.data` are the same."""
    assert str(answer()) == answer().text == answer().data == "Paris"


def test_usage_reads_like_a_mapping_and_like_an_object():
    """The names of the facade's examples work beside attributes."""
    usage = answer().usage
    assert [usage[n] for n in ("prompt_tokens", "completion_tokens", "total_tokens", "cost")] == [12, 47, 59, 0.00318]
    assert usage.total_tokens == 59


@pytest.mark.parametrize("name", ["text", "usage", "model_id", "brand_new"])
def test_an_answer_is_frozen(name):
    """No attribute can be set, old or new."""
    with pytest.raises(AttributeError):
        setattr(answer(), name, "x")


@pytest.mark.parametrize("name", ["text", "usage"])
def test_no_attribute_can_be_deleted(name):
    """Frozen means that nothing goes away either."""
    with pytest.raises(AttributeError):
        delattr(answer(), name)


def test_the_older_constructor_still_works():
    """`ChatResponse(data=..., usage=UsageStats(...))` is how providers of your own answer."""
    response = ChatResponse(data="Hi", usage=UsageStats(prompt_tokens=3, completion_tokens=4))
    assert (response.text, response.usage.total_tokens) == ("Hi", 7)


@pytest.mark.parametrize("copied", [lambda r: pickle.loads(pickle.dumps(r)), copy.copy, copy.deepcopy])
def test_a_copy_has_the_facts_without_raw_and_rater(copied):
    """A response travels to another process without what ties it to this one."""
    attempts = (Attempt("a", "server", 0.1), Attempt("b", None, 0.2, 0.01))
    twin = copied(answer(attempts=attempts, raw={"whole": "body"}, rater=lambda *_: None, latency_s=0.5))
    assert (twin.text, twin.usage, twin.attempts, twin.latency_s) == ("Paris", answer().usage, attempts, 0.5)
    assert twin.raw is None
    with pytest.raises(RuntimeError, match="no registry"):
        twin.rate(1.0)


def test_the_text_is_not_in_the_repr():
    """Answers are private too: the repr has a length."""
    assert "Paris" not in repr(answer())
    assert "5 characters" in repr(answer())


@pytest.mark.parametrize("text", ['{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}\n```'])
def test_json_is_read_with_or_without_a_fence(text):
    """`json()` takes off the Markdown that models like to put around JSON."""
    assert ChatResponse(text).json() == {"a": 1}


def test_what_is_no_json_is_a_value_error():
    """Text that is no JSON says so instead of giving something."""
    with pytest.raises(ValueError, match="Expecting"):
        ChatResponse("Sorry, I cannot.").json()


def test_rating_goes_to_whoever_answered():
    """`rate` tells the registry the answer's id and the quality."""
    told = []
    answer(rater=lambda *facts: told.append(facts)).rate(0.9)
    assert told == [("r-1", 0.9)]


def test_a_chunk_prints_as_its_text():
    """`print(chunk)` and `print(chunk.text)` show the same."""
    assert str(Chunk("Once")) == "Once"
