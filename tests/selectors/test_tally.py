"""Results by category: a copy counts on by itself."""

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
