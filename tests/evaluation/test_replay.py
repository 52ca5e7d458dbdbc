"""Replay: what the selector sees, when it sees it, and what changes on the way."""

from typing import ClassVar

import numpy as np
import pytest
from small_tables import table_of_columns

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import Falls, Joins, Leaves, Outage, Reprices, builtin, replay
from orchestrator.evaluation.player import play
from orchestrator.evaluation.reward import Reward
from orchestrator.evaluation.stage import Expectations
from orchestrator.evaluation.world import playing_order, world_of
from orchestrator.selectors import PoolSelector, UCBModelSelector
from orchestrator.selectors.context import Context, features_of
from orchestrator.selectors.selector import ModelSelector

NOTHING = Expectations({}, {})


class Diary(ModelSelector):
    """Takes the models in turn and writes down everything it is told."""

    name = "diary"
    told: ClassVar[list] = []

    def scores(self, arms, objective, rng):
        self.told.append("choose")
        return -arms.trials

    def begin(self, arm):
        super().begin(arm)
        self.told.append(f"begin {arm}")

    def settle(self, arm, *, quality, **facts):
        super().settle(arm, quality=quality, **facts)
        self.told.append(f"settle {arm} {quality:g} {facts['cost_usd']:g}")

    def release(self, arm):
        super().release(arm)
        self.told.append(f"release {arm}")


@pytest.fixture
def diary():
    Diary.told.clear()
    return Diary()


def run_diary(diary, table, changes=(), **options):
    """What the selector was told, with the table in its own order."""
    world = world_of(table, np.arange(len(table)), changes)
    objective = Reward.over(table, cost_weight=0.1).objective
    return play(world, diary, objective, np.random.default_rng(0), expected=NOTHING, **options)


THREE = table_of_columns([1, 0, 1], [0, 1, 0.5], costs=[2.0, 1.0])


def test_only_the_chosen_model_is_seen(diary):
    """One outcome a round, settled before the next choice when nothing is late."""
    run_diary(diary, THREE)
    assert diary.told == [
        *("choose", "begin a", "settle a 1 2"),
        *("choose", "begin b", "settle b 1 1"),
        *("choose", "begin a", "settle a 1 2"),
    ]


def test_an_outcome_comes_so_many_rounds_late(diary):
    """With a delay of 1, the outcome of a round is known after the next choice and not before."""
    run_diary(diary, THREE, delay=1)
    assert diary.told == ["choose", "begin a", "choose", "begin b", "settle a 1 2", "choose", "begin a", "settle b 1 1"]


def test_calls_in_flight_can_be_hidden(diary):
    """Then the selector never hears of a call before its outcome."""
    run_diary(diary, THREE, in_flight=False)
    assert not [line for line in diary.told if line.startswith("begin")]


def test_the_same_seed_gives_the_same_choices():
    """A run can be repeated; another seed plays another order."""
    first, again = (replay("builtin", "thompson", rounds=200, seed=4).choices for _ in range(2))
    assert first == again
    assert first != replay("builtin", "thompson", rounds=200, seed=5).choices


def test_all_selectors_see_the_same_stream():
    """The order of prompts hangs on the seed alone."""
    orders = [
        [prompt for prompt, _ in replay("builtin", name, rounds=100, seed=1).choices] for name in ("ucb", "random")
    ]
    assert orders[0] == orders[1]


def test_each_prompt_comes_once_and_at_most_5000_do():
    """The definition of the stream."""
    table = builtin(prompts=5_100)
    order = playing_order(table, rounds=None, seed=0)
    assert len(order) == len(set(order.tolist())) == 5_000
    assert len(playing_order(table, rounds=5_100, seed=0)) == 5_100
    with pytest.raises(ConfigurationError, match="from 1 to 5100"):
        playing_order(table, rounds=5_101, seed=0)


def test_a_fallen_model_scores_nothing_from_then_on(diary):
    """The selector is not told, it only sees the scores."""
    run_diary(diary, THREE, [Falls(model="a", at=1)])
    assert diary.told[-1] == "settle a 0 2"


def test_an_announced_price_reaches_the_selector_before_the_choice():
    """The mean cost in the selector's memory follows the list at once; unannounced it does not."""
    known = {}
    for announced in (True, False):
        selector = UCBModelSelector(objective=Reward.over(THREE, cost_weight=0.1).objective)
        run_diary(selector, THREE, [Reprices(model="a", at=2, factor=10.0, announced=announced)], delay=1)
        known[announced] = selector.statistics()["a"]["mean_cost_usd"]
    assert known == {True: pytest.approx(20.0), False: pytest.approx(2.0)}


