"""A selector of one's own: one method, and the mistakes it may make."""

import re
from pathlib import Path

import numpy as np
import pytest

from orchestrator.core.outcome import Objective
from orchestrator.selectors import KLUCBSelector, UCBModelSelector
from orchestrator.selectors.arms import Arms
from orchestrator.selectors.backlog import Backlog
from orchestrator.selectors.selector import ModelSelector
from orchestrator.selectors.slate import Slate

README = Path(__file__).parents[2] / "selectors" / "README.md"
RNG = np.random.default_rng(0)


class Fixed(ModelSelector):
    """Scores that the test sets."""

    name = "fixed"
    wanted = ()

    def scores(self, arms, objective, rng):
        return np.array(self.wanted)


def fixed(*scores):
    """A selector with arms a, b, ... of these scores."""
    selector = Fixed()
    selector.wanted = scores
    for letter in "abcdef"[: len(scores)]:
        selector.enroll(letter)
    return selector, selector.slate("abcdef"[: len(scores)])


def test_the_readme_example_runs():
    """The ten lines in the README are a whole selector: they choose, learn and keep the exploration they promise."""
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    assert len(code[1].strip().splitlines()) <= 10
    scope = {}
    exec(code[1], scope)
    selector = next(item for item in scope.values() if isinstance(item, type) and item.__name__ == "Curious")()
    for arm in ("a", "b"):
        selector.enroll(arm)
        selector.settle(arm, quality=float(arm == "b"), cost_usd=None, latency_s=None)
    slate, draws = selector.slate(("a", "b")), np.random.default_rng(0)
    chosen = [selector.choose(slate, draws).arm for _ in range(200)]
    assert 0 < chosen.count("a") < 40  # a tenth of the choices is random, half of those are a's


def test_a_score_that_is_not_a_number_ranks_last():
    """NaN means no opinion: behind all others, yet not refused."""
    selector, slate = fixed(np.nan, 0.1, np.nan, -5.0)
    assert selector.choose(slate, RNG).arm == "b"
    assert selector.order(slate, RNG) == ["b", "d", "a", "c"]


def test_when_no_score_is_a_number_somebody_is_chosen():
    """A policy without any opinion does not stop the service."""
    selector, slate = fixed(np.nan, np.nan)
    assert selector.choose(slate, RNG).arm == "a"


def test_an_infinite_score_wins_and_minus_infinity_refuses():
    """The ends of the scale mean what they say."""
    selector, slate = fixed(1.0, np.inf, -np.inf)
    assert selector.choose(slate, RNG).arm == "b"
    assert selector.order(slate, RNG) == ["b", "a"]
    selector.wanted = (-np.inf,) * 3
    with pytest.raises(ValueError, match="No models available: 'a':"):
        selector.choose(slate, RNG)


def test_equal_scores_go_to_the_fewest_trials_then_to_the_first():
    """The base class breaks ties, in the order of the slate and not of the rows."""
    selector, _ = fixed(1.0, 1.0, 1.0, 0.0)
    slate = selector.slate(("d", "c", "b", "a"))
    assert selector.choose(slate, RNG).arm == "c"
    selector.begin("c")
    selector.begin("b")
    assert selector.choose(slate, RNG).arm == "a"


def test_columns_read_by_a_policy_are_up_to_date():
    """Columns are written when they are read: whatever happened before shows."""
    selector, _ = fixed(0.0, 0.0)
    selector.enroll("a", expected_cost_usd=0.5)
    selector.begin("b")
    selector.settle("b", quality=0.25, cost_usd=0.125, latency_s=2.0)
    selector.begin("b")
    selector.order(selector.slate("ab"), RNG)
    table = selector._table
    assert table.trials.tolist() == [0.0, 2.0]
    assert table.mean.tolist() == [0.5, 0.25]
    assert table.cost_usd.tolist() == [0.5, 0.125]
    assert np.isnan(table.latency_s[0])
    assert table.latency_s[1] == 2.0


