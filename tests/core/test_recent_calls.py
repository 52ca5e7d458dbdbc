"""Counts over the last half minute, against a list of everything."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.recent_calls import RecentCalls

EVENTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.4, 1.0, 2.9, 3.0, 27.0, 29.0, 33.0, 500.0]), st.booleans()), max_size=40
)


@given(EVENTS)
def test_counts_are_those_of_the_last_ten_steps(events):
    """Whatever the pauses; and a failure is a call, whether or not its start was told."""
    recent, calls, failures, now = RecentCalls(window_s=30), [], [], 0.0
    for pause_s, fails in events:
        now += pause_s
        (recent.failed if fails else recent.started)(now)
        (failures if fails else calls).append(now)
        kept = [[one for one in kind if one // 3 > now // 3 - 10] for kind in (calls, failures)]
        assert recent.counts(now) == (max(len(kept[0]), len(kept[1])), len(kept[1]))


def test_a_clean_slate():
    """Everything is forgotten, and counting goes on."""
    recent = RecentCalls(window_s=30)
    recent.failed(100.0)
    recent.clear()
    recent.started(100.0)
    assert recent.counts(100.0) == (1, 0)