def test_a_second_price_change_starts_from_the_first():
    """Ten times as dear and then half of that is five times as dear."""
    selector = UCBModelSelector(objective=Reward.over(THREE, cost_weight=0.1).objective)
    changes = [Reprices(model="a", at=at, factor=factor) for at, factor in ((1, 10.0), (2, 0.5))]
    run_diary(selector, THREE, changes)
    assert selector.statistics()["a"]["mean_cost_usd"] == pytest.approx(10.0)


def test_a_model_that_joins_cannot_be_chosen_before(diary):
    """And one that leaves cannot be chosen after."""
    picks = run_diary(diary, table_of_columns([1] * 6, [1] * 6), [Joins(model="b", at=3)]).picks
    assert picks[:3].tolist() == [0, 0, 0]
    assert 1 in picks[3:]
    assert (
        run_diary(Diary(), table_of_columns([1] * 6, [1] * 6), [Leaves(model="a", at=2)]).picks[2:].tolist() == [1] * 4
    )


def test_a_change_after_the_end_is_refused():
    """It would never happen, and nobody would notice."""
    with pytest.raises(ConfigurationError, match="comes too late: there are 20 rounds"):
        replay("builtin", "ucb", rounds=20, changes=[Falls(model="coder", at=20)])


def test_some_model_is_there_throughout():
    """A scenario that leaves nobody to be measured against is refused before it is played."""
    with pytest.raises(ConfigurationError, match="let one of them stay"):
        world_of(table_of_columns([1, 1]), [0, 1], [Leaves(model="a", at=1)])


def test_an_error_teaches_nothing_and_three_take_the_model_out(diary):
    """Failures are released, never settled; copies of requests ask whether the model is back, and users never wait for it."""
    rounds = 60
    table = table_of_columns([1] * rounds, [1] * rounds)
    played = run_diary(diary, table, [Outage(model="a", at=0, until=30)])
    assert diary.told.count("release a") == 3
    assert played.probes == 2  # after 10 rounds in vain, after 20 more with success
    assert (played.picks[:30] == 0).sum() == 3
    assert (played.picks[-20:] == 0).any()


def test_a_silent_outage_looks_like_worthless_answers(diary):
    """Without an error flag the zeros are learnt."""
    run_diary(diary, THREE, [Outage(model="a", at=0, until=2, flagged=False)])
    assert diary.told[2] == "settle a 0 0"


def test_a_contextual_selector_is_told_category_and_features():
    """The same context comes with the choice and with what it led to."""
    heard = []

    class Listener(Diary):
        contextual = True

        def scores_in(self, context, arms, objective, rng):
            heard.append(context)
            return self.scores(arms, objective, rng)

        def settle(self, arm, *, quality, cost_usd, latency_s, tokens_per_s=None, context=None):
            heard.append(context)

    table = table_of_columns([1, 0], [0, 1], category=[0, 1])
    replay(table, Listener, seed=0)
    assert heard[0] is heard[1]
    assert {context.category for context in heard} == {"x", "y"}
    assert all(isinstance(context, Context) for context in heard)


def test_features_are_made_of_the_prompts_text():
    """By the engine's own function, by another, or by none; a table without texts has none."""
    heard = []

    class Listener(Diary):
        contextual = True

        def scores_in(self, context, arms, objective, rng):
            heard.append(context.features)
            return self.scores(arms, objective, rng)

    table = builtin(prompts=3)
    for features in (features_of, lambda text: (float(len(text)),), None):
        replay(table, Listener, features=features, rounds=1)
    row = playing_order(table, rounds=1, seed=0)[0]
    assert heard == [features_of(table.prompts[row]), (float(len(table.prompts[row])),), None]
    replay(table_of_columns([1, 0]), Listener, rounds=1)
    assert heard[-1] is None


def test_a_prior_by_category_sends_each_kind_to_its_model():
    """Two models level in the mean: who is told where each is better asks nobody in vain."""
    rng = np.random.default_rng(0)
    category = rng.integers(2, size=400)
    right = np.stack([category == 0, category == 1]).astype(float)
    table = table_of_columns(*right, category=category)
    told = replay(table, "default", prior=table.catalogue_by_category(), cost_weight=0.0)
    untold = replay(table, "default", prior=table.catalogue(), cost_weight=0.0)
    assert table.catalogue_by_category()["a"] == {"x": 1.0, "y": 0.0}
    assert told.mean_score == 1.0 > untold.mean_score > 0.8


