"""Logs of decisions: read strictly, and replayed without bias."""

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import Decision, as_logged, builtin, ips, read_decisions, replay, replay_log

HEADER = "prompt_id,model,score,cost_usd,propensity,category\n"


def drawn(table, odds, seed):
    """What a policy of fixed odds would have logged on this table."""
    rng = np.random.default_rng(seed)
    picks = rng.choice(len(table.models), size=len(table), p=odds)
    return [
        Decision(
            table.prompt_ids[row],
            table.models[pick],
            float(table.score[row, pick]),
            float(table.cost_usd[row, pick]),
            float(odds[pick]),
            table.categories[table.category[row]],
        )
        for row, pick in enumerate(picks.tolist())
    ]


def test_a_log_is_read_with_its_categories(tmp_path):
    """The order of the file is the order of time."""
    path = tmp_path / "log.csv"
    path.write_text(HEADER + "p,a,1,0.5,0.25,maths\nq,b,0,0.1,0.75,code\n", encoding="utf-8")
    assert read_decisions(path)[1] == Decision("q", "b", 0.0, 0.1, 0.75, "code")
    log, models, category = as_logged(read_decisions(path))
    assert (models, category.tolist(), len(log)) == (("a", "b"), [1, 0], 2)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("p,a,1,0.5,0,x", r"line 2, column 5 \(propensity\): what was chosen had a probability above 0"),
        ("p,a,1,0.5,1.5,x", r"line 2, column 5 \(propensity\): '1.5'"),
        ("p,a,yes,0.5,1,x", r"line 2, column 3 \(score\): 'yes'"),
    ],
)
def test_a_broken_log_is_named_by_line_and_column(tmp_path, row, complaint):
    """As every other table."""
    path = tmp_path / "log.csv"
    path.write_text(HEADER + row + "\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=complaint):
        read_decisions(path)


def test_a_replayed_log_agrees_with_a_run_on_all_outcomes():
    """Random choice by rejection from uneven odds comes to random choice on the table, within 4 standard errors."""
    table = builtin(prompts=3_000)
    odds = np.array([0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])
    run = replay_log(drawn(table, odds, seed=1), "random")
    assert run.accepted > 80  # 3,000 x .05 in the mean
    error = run.score.half_width / 1.96
    assert abs(run.score.mean - replay(table, "random").mean_score) <= 4 * error


def test_what_is_kept_is_what_the_selector_chose():
    """It learns from nothing else, and the choices can be counted."""
    table = builtin(prompts=2_000)
    log = drawn(table, np.full(9, 1 / 9), seed=2)
    run = replay_log(log, "ucb:exploration_factor=0.05", cost_weight=0.0)
    assert run.accepted == len(run.choices)
    assert 0.05 < run.accepted / run.decisions < 0.2  # a ninth in the mean
    assert run.score.mean > np.mean([one.score for one in log])
    assert run.to_dict()["accepted"] == run.accepted


def test_a_log_and_the_estimators_fit_together():
    """Propensities of the log's own odds give weights of 1."""
    log, models, _ = as_logged(drawn(builtin(prompts=400), np.full(9, 1 / 9), seed=3))
    assert ips(log, np.full(len(models), 1 / 9)).value == pytest.approx(log.reward.mean())


def test_a_log_without_chance_is_refused():
    """It cannot tell what another choice would have brought."""
    with pytest.raises(ConfigurationError, match="without chance"):
        replay_log([Decision("p", "a", 1.0, 0.1, 1.0)], "ucb")
    with pytest.raises(ConfigurationError, match="empty"):
        replay_log([], "ucb")
    with pytest.raises(ConfigurationError, match="empty"):
        as_logged([])