def test_the_worth_of_the_columns_is_the_worth_of_the_objective():
    """Vector and scalar arithmetic agree, for the selector's own objective and for another."""
    selector, _ = fixed(0.0, 0.0)
    selector.settle("a", quality=0.5, cost_usd=0.02, latency_s=3.0)
    selector.order(selector.slate("ab"), RNG)
    for objective in (selector.objective, Objective(quality=1, cost=2, latency=3)):
        worth = selector.worth(selector._table, objective)
        assert worth[0] == pytest.approx(objective.worth(0.5, cost_usd=0.02, latency_s=3.0))
        assert worth[1] == pytest.approx(objective.worth(0.5, cost_usd=None, latency_s=None))


class JustLeft(dict):
    """Whoever was here a moment ago has left when he is looked for."""

    def __contains__(self, name):
        return True


def test_a_slate_can_be_made_while_a_model_leaves():
    """The names of such a slate are looked up at the choice."""
    slate = Slate(("a", "b"), Arms(("a", None)), JustLeft())
    assert slate.few is None
    assert slate.arms == ("a", "b")


class Refusing(KLUCBSelector):
    """An heir with scores of its own, which refuse an arm."""

    def scores(self, arms, objective, rng):
        return np.where(arms.mean > 0.9, -np.inf, super().scores(arms, objective, rng))


def test_an_heir_with_scores_of_its_own_chooses_by_them():
    """Who writes `scores` need not know that the policy has a short way for few arms."""
    selector = Refusing()
    for arm in ("a", "b"):
        selector.enroll(arm)
        selector.settle(arm, quality=float(arm == "b"), cost_usd=None, latency_s=None)
    assert selector.choose(selector.slate("ab"), RNG).arm == "a"


class LeavesMeanwhile(Backlog):
    """While an arm is on its way out of the backlog, another thread gives its row to somebody else."""

    def __init__(self, selector):
        super().__init__(selector._stale)
        self.selector = selector

    def popitem(self):
        item = super().popitem()
        if "newcomer" not in self.selector._known:
            self.selector.retire(item[0].name)
            self.selector.enroll("newcomer")
        return item


@pytest.mark.parametrize("make", [Fixed, KLUCBSelector, UCBModelSelector])
def test_a_newcomer_takes_over_nothing_from_who_left_during_a_choice(make):
    """The row of an arm that left may be another's before the choice has written down what it had learnt."""
    selector = make()
    selector.wanted = (0.5, 0.5)
    for arm in ("a", "b"):
        selector.enroll(arm)
    selector.choose(selector.slate("ab"), RNG)
    selector.settle("a", quality=0.0, cost_usd=1.0, latency_s=1.0)
    selector._stale = LeavesMeanwhile(selector)
    selector.choose(selector.slate("ab"), RNG)
    slate = selector.slate(("newcomer", "b"))
    choice = selector.choose(slate, RNG)
    assert selector._table.names == ("newcomer", "b")
    assert selector._table.mean.tolist() == [0.5, 0.5]
    assert np.isnan(selector._table.cost_usd[0])
    assert choice.scores[0] == choice.scores[1]


class Remembering(Fixed):
    """Keeps a column of its own; while it writes, another thread may enroll somebody."""

    columns = ("seen",)
    meanwhile = ()

    def refresh(self, arms, arm):
        newcomers, self.meanwhile = self.meanwhile, ()
        for name in newcomers:
            self.enroll(name)
        arms.extra["seen"][arm.row] = arm.mean


def test_what_is_written_into_a_table_while_somebody_comes_is_in_the_next_one_too():
    """A choice under way writes into the rows that it started with; the newcomer's table has them all the same."""
    selector = Remembering()
    selector.wanted = (0.5, 0.5)
    selector.enroll("a")
    selector.settle("a", quality=0.25, cost_usd=None, latency_s=None)
    selector.meanwhile = ("b",)
    selector.choose(selector.slate("a"), RNG)
    assert selector._table.names == ("a", "b")
    assert selector._table.mean.tolist() == [0.25, 0.5]
    assert selector._table.extra["seen"].tolist() == [0.25, 0.5]
