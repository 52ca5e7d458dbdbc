"""What became of an attempt, and what a good one is worth."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.metrics import ModelMetrics
from orchestrator.core.outcome import Attempt, Objective, Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.errors import PROVIDER_ERRORS, Blame, ConfigurationError, RateLimitError

SHARE = st.floats(0, 1)
USD = st.none() | st.floats(0, 1e4)
WEIGHT = st.floats(0, 100)


@given(st.tuples(WEIGHT, WEIGHT, st.floats(0.001, 100)), SHARE, USD, USD)
def test_worth_is_between_zero_and_one(weights, share, usd, seconds):
    """Whatever the weights, a good answer is worth at most 1 and none less than 0."""
    objective = Objective(*weights)
    assert -1e-9 <= objective.worth(share, cost_usd=usd, latency_s=seconds) <= 1 + 1e-9


@given(st.floats(0.001, 1e3), st.floats(1.01, 10))
def test_dearer_and_slower_is_always_worth_less(amount, factor):
    """Nothing saturates: $3 is worse than $0.003 and 500 s worse than 5 s."""
    objective = Objective()
    dear = [objective.worth(1, cost_usd=usd, latency_s=None) for usd in (amount, amount * factor)]
    slow = [objective.worth(1, cost_usd=None, latency_s=seconds) for seconds in (amount, amount * factor)]
    assert dear[0] > dear[1]
    assert slow[0] > slow[1]


def test_the_unknown_counts_as_free_and_instant():
    """What was never tried gets tried."""
    assert Objective().worth(1, cost_usd=None, latency_s=None) == 1


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["quality", "cost", "latency", "cost_scale_usd", "latency_scale_s"])
def test_absurd_weights_are_refused_by_name(name, bad):
    """The message names the setting and the value."""
    with pytest.raises(ConfigurationError, match=f"{name}={bad!r}"):
        Objective(**{name: bad})


@pytest.mark.parametrize("options", [{"quality": 0, "cost": 0, "latency": 0}, {"cost_scale_usd": 0}])
def test_an_objective_that_values_nothing_is_refused(options):
    """No weights or an empty scale leave nothing to choose by."""
    with pytest.raises(ConfigurationError):
        Objective(**options)


@pytest.mark.parametrize("error", PROVIDER_ERRORS.values())
def test_an_outcome_teaches_unless_the_caller_is_to_blame(error):
    """A wrong request or a poor match says nothing about the model."""
    outcome = Outcome(model_id="m", latency_s=1, error=error("x"))
    assert outcome.teaches is (error.blame not in (Blame.CALLER, Blame.MISMATCH))
    assert not outcome.success


def test_the_short_form_says_who_what_how_long_and_how_much():
    """Replies and errors carry this form of every attempt."""
    assert Outcome(model_id="m", latency_s=1.5, cost_usd=0.1).attempt == Attempt("m", None, 1.5, 0.1)
    failed = Outcome(model_id="m", latency_s=0.5, error=RateLimitError("slow down"))
    assert failed.attempt == Attempt("m", "rate_limit", 0.5, None)


@pytest.mark.parametrize("given", ["quality", 3, {"qualty": 1}, ["quality"], {1: 2}])
def test_what_is_no_objective_is_refused_with_the_names_it_has(given):
    """A misspelt weight is an error, and not a weight that does nothing."""
    with pytest.raises(TypeError, match=r"objective=.* give an Objective, or a mapping with any of quality, cost"):
        Objective.of(given)


@pytest.mark.parametrize(
    "weights", [{"quality": "much"}, {"cost": True}, {"latency": math.nan}, {"cost_scale_usd": None}]
)
def test_a_weight_is_a_number(weights):
    """Text, switches and NaN are refused by name before they reach a score."""
    with pytest.raises(ConfigurationError, match=f"objective {next(iter(weights))}="):
        Objective.of(weights)


def test_an_objective_by_its_names_is_the_same_objective():
    """A mapping, as settings files have them, says what the object says; none stays none."""
    assert Objective.of({"quality": 0.5, "cost": 2}) == Objective(quality=0.5, cost=2)
    assert Objective.of(None) is None


@pytest.mark.parametrize("latency_s", [0.0, 5e-324, 1e-10])
def test_no_speed_is_told_from_no_time(latency_s):
    """A time that no clock could have measured gives no speed, rather than an infinite one."""
    outcome = Outcome(model_id="a", latency_s=latency_s, usage=UsageStats(1, 10**9))
    metrics = ModelMetrics()
    metrics.record(outcome)
    assert outcome.tokens_per_s is metrics.throughput is None
