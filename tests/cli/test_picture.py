"""The picture of a run: shares that add up, names that do not cover each other, and a file that is a PNG."""

import numpy as np
import pytest
from hand_made import IDS, OUTAGE
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.demo.labels import Box, Label, place
from orchestrator.cli.demo.plot import plot, shares_over_time
from orchestrator.cli.demo.report import report

answers = st.lists(st.tuples(st.floats(0, 10), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40)


@given(answers)
def test_shares_add_up_to_one_wherever_there_is_traffic(answered):
    """At the time of any answer the models together have all of it."""
    moments = np.array([at_s for at_s, _ in answered])
    shares = shares_over_time(answered, ["a", "b", "c"], moments, window_s=0.5)
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-5)
    assert shares.min() >= 0


def test_names_of_close_points_are_written_on_different_sides():
    """Two marks side by side: neither text covers the other, nor a mark."""
    labels = [Label(50, 50, 30, 10, 4), Label(53, 53, 30, 10, 4), Label(50, 58, 30, 10, 4)]
    boxes = place(labels, Box(0, 0, 200, 200))
    for number, box in enumerate(boxes):
        others = [*boxes[:number], *boxes[number + 1 :], *(label.mark for label in labels)]
        assert sum(box.overlap(other) for other in others) == 0


def test_names_stay_on_the_page():
    """A point at the right edge is named on its left."""
    (box,) = place([Label(98, 50, 30, 10, 2)], Box(0, 0, 100, 100))
    assert box.right <= 100


@pytest.mark.filterwarnings("default::DeprecationWarning:matplotlib")
def test_the_picture_is_a_png(records, tmp_path):
    """Drawn without a display and without touching matplotlib's global state."""
    path = tmp_path / "run.png"
    plot(report(records, OUTAGE, IDS), records, path)
    assert path.read_bytes().startswith(b"\x89PNG")
