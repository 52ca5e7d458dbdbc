"""Results by category: a copy counts on by itself, and no sum leaves its bounds."""

from copy import deepcopy

from orchestrator.selectors.tally import Tally


def test_a_copy_keeps_what_it_has_counted_since_when_a_category_comes():
    """Replays copy a selector with all that it has learnt, and go on with categories that it has not met."""
    original = Tally()
    original.clear(0)
    original.add("maths", 0, number=1.0, total=1.0)
    copy = deepcopy(original)
    copy.add("maths", 0, number=1.0, total=0.5)
    copy.charge("maths", 0, cost_usd=0.25)
    copy.add("prose", 0, number=1.0, total=0.25)
    assert copy.of(0) == {"maths": [2.0, 1.5, 1.0, 0.25], "prose": [1.0, 0.25]}
    assert copy.at("maths", 0) == (2.0, 1.5)
    assert original.of(0) == {"maths": [1.0, 1.0]}


def test_no_sum_leaves_its_bounds_whatever_is_taken_back():
    """What another process takes back may be more than was known here of its results."""
    tally = Tally()
    tally.clear(0)
    tally.add("maths", 0, number=1.0, total=1.0)
    tally.charge("maths", 0, cost_usd=0.25)
    tally.add("maths", 0, number=-5.0, total=-9.0)
    tally.charge("maths", 0, number=-5.0, cost_usd=-9.0)
    assert tally.of(0) == {}
    tally.add("maths", 0, number=1.0, total=0.5)
    assert tally.at("maths", 0) == (1.0, 0.5)
