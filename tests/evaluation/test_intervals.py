"""Intervals: quantiles against published tables, and coverage at the stated rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.intervals import bernstein, bootstrap, normal, student, student_quantile


@pytest.mark.parametrize(
    ("confidence", "freedom", "published"),
    [(0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 9, 2.262), (0.99, 4, 4.604), (0.90, 30, 1.697), (0.95, 200, 1.972)],
)
def test_students_quantiles_are_those_of_the_tables(confidence, freedom, published):
    """Figures of any table of the t distribution."""
    assert student_quantile(confidence, freedom) == pytest.approx(published, abs=6e-4)


def test_a_single_value_bounds_nothing():
    """One seed has no spread to learn from."""
    assert student([0.3]).half_width == normal([0.3]).half_width == np.inf


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf, 1.0], [[1.0]]])
def test_what_is_no_sample_is_refused(values):
    """NaN never becomes an interval."""
    with pytest.raises(ConfigurationError, match="finite"):
        student(values)
    with pytest.raises(ConfigurationError, match=r"confidence=1\.5"):
        student([1.0], confidence=1.5)


def test_intervals_cover_at_the_stated_rate():
    """1,000 samples of 12 normal values: a true 95 % gives 950, with a standard deviation of 6.9; 4 of them are allowed."""
    samples = np.random.default_rng(1).normal(size=(1_000, 12))
    covered = sum(low <= 0 <= high for _, low, high in map(student, samples))
    assert abs(covered - 950) <= 28


def test_bernstein_covers_where_the_normal_interval_does_not():
    """Rare successes, 30 trials of 2 %: more than half of the samples hold none, and the normal interval is a point."""
    samples = (np.random.default_rng(2).random((300, 30)) < 0.02).astype(float)
    covered = dict.fromkeys(("bernstein", "normal"), 0)
    for sample in samples:
        for name, bounds in (("bernstein", bernstein(sample, width=1.0)), ("normal", normal(sample))):
            covered[name] += bounds.low <= 0.02 <= bounds.high
    assert covered["bernstein"] >= 285
    assert covered["normal"] < 285


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.integers(0, 5))
def test_the_bootstrap_stays_within_the_sample_and_repeats(values, seed):
    """Resampled means cannot leave the range of the values, and a seed gives the same bounds again."""
    bounds = bootstrap(values, seed=seed)
    assert min(values) - 1e-9 <= bounds.low <= bounds.high <= max(values) + 1e-9
    assert bounds == bootstrap(values, seed=seed)
