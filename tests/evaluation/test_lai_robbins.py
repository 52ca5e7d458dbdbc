"""The long run: what no policy can beat, and where two known ones stand."""

import math

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.lai_robbins import LLM_LIKE, POOLS, bernoulli, constant, long_run
from orchestrator.selectors.selector import ModelSelector


class AlwaysTheFirst(ModelSelector):
    """Takes the first of its candidates, whatever it hears."""

    name = "first"
    breaks_ties = False

    def scores(self, arms, objective, rng):
        return np.zeros(len(arms.names))


def test_the_constant_is_that_of_the_formula():
    """Two coins of .5 and .25: gap .25 over .25 ln(.25/.5) + .75 ln(.75/.5)."""
    assert constant([0.5, 0.25]) == pytest.approx(0.25 / (0.25 * math.log(0.5) + 0.75 * math.log(1.5)))
    assert constant([0.7, 0.7]) == 0


def test_models_answer_right_as_often_as_they_should():
    """40,000 answers each, within four standard deviations."""
    table = bernoulli(LLM_LIKE, prompts=40_000, seed=0)
    assert np.abs(table.score.mean(axis=0) - np.array(LLM_LIKE)).max() <= 4 * 0.5 / 200


def test_chance_loses_in_every_round():
    """Expected regret is the mean gap, 1,000 times over; draws of the model leave it within 5 %."""
    gap = np.mean([max(LLM_LIKE) - quality for quality in LLM_LIKE])
    assert long_run("random", rounds=1_000).regret == pytest.approx(1_000 * gap, rel=0.05)


def test_thompson_stays_near_the_bound():
    """It reaches the bound in the limit; at 3,000 rounds it is below it here, far below chance, and above nothing."""
    share = long_run("thompson", rounds=3_000, seed=1).share_of_bound
    assert 0 < share < 1


def test_who_takes_the_first_of_equals_gains_nothing_by_the_order_of_the_list():
    """The seed deals out the places: the best is not always first, though it is named first."""
    regrets = {round(long_run(AlwaysTheFirst, rounds=10, seed=seed).regret, 6) for seed in range(40)}
    assert regrets == {round(10 * (max(LLM_LIKE) - quality), 6) for quality in LLM_LIKE}


@pytest.mark.parametrize("pool", POOLS)
def test_the_models_of_a_pool_differ(pool):
    """Eight each, best first, none twice, as the bound asks for one best."""
    qualities = POOLS[pool]
    assert len(qualities) == 8
    assert list(qualities) == sorted(set(qualities), reverse=True)


def test_a_quality_that_is_certain_is_refused():
    """A model that is always right leaves nothing to learn, and the bound without meaning."""
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        bernoulli([0.5, 1.0], prompts=10, seed=0)
