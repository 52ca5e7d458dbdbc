"""The figures of the demo, worked out from records made by hand."""

import json
import math

import pytest
from hand_made import IDS, OUTAGE, sent
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.demo.report import quantile, report


@pytest.fixture
def figures(records):
    return report(records, OUTAGE, IDS)


def test_totals_are_the_sums_of_their_parts(figures):
    """Answers, prompts, failovers and money add up over models and over phases."""
    assert figures.prompts == sum(phase.prompts for phase in figures.phases) == 10
    assert figures.answered == sum(model.answers for model in figures.models)
    assert figures.answered == sum(phase.answered for phase in figures.phases)
    assert figures.failovers == sum(phase.failovers for phase in figures.phases) == 1
    assert math.isclose(figures.cost_usd, sum(model.cost_usd for model in figures.models))
    assert math.isclose(figures.cost_usd, sum(phase.cost_usd for phase in figures.phases))
    assert math.isclose(figures.cost_usd, 4 * 0.002 + 6 * 0.001)


def test_shares_are_of_the_engines_answers(figures):
    """Who answered what part, in all and in each phase."""
    assert {model.id: model.share for model in figures.models} == {"a/one": 0.4, "b/two": 0.6, "b/idle": 0.0}
    assert [phase.shares for phase in figures.phases] == [{"a/one": 1.0}, {"b/two": 1.0}, {"b/two": 1.0}]


def test_a_failed_attempt_counts_against_its_model_and_not_against_the_caller(figures):
    """One attempt at `a` failed; the prompt was answered all the same."""
    one = figures.models[0]
    assert (one.calls, one.failures, one.success_rate) == (5, 1, 0.8)
    assert figures.errors == 0


def test_a_model_nobody_asked_has_no_figures(figures):
    """Unknown is None, never 0: no success rate, latency, price or quality was measured."""
    idle = figures.models[2]
    assert (idle.answers, idle.measured_on) == (0, 0)
    assert (idle.success_rate, idle.p50_s, idle.quality, idle.usd_per_1000) == (None, None, None, None)


def test_quality_of_a_model_is_measured_on_everything_it_said(figures):
    """`a` gave 4 + 8 right answers and 5 half right ones, under all three policies."""
    one = figures.models[0]
    assert one.measured_on == 17
    assert math.isclose(one.quality, (12 + 5 * 0.5) / 17)


def test_an_unanswered_prompt_counts_as_wrong_for_its_policy(figures):
    """ "Always the best" had two callers without an answer; its answers themselves were all right."""
    best = figures.policy("best")
    assert (best.prompts, best.answered, best.errors) == (10, 8, 2)
    assert best.quality == 0.8
    assert best.quality_of_answers == 1.0


def test_costs_are_told_per_thousand_prompts(figures):
    """So that runs of different length compare."""
    assert math.isclose(figures.policy("engine").usd_per_1000, 1.4)
    assert math.isclose(figures.policy("random").usd_per_1000, 1.0)


def test_own_work_is_told_in_microseconds(figures):
    """0.0001 s each."""
    assert math.isclose(figures.own_p50_us, 100)


def test_categories_are_told_apart(figures):
    """Number 5, the wrong one, was about code."""
    assert figures.quality_by_category == {"arithmetic": 1.0, "code": 0.8}


def test_the_report_is_json(figures):
    """No NaN, no object that JSON does not know; the outage by its field names."""
    read = json.loads(json.dumps(figures.to_dict(), allow_nan=False))
    assert read["outage"] == {"provider": "a", "from_number": 4, "to_number": 6, "from_s": 2.0, "to_s": 3.0}
    assert read["models"][0]["id"] == "a/one"


def test_a_run_without_answers_has_figures_too():
    """Everything unknown stays None."""
    empty = report([sent("engine", 0, None, error="server")], OUTAGE, IDS)
    assert (empty.answered, empty.errors, empty.p50_s, empty.own_p50_us) == (0, 1, None, None)
    assert empty.quality == 0.0
    assert empty.policy("best").quality is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_quantile_lies_within_the_values(values, share):
    """And the ends are the least and the largest."""
    assert min(values) <= quantile(values, share) <= max(values)
    assert quantile(values, 0) == min(values)
    assert quantile(values, 1) == max(values)
