"""A registry's own journal is a log to learn from."""

import pytest

from orchestrator.core.messages import Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError, RateLimitError, ServerError
from orchestrator.evaluation import as_logged, ips, learnt_from_journal, read_journal, replay_log
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors import ModelSelector
from orchestrator.selectors.floor import Floored

PROMPTS = {"code": "def add(a, b):", "maths": "What is 3 + 4?"}


class Priced(Model):
    """Answers, or fails by its script, for a dollar a thousand calls."""

    def __init__(self, name, steps=(), **facts):
        super().__init__(**{"id": name, "provider": "custom", "cost": {"input": 1, "output": 0}, **facts})
        self.steps = list(steps)

    async def generate_response(self, prompt, **kwargs):
        if self.steps:
            raise self.steps.pop(0)
        return Reply("ok", usage=UsageStats(1_000, 0))

    async def health_check(self):
        return True


class Even(Floored):
    """Everybody with equal chance."""

    name = "even"

    def __init__(self, floor=1.0):
        super().__init__()
        self.set_floor(floor)

    def scores(self, arms, objective, rng):
        return -arms.trials


class Undisclosed(ModelSelector):
    """Draws, and does not say how likely each draw was."""

    name = "undisclosed"

    def scores(self, arms, objective, rng):
        return rng.random(len(arms))


@pytest.fixture
async def lived(fake_clock, tmp_path):
    """Let a registry answer prompts, each model being good at one kind; the path of its journal."""

    async def live(rounds=300, *, models=("code", "maths"), policy=None, rated=True):
        path = tmp_path / "journal.db"
        policy = policy or Even()
        registry = ModelRegistry(clock=fake_clock, model_selector=policy, journal=path, cache_responses=False, seed=5)
        for model in models:
            registry.register_model(Priced(model) if isinstance(model, str) else model)
        for _ in range(rounds):
            for kind, prompt in PROMPTS.items():
                response = await registry.generate_response(prompt)
                if rated:
                    response.rate(0.9 if response.model_id == kind else 0.2)
        await registry.cleanup()
        return path

    return live


async def test_another_policy_is_judged_on_ones_own_requests(lived):
    """One that looks at the category would have earned 0.9, as the journal knows categories and ratings."""
    log = read_journal(await lived())
    assert len(log) == 600
    assert {one.category for one in log} == {"code", "maths"}
    assert {len(one.features) for one in log} == {28}
    assert {one.candidates for one in log} == {("code", "maths")}
    looking, blind = replay_log(log, "category", seed=1), replay_log(log, "kl-ucb", seed=1)
    assert looking.score.mean > 0.8
    assert blind.score.mean < 0.65
    assert looking.cost_usd.mean == pytest.approx(0.001)


async def test_the_estimators_read_it(lived):
    """Each model alone is worth 0.55, and the interval says so (95 %, one fixed seed)."""
    logged, models, _ = as_logged(read_journal(await lived()))
    for column, _ in enumerate(models):
        alone = [float(column == other) for other in range(len(models))]
        estimate = ips(logged, [alone])
        assert estimate.low < 0.55 < estimate.high


async def test_candidates_differ_from_decision_to_decision(lived):
    """A policy is only offered who could be chosen then."""
    log = read_journal(await lived())
    alone = [one._replace(candidates=(one.model,)) for one in log]
    assert replay_log(alone, "ucb").accepted > replay_log(log, "ucb").accepted


async def test_what_was_not_rated_counts_as_assumed_or_not_at_all(lived):
    """An answer is worth 1 until somebody says otherwise."""
    path = await lived(10, rated=False)
    assert {one.score for one in read_journal(path)} == {1.0}
    with pytest.raises(ConfigurationError, match=r"none of the 20 decisions .* is rated"):
        read_journal(path, rated_only=True)


async def test_failures_count_as_far_as_they_are_the_models(lived):
    """A broken server is worth 0 and free, a full one says nothing."""
    models = Priced("a", [ServerError("x")]), Priced("b", [RateLimitError("x")]), Priced("c")
    log = read_journal(await lived(2, models=models, rated=False))
    assert [(one.score, one.cost_usd) for one in log if not one.score] == [(0.0, 0.0)]
    assert [one.score for one in log].count(1.0) == 4


async def test_unknown_prices_are_left_out_or_given(lived):
    """They are never 0 by themselves."""
    path = await lived(5, models=(Priced("a", cost=None),))
    with pytest.raises(ConfigurationError, match="known price"):
        read_journal(path)
    assert {one.cost_usd for one in read_journal(path, unknown_cost_usd=0.002)} == {0.002}


async def test_an_empty_journal_says_so(lived):
    """There is nothing to learn from yet."""
    with pytest.raises(ConfigurationError, match="no decisions yet"):
        read_journal(await lived(0))


async def test_a_journal_without_propensities_says_what_to_do(lived):
    """A drawing policy that does not know its odds cannot be judged by them."""
    path = await lived(3, policy=Undisclosed())
    with pytest.raises(ConfigurationError, match=r"floor=0\.05"):
        read_journal(path)


async def test_a_new_registry_begins_with_what_a_journal_has_seen(lived, fake_clock):
    """Its first choices are those of one that has lived through it, category by category."""
    new = ModelRegistry(clock=fake_clock, selection_strategy="pool", cache_responses=False)
    new.selector.merge(learnt_from_journal(await lived(50)))
    for model in ("code", "maths"):
        new.register_model(Priced(model))
    assert [new.select(prompt=PROMPTS[kind]).model.id for kind in ("code", "maths")] == ["code", "maths"]
    figures = new.selector.statistics()
    assert sum(one["pulls"] for one in figures.values()) == 100
    assert all(0.2 < one["mean_quality"] < 0.9 for one in figures.values())


async def test_a_journal_that_says_nothing_teaches_nothing(lived):
    """Answers that nobody has rated are left out on request; that none is left is said."""
    path = await lived(5, rated=False)
    assert sum(arm["pulls"] for arm in learnt_from_journal(path)["arms"].values()) == 10
    with pytest.raises(ConfigurationError, match="no rated attempt in this journal"):
        learnt_from_journal(path, rated_only=True)
