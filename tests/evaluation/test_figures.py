"""Figures: definitions checked by hand, and from the choices alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tables import table_of_columns

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import Falls, Joins, builtin, figures, replay
from orchestrator.evaluation.budget import spending
from orchestrator.evaluation.frontier import best_mixture, hull
from orchestrator.evaluation.reward import Reward
from orchestrator.evaluation.world import world_of

FOUR = table_of_columns([1, 1, 1, 0], [0, 0, 1, 1], costs=[2.0, 1.0])


def always(table, model):
    """The same model for every prompt."""
    return [(prompt_id, model) for prompt_id in table.prompt_ids]


def test_the_figures_are_those_of_the_definitions():
    """Unit of cost: 2 USD, what model a costs; at weight .2 an answer of a loses .2 and one of b .1."""
    made = figures(FOUR, [("p0", "a"), ("p1", "b"), ("p2", "b"), ("p3", "b")], cost_weight=0.2)
    assert made.mean_score == 0.75
    assert made.mean_cost_usd == 1.25
    assert made.mean_reward == pytest.approx(0.75 - 0.2 * 1.25 / 2)
    assert (made.best_model, made.best_reward) == ("a", pytest.approx(0.75 - 0.2))
    assert made.random_reward == pytest.approx((0.55 + 0.4) / 2)
    assert made.oracle_reward == pytest.approx((0.8 + 0.8 + 0.9 + 0.9) / 4)
    assert made.regret == pytest.approx(4 * (0.55 - 0.625))
    assert made.share_of_random == pytest.approx((0.55 - 0.625) / (0.55 - 0.475))
    assert made.gap_closed == pytest.approx((0.625 - 0.55) / (0.85 - 0.55))
    assert made.calls == {"a": 1, "b": 3}


def test_the_best_model_alone_has_no_regret():
    """Share 0 and gap 0 are the best single model by definition."""
    made = figures(FOUR, always(FOUR, "a"), cost_weight=0.0)
    assert (made.regret, made.share_of_random, made.gap_closed) == (0.0, 0.0, 0.0)


def test_the_oracle_closes_the_whole_gap():
    """The best model for each prompt is 1 by definition."""
    made = figures(FOUR, [("p0", "a"), ("p1", "a"), ("p2", "b"), ("p3", "b")], cost_weight=0.0)
    assert made.gap_closed == 1.0


def test_where_all_models_are_alike_shares_are_unknown():
    """A ratio to nothing is None, not 0."""
    twins = table_of_columns([1, 0], [1, 0])
    made = figures(twins, always(twins, "b"))
    assert (made.share_of_random, made.gap_closed, made.rounds_to_tell, made.near_tie) == (None, None, None, True)


def test_figures_follow_from_the_choices_alone():
    """Anyone can work out a replay's figures from its choices and the table, changes included."""
    table = builtin(prompts=300)
    changes = [Falls(model="atlas-large", at=100), Joins(model="coder", at=50)]
    run = replay(table, "ucb", cost_weight=0.3, seed=5, changes=changes)
    assert figures(table, run.choices, cost_weight=0.3, changes=changes) == run.figures


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(1, 4), st.floats(0, 1))
def test_no_choices_beat_the_oracle_and_all_figures_are_finite(data, prompts, models, cost_weight):
    """Whatever is chosen: the oracle is above all, the best single model above random, and no figure is NaN."""
    cells = st.lists(st.floats(0, 1), min_size=prompts, max_size=prompts)
    columns = data.draw(st.lists(cells, min_size=models, max_size=models))
    costs = data.draw(st.lists(st.floats(0, 5), min_size=models, max_size=models))
    table = table_of_columns(*columns, costs=costs)
    picks = data.draw(st.lists(st.sampled_from(table.models), min_size=prompts, max_size=prompts))
    made = figures(table, list(zip(table.prompt_ids, picks, strict=True)), cost_weight=cost_weight)
    assert made.mean_reward <= made.oracle_reward + 1e-9
    assert made.random_reward <= made.best_reward + 1e-9 <= made.oracle_reward + 2e-9
    assert sum(made.calls.values()) == prompts
    assert all(np.isfinite(value) for value in made.to_dict().values() if isinstance(value, float))


def test_choices_that_are_not_in_the_table_are_named():
    """A slip in a file of choices is found at once."""
    with pytest.raises(ConfigurationError, match="has no 'zz'"):
        figures(FOUR, [("p0", "zz")])
    with pytest.raises(ConfigurationError, match="nothing to measure"):
        figures(FOUR, [])


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 5)), min_size=1, max_size=8),
    st.floats(0, 6),
)
def test_no_pair_of_models_beats_the_best_mixture(models, budget_usd):
    """The hull is the upper envelope: every mixture of two within the budget lies on or under it."""
    scores, costs = zip(*models, strict=True)
    best = best_mixture(scores, costs, budget_usd=budget_usd)
    for score, cost in models:
        for other_score, other_cost in models:
            for share in np.linspace(0, 1, 5):
                if share * cost + (1 - share) * other_cost <= budget_usd:
                    assert share * score + (1 - share) * other_score <= best + 1e-9
    corners = hull(scores, costs)
    assert corners == sorted(corners)


@given(st.floats(0, 2), st.lists(st.floats(1e-6, 3), min_size=2, max_size=6), st.data())
def test_the_objective_ranks_as_the_reward_does(cost_weight, costs, data):
    """The engine's own curve, taken far below its scale, is the linear cost of the definition."""
    scores = data.draw(st.lists(st.floats(0, 1), min_size=len(costs), max_size=len(costs)))
    reward = Reward(cost_weight, unit_usd=0.5, dearest_usd=max(costs))
    objective = reward.objective
    for score, cost in zip(scores, costs, strict=True):
        worth = objective.worth(score, cost_usd=cost, latency_s=None) * objective.total - objective.cost
        assert worth == pytest.approx(reward.of(score, cost), abs=1e-3 * (1 + cost_weight * max(costs)))


def test_spending_is_measured_against_the_best_mixture_within_the_budget():
    """Model a scores .75 for 2 USD and b .5 for 1: 1.5 USD buy .625 in the best mixture."""
    world = world_of(FOUR, range(4))
    told = spending(world, np.array([1, 1, 1, 0]), budget_usd=1.5)
    assert (told.mean_cost_usd, told.best_mixture_score) == (1.25, 0.625)
    assert told.overspend == pytest.approx(1.25 / 1.5 - 1)
    assert told.score_of_best_mixture == pytest.approx(0.25 / 0.625)


def test_a_selector_without_a_budget_is_measured_against_it_too():
    """A tenth of the best-scoring model's cost is overspent by whoever does not know of it."""
    run = replay("builtin", "random", rounds=300, budget=0.1)
    assert run.spending.overspend > 1
    assert replay("builtin", "random", rounds=300).spending is None