def test_a_score_of_a_few_prompts_is_not_published():
    """Categories with less than ten prompts, or as many as is said, are left out of a catalogue by category."""
    table = table_of_columns([1.0] * 12, category=[0] * 9 + [1] * 3)
    assert table.catalogue_by_category() == {"a": {}}
    assert table.catalogue_by_category(least=9) == {"a": {"x": 1.0}}


def test_expectations_reach_the_selector():
    """Prices enter the cost head; a list may know other models besides, but not only others, nor impossible numbers."""
    table = builtin(prompts=50)
    for prior, complaint in (
        ({"atlas": 0.5}, "no model 'atlas'"),
        ({"coder": 1.5}, "'coder' is 1.5: a number from 0 to 1"),
        ({"coder": {"maths": -1.0}}, "'coder' in 'maths' is -1.0: a number from 0 to 1"),
        ({"atlas": {"maths": 0.5}}, "no model 'atlas'"),
        ({"coder": "0.5"}, "'coder' is '0.5': a number from 0 to 1"),
        ({"coder": None}, "is None: a number from 0 to 1"),
        ({"coder": {"maths": None}}, "'coder' in 'maths' is None: a number from 0 to 1"),
        ({"coder": {"math": 0.5}}, "no such category; did you mean 'maths'"),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            replay(table, "ucb", prior=prior)
    run = replay(
        table, "cost", prices={**table.price_list(), "tiny-local": 9.0, "coder": 0.0, "another": 1.0}, rounds=5
    )
    assert run.choices[0][1] == "coder"


def test_a_selector_given_as_an_object_is_left_alone():
    """The copy plays; the original learns nothing."""
    mine = UCBModelSelector()
    replay("builtin", mine, rounds=20)
    assert mine.statistics() == {}


def test_a_selector_may_be_given_in_the_middle_of_its_work():
    """What it shares is worked out piece by piece; a copy made between two pieces plays all the same."""
    mine, table = PoolSelector(), builtin(prompts=50)
    mine.enroll_many({model: {} for model in table.models})
    for number in range(40):
        arm = mine.choose(mine.slate(table.models), np.random.default_rng(0)).arm
        mine.settle(arm, quality=number % 2, cost_usd=None, latency_s=None)
        assert replay(table, mine, rounds=2).choices


def test_a_callable_makes_the_selector():
    """It is given the objective to pursue."""
    run = replay("builtin", lambda objective: UCBModelSelector(objective=objective, exploration_factor=0.2), rounds=20)
    assert len(run.choices) == 20


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nope", "no selector 'nope'"),
        ("ucb:exploration", "option=value"),
        ("ucb:half_live=3", "did you mean 'half_life'"),
    ],
)
def test_a_wrong_name_says_what_is_right(name, complaint):
    """Names and options are checked before anything runs."""
    with pytest.raises(ConfigurationError, match=complaint):
        replay("builtin", name, rounds=10)


def test_the_aftermath_counts_calls_around_a_change():
    """Usual share before, calls in the 100 rounds after, and use after a recovery relative to the usual one."""
    rounds = 400
    table = table_of_columns([1] * rounds, [1] * rounds)
    run = replay(table, Diary, changes=[Outage(model="a", at=150, until=200)])
    told = run.aftermath[0]
    assert (told.kind, told.usual_share) == ("outage", 0.5)
    assert told.failed_calls == run.failures == 3
    assert told.use_after_recovery > 0
    assert [start for start, _ in run.phases] == [0, 150, 200]


def test_the_clock_is_an_argument(diary):
    """Times are what the clock says: here a tick a reading, two pairs of readings a round."""
    ticks = iter(range(1_000))
    played = run_diary(diary, THREE, clock=lambda: float(next(ticks)))
    assert played.took_s.tolist() == [2.0, 2.0, 2.0]


def test_learning_pays_on_recorded_outcomes(shared_data):
    """On real records the engine's policies leave much less loss than chance does (UCB1 is known to leave .36 to .45)."""
    run = replay(shared_data / "routing", "ucb", dataset="paretobandit", cost_weight=0.1)
    assert run.share_of_random < 0.7
