"""What was said lately, beside a list of everything that ever was."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.lately import Lately

STEPS = st.lists(st.tuples(st.integers(0, 9), st.floats(0, 30)), max_size=60)


@given(steps=STEPS, least=st.integers(1, 5), age_s=st.floats(1, 60))
def test_the_last_are_known_and_never_more_than_twice_as_many(steps, least, age_s):
    """Of what is younger than `age_s` the last `least` are known as it was said last; what is twice as old is not."""
    lately, said, now = Lately[tuple[int, float]](least=least, age_s=age_s), [], 0.0
    for key, pause_s in steps:
        now += pause_s
        lately.note(str(key), (key, now), now=now)
        said.append((key, now))
        assert len(lately) <= 2 * least
        last = dict(said)
        for known, when in said[-least:]:
            if when == last[known] and now - when < age_s:
                assert lately.get(str(known), now=now) == (known, when)
        for known, when in last.items():
            if now - when >= 2 * age_s:
                assert lately.get(str(known), now=now) is None


def test_a_long_silence_forgets_all():
    """Nobody has to come by for what is old to be gone."""
    lately = Lately[str](least=5, age_s=60)
    lately.note("a", "b", now=0.0)
    assert lately.get("a", now=119.0) == "b"
    assert lately.get("a", now=120.0) is None
