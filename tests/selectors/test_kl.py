"""Kullback-Leibler bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.selectors.kl import divergence, upper_bound, upper_bounds

means = st.floats(0, 1)
allowances = st.floats(1e-6, 5)


def by_bisection(mean, allowance):
    """The bound, slowly."""
    low, high = mean, 1 - 1e-9
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if divergence(mean, middle) > allowance else (middle, high)
    return low


@given(mean=means, allowance=allowances)
def test_newton_finds_what_bisection_finds(mean, allowance):
    """To within 1e-4 everywhere."""
    assert upper_bound(mean, allowance) == pytest.approx(by_bisection(mean, allowance), abs=1e-4)


@given(pairs=st.lists(st.tuples(means, st.floats(0, 5)), min_size=1, max_size=8))
def test_the_vector_agrees_with_the_numbers(pairs):
    """Both ways give the same bound, at the edges too."""
    columns = (np.array(column) for column in zip(*pairs, strict=True))
    assert upper_bounds(*columns) == pytest.approx([upper_bound(*pair) for pair in pairs], abs=1e-6)


@given(mean=means, allowance=st.floats(-1, 50))
def test_a_bound_is_never_below_its_mean_nor_above_one(mean, allowance):
    """Whatever the allowance."""
    assert min(mean, 1 - 1e-9) <= upper_bound(mean, allowance) + 1e-9 <= 1 + 1e-9
