"""Off-policy estimates: exact on small logs, and covering at the stated rate where the truth is known."""

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import (
    Logged,
    clipped,
    doubly_robust,
    guess_by_category,
    ips,
    shrunk_doubly_robust,
    snips,
)

LOGGED_POLICY = np.array([0.4, 0.3, 0.2, 0.1])
OTHER_POLICY = np.array([[0.1, 0.2, 0.3, 0.4], [0.6, 0.2, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])  # by category
CHANCE = np.array([[0.9, 0.7, 0.5, 0.3], [0.2, 0.6, 0.4, 0.8], [0.5, 0.5, 0.9, 0.1]])  # of a right answer
CATEGORY_SHARES = np.array([0.5, 0.3, 0.2])
TRUTH = float((CATEGORY_SHARES[:, None] * OTHER_POLICY * CHANCE).sum())

ESTIMATORS = {
    "ips": lambda log, policy, guess, **how: ips(log, policy, **how),
    "snips": lambda log, policy, guess, **how: snips(log, policy, **how),
    "clipped": lambda log, policy, guess, **how: clipped(log, policy, most=2.0, **how),
    "doubly robust": doubly_robust,
    "clipped doubly robust": lambda log, policy, guess, **how: doubly_robust(log, policy, guess, most=2.0, **how),
    "shrunk doubly robust": lambda log, policy, guess, **how: shrunk_doubly_robust(
        log, policy, guess, shrinkage=20.0, **how
    ),
}


def drawn(rng, decisions):
    """A log of so many decisions, the other policy's probabilities, and a cross-fitted guess."""
    category = rng.choice(3, size=decisions, p=CATEGORY_SHARES)
    chosen = rng.choice(4, size=decisions, p=LOGGED_POLICY)
    reward = (rng.random(decisions) < CHANCE[category, chosen]).astype(float)
    log = Logged.of(reward, chosen=chosen, propensity=LOGGED_POLICY[chosen])
    return log, OTHER_POLICY[category], guess_by_category(log, category, models=4)


@pytest.fixture(scope="module")
def logs():
    """300 logs of 600 decisions."""
    rng = np.random.default_rng(12)
    return [drawn(rng, 600) for _ in range(300)]


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(("interval", "repeats"), [("normal", 300), ("bernstein", 100), ("bootstrap", 30)])
def test_intervals_cover_the_truth_at_the_stated_rate(logs, name, interval, repeats):
    """At a true rate of 95 %, misses are binomial: mean 5 %, and at most 3.5 standard deviations more are allowed."""
    estimates = [ESTIMATORS[name](*log, interval=interval) for log in logs[:repeats]]
    missed = sum(not one.low <= TRUTH <= one.high for one in estimates)
    assert missed <= 0.05 * repeats + 3.5 * (0.05 * 0.95 * repeats) ** 0.5


@pytest.mark.parametrize("name", ["ips", "snips", "doubly robust"])
def test_normal_intervals_are_not_wider_than_they_need_be(logs, name):
    """Those without a bound on bias miss about as often as they say: 3 standard deviations off 5 % are 1.2 % and 8.8 %."""
    missed = sum(not one.low <= TRUTH <= one.high for one in (ESTIMATORS[name](*log) for log in logs))
    assert 0.012 * len(logs) <= missed <= 0.088 * len(logs)


def test_unbiased_estimates_are_right_in_the_mean(logs):
    """Over 300 logs the mean error is within four of its standard errors."""
    for name in ("ips", "doubly robust"):
        errors = np.array([ESTIMATORS[name](*log).value - TRUTH for log in logs])
        assert abs(errors.mean()) <= 4 * errors.std() / len(errors) ** 0.5


def test_a_good_guess_makes_a_narrower_interval(logs):
    """What the guess explains is no longer noise."""
    log = logs[0]
    width = {name: ESTIMATORS[name](*log) for name in ("ips", "doubly robust")}
    assert width["doubly robust"].high - width["doubly robust"].low < width["ips"].high - width["ips"].low


def test_the_logged_policy_itself_is_estimated_by_its_mean():
    """All weights are 1: every estimator agrees with the plain mean."""
    log, _, guess = drawn(np.random.default_rng(0), 200)
    for name, estimate in ESTIMATORS.items():
        made = estimate(log, LOGGED_POLICY, guess)
        if name not in {"doubly robust", "clipped doubly robust", "shrunk doubly robust"}:
            assert made.value == pytest.approx(log.reward.mean())
        assert made.low <= log.reward.mean() <= made.high
    assert ips(log, LOGGED_POLICY).effective_n == pytest.approx(200)
    assert ips(log, LOGGED_POLICY).mean_weight == pytest.approx(1)


def test_clipping_states_what_it_may_hide():
    """One decision of weight 100 cut to 10 leaves a bound on the bias and a higher upper end."""
    log = Logged.of([1.0] + [0.0] * 9, chosen=[0] + [1] * 9, propensity=[0.01] + [1.0] * 9)
    made = clipped(log, [1.0, 0.0], most=10.0)
    assert made.bias_bound == pytest.approx(9.0)
    assert made.value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        (dict(reward=[1.2]), "reward 1.2 of decision 0"),
        (dict(reward=[np.nan]), "reward nan of decision 0"),
        (dict(propensity=[0.0]), "propensity 0.0 of decision 0"),
        (dict(chosen=[-1]), "chosen -1 of decision 0"),
        (dict(reward=[]), "at least one decision"),
        (dict(propensity=[1.0, 1.0]), "three rows of one length"),
    ],
)
def test_a_log_that_cannot_be_true_is_refused(what, complaint):
    """Numbers outside their bounds never reach an estimate."""
    whole = dict(reward=[1.0], chosen=[0], propensity=[0.5]) | what
    with pytest.raises(ConfigurationError, match=complaint):
        Logged.of(whole.pop("reward"), **whole)


def test_a_policy_that_cannot_be_one_is_refused():
    """Probabilities sum to 1, cover the columns chosen, and meet the log somewhere."""
    log = Logged.of([1.0, 0.0], chosen=[0, 1], propensity=[0.5, 0.5])
    for policy, complaint in (([0.5, 0.4], "sum to 0.9 of decision 0"), ([1.0], "1 columns, and column 1 was chosen")):
        with pytest.raises(ConfigurationError, match=complaint):
            ips(log, policy)
    with pytest.raises(ConfigurationError, match="says nothing"):
        snips(log, [0.0, 0.0, 1.0])
    with pytest.raises(ConfigurationError, match="interval='exact'"):
        ips(log, [0.5, 0.5], interval="exact")
    with pytest.raises(ConfigurationError, match="most=0"):
        clipped(log, [0.5, 0.5], most=0)
    with pytest.raises(ConfigurationError, match="a guess at a reward"):
        doubly_robust(log, [0.5, 0.5], [2.0, 0.0])


def test_a_guess_never_uses_the_decision_itself():
    """Turning one reward round leaves that decision's own guess as it was."""
    rng = np.random.default_rng(3)
    category, chosen = rng.integers(2, size=40), rng.integers(3, size=40)
    reward = rng.random(40)
    log = Logged.of(reward, chosen=chosen, propensity=np.full(40, 1 / 3))
    other = Logged.of(np.where(np.arange(40) == 7, 1 - reward, reward), chosen=chosen, propensity=np.full(40, 1 / 3))
    guesses = [guess_by_category(one, category, models=3) for one in (log, other)]
    assert (guesses[0][7] == guesses[1][7]).all()
    assert not np.array_equal(guesses[0], guesses[1])
