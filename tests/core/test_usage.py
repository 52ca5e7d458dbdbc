"""Usage in disjoint buckets: parts add up to wholes, and nonsense is dropped."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.usage import MAX_TOKENS, UsageStats, token_count

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just(10**400), st.lists(st.integers())
)
BUCKETS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
COUNTS = st.integers(0, MAX_TOKENS)


def stats(values):
    """Usage from five figures of a provider and a cost."""
    names = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd")
    return UsageStats(*values[:2], **dict(zip(names, values[2:], strict=True)))


ANY_STATS = st.tuples(*[ANYTHING] * 6).map(stats)


@given(ANY_STATS)
def test_whatever_a_provider_reports_every_figure_is_a_count_or_unknown(usage):
    """No bucket is ever negative, a fraction, NaN or beyond any model's window."""
    for bucket in BUCKETS:
        assert token_count(getattr(usage, bucket)) == getattr(usage, bucket)
    assert usage.cost_usd is None or (math.isfinite(usage.cost_usd) and usage.cost_usd >= 0)


@given(COUNTS, COUNTS, st.tuples(ANYTHING, ANYTHING, ANYTHING))
def test_buckets_sum_to_the_wholes_that_were_reported(prompt, completion, parts):
    """Whatever the parts claim, input buckets make up the prompt and output buckets the completion."""
    usage = stats((prompt, completion, *parts, None))
    assert (usage.prompt_tokens, usage.completion_tokens) == (prompt, completion)
    assert usage.total_tokens == prompt + completion


@given(ANY_STATS, ANY_STATS)
def test_adding_is_bucket_by_bucket_and_keeps_what_is_known(one, other):
    """Unknown plus known is what is known; unknown plus unknown stays unknown."""
    total = one + other
    for bucket in BUCKETS:
        known = [count for count in (getattr(one, bucket), getattr(other, bucket)) if count is not None]
        assert getattr(total, bucket) == (sum(known) if known else None)


@pytest.mark.parametrize("bad", [-1, True, "12", math.nan, math.inf, 0.5, 10**400, MAX_TOKENS + 1, None, [1]])
def test_bad_counts_are_dropped(bad):
    """What is no count is unknown, never zero."""
    usage = UsageStats(prompt_tokens=bad, completion_tokens=5)
    assert usage.prompt_tokens is None
    assert usage.total_tokens == 5


@pytest.mark.parametrize("bad", [-0.01, math.nan, math.inf, -math.inf, True, "1"])
def test_bad_costs_are_dropped(bad):
    """A cost that is no amount of money is unknown."""
    assert UsageStats(1, 1, cost_usd=bad)["cost"] is None


def test_a_part_larger_than_its_whole_is_refused():
    """More cached tokens than prompt tokens is a fault of the sender, not a negative rest."""
    usage = UsageStats(10, 5, cache_read_tokens=11, reasoning_tokens=6)
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.reasoning_tokens) == (
        10,
        None,
        5,
        None,
    )


def test_unknown_is_none_and_not_zero():
    """A provider that reports nothing has reported nothing."""
    assert set(UsageStats().to_dict().values()) == {None}


def test_an_unknown_figure_is_named_with_the_known_ones():
    """A misspelt item says which names there are."""
    with pytest.raises(KeyError, match="prompt_tokens"):
        UsageStats()["tokens"]


@given(ANY_STATS)
def test_usage_survives_pickling(usage):
    """Usage goes to another process whole."""
    assert pickle.loads(pickle.dumps(usage)) == usage
