"""Health is learned from the calls: exact thresholds, cool-downs that grow, and never an empty house."""

import asyncio
import random

import pytest

from orchestrator.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    NoEligibleModelsError,
    RateLimitError,
    ServerError,
    UpstreamNotFoundError,
)
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_registry import ModelRegistry


class Even(random.Random):
    """Jitter in the middle of its range."""

    def uniform(self, a, b):
        return (a + b) / 2


@pytest.fixture
def monitor(fake_clock):
    """The guide's monitor, without chance."""
    return ModelHealthMonitor(check_interval=300, failure_threshold=3, recovery_threshold=2, rng=Even())


@pytest.fixture
def registry(monitor, fake_clock):
    """A registry with that monitor."""
    return ModelRegistry(health_monitor=monitor, clock=fake_clock, seed=0)


@pytest.fixture
def changes(monitor):
    """Every change of a status."""
    told = []
    monitor.subscribe(lambda *change: told.append(change))
    return told


async def ask(model, times=1):
    """Call a model once each time, whatever comes."""
    for _ in range(times):
        try:
            await model.generate_response("hi", max_attempts=1)
        except Exception:  # noqa: BLE001 - the outcome is what the test looks at
            continue


def status(registry, model_id="a"):
    """A model's status."""
    return registry.health.status_of(registry[model_id]).status


async def test_the_third_failure_in_a_row_takes_a_model_out(registry, scripted, changes):
    """Two do not, and a success between them starts the count anew."""
    fail = ServerError("x")
    model = registry.register_model(scripted("a", [fail, fail, "ok", fail, fail, fail]))
    await ask(model, 5)
    assert status(registry) == "healthy"
    await ask(model)
    assert changes == [("a", "unknown", "healthy"), ("a", "healthy", "unhealthy")]


async def test_the_second_success_brings_it_back(registry, scripted, changes):
    """After the cool-down it is on probation until two calls were answered."""
    model = registry.register_model(scripted("a", [ServerError("x")] * 3))
    await ask(model, 3)
    await registry.clock.advance(5)
    registry.select()
    assert status(registry) == "recovering"
    await ask(model)
    assert status(registry) == "recovering"
    await ask(model)
    assert [new for *_, new in changes] == ["unhealthy", "recovering", "healthy"]


async def test_answers_while_it_is_out_bring_it_back_by_a_growing_share_too(registry, scripted):
    """Whoever asks this very model does so in its cool-down; that it answers twice does not open it to all at once."""
    gate = asyncio.Event()
    model = registry.register_model(scripted("a", [ServerError("x")] * 3 + ["ok"] * 2 + [gate.wait] * 2))
    await ask(model, 5)
    assert status(registry) == "healthy"
    calls = [asyncio.create_task(ask(model)) for _ in range(2)]
    await asyncio.sleep(0)
    assert registry.health.probing(model)
    gate.set()
    await asyncio.gather(*calls)
    assert not registry.health.probing(model)


async def test_one_success_does_not_end_an_outage(registry, scripted):
    """An answer to a call that left before the outage is one of the two that are needed."""
    model = registry.register_model(scripted("a", [ServerError("x")] * 3))
    await ask(model, 4)
    assert status(registry) == "unhealthy"


async def test_cool_downs_double_up_to_a_bound(registry, scripted):
    """5 s, 10 s, 20 s ... as long as every return fails, and never more than five minutes."""
    model = registry.register_model(scripted("a", [ServerError("x")] * 99))
    await ask(model, 3)
    waits = []
    for _ in range(9):
        waits.append(registry.health.status_of(model).returns_in_s)
        await registry.clock.advance(waits[-1])
        registry.select()
        await ask(model)
    assert waits == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300, 300])


async def test_one_outage_counts_once(registry, scripted):
    """Ten calls that fail together do not multiply the cool-down."""
    model = registry.register_model(scripted("a", [ServerError("x")] * 10))
    await ask(model, 10)
    assert registry.health.status_of(model).returns_in_s == pytest.approx(5)


async def test_while_it_returns_one_call_at_a_time_tries_it(registry, scripted):
    """The circuit is half open: the others go elsewhere until it has earned more."""
    gate = asyncio.Event()
    back = registry.register_model(scripted("a", [ServerError("x")] * 3 + [gate.wait]))
    await ask(back, 3)
    registry.register_model(scripted("b"))
    await registry.clock.advance(5)
    probe = asyncio.create_task(registry.generate_response("hi", exclude_models=["b"]))
    await asyncio.sleep(0)
    assert (back.asked, status(registry)) == (4, "recovering")
    for _ in range(5):
        assert (await registry.generate_response("hi")).model_id == "b"
    gate.set()
    await probe


async def test_the_only_model_serves_everybody_while_it_returns(registry, scripted):
    """Nobody is turned away for a probe's sake when there is no other model."""
    gate = asyncio.Event()
    model = registry.register_model(scripted("a", [ServerError("x")] * 3 + [gate.wait] * 5))
    await ask(model, 3)
    await registry.clock.advance(5)
    calls = [asyncio.create_task(registry.generate_response("hi")) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    assert len(await asyncio.gather(*calls)) == 5


async def test_when_all_are_out_one_is_tried_all_the_same(registry, scripted):
    """Panic beats a certain refusal; the selection says so."""
    models = [registry.register_model(scripted(name, [ServerError("x")] * 3)) for name in "ab"]
    for model in models:
        await ask(model, 3)
    selection = registry.select()
    assert selection.panic
    assert all(c.refused is None for c in selection.candidates)
    assert (await registry.generate_response("hi")).text.endswith("says hello")


async def test_a_failure_without_a_class_goes_by_the_type_of_its_exception(registry, scripted):
    """Never by its text, which may repeat the prompt."""
    model = registry.register_model(scripted("a", [KeyError("a secret prompt")] * 3))
    await ask(model, 3)
    assert registry.health.status_of(model).issues == ["unknown (KeyError)"]


async def test_a_model_that_is_out_is_not_chosen_while_another_is_in(registry, three):
    """Its reason is listed with the time of its return."""
    three[0].steps.extend([ServerError("x")] * 3)
    await ask(three[0], 3)
    refused = {c.model_id: c.refused for c in registry.select().candidates}
    assert refused == {"a": "unhealthy: server; tried again in 5 s", "b": None, "c": None}
    with pytest.raises(NoEligibleModelsError):
        registry.select(models=["a"], tags=["x"])


@pytest.mark.parametrize(
    ("error", "expected", "returns_in_s"),
    [
        (InvalidRequestError("x"), "unknown", None),
        (AuthenticationError("x"), "unhealthy", 60),
        (UpstreamNotFoundError("x"), "unhealthy", 300),
        (RateLimitError("x", retry_after_s=42), "limited", 42),
        (RateLimitError("x"), "limited", 1),
        (RateLimitError("x", retry_after_s=10**9), "limited", 3600),
        (RateLimitError("x", retry_after_s=float("nan")), "limited", 1),
        (RateLimitError("x", retry_after_s=-5), "limited", 1),
        (RateLimitError("x", retry_after_s=float("inf")), "limited", 3600),
    ],
)
async def test_each_class_of_failure_has_its_own_consequence(registry, scripted, error, expected, returns_in_s):
    """A caller's fault none, a bad key at once, a missing model for long, a limit as told but bounded."""
    model = registry.register_model(scripted("a", [error]))
    await ask(model)
    found = registry.health.status_of(model)
    assert (found.status, found.returns_in_s) == (expected, returns_in_s and pytest.approx(returns_in_s))
    assert found.healthy is (expected == "unknown")


async def test_untold_rate_limits_wait_longer_each_time(registry, scripted):
    """1, 2, 4 ... up to 60 s, and 1 again after a recovery."""
    model = registry.register_model(scripted("a", [RateLimitError("x")] * 8 + ["ok"] * 2 + [RateLimitError("x")]))
    waits = []
    for _ in range(8):
        await ask(model)
        waits.append(registry.health.status_of(model).returns_in_s)
        await registry.clock.advance(waits[-1])
        registry.select()
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])
    await ask(model, 3)
    assert registry.health.status_of(model).returns_in_s == pytest.approx(1)


async def test_health_reads_as_in_the_guide(registry, scripted):
    """`healthy`, its older name, issues and figures; a model nobody asked is probed."""
    model = registry.register_model(scripted("a", [ServerError("x", status=503)] * 3, provider="custom"))
    found = await registry.get_model_health("a")
    assert (found.status, found.healthy, found.is_healthy, found.issues) == ("healthy", True, True, [])
    assert found.last_check == registry.clock.time()
    await ask(model, 3)
    found = await registry.get_model_health("a")
    assert (found.healthy, found.issues, found.error_rate) == (False, ["server (HTTP 503)"], 1.0)


async def test_a_health_check_that_raises_is_a_failure_with_its_name(registry, scripted, monkeypatch):
    """The class is told, the text, which may hold anything, is not."""

    async def broken():
        raise ValueError("canary")

    model = registry.register_model(scripted("a"))
    monkeypatch.setattr(model, "health_check", broken)
    for _ in range(3):
        assert not await registry.health.check(model)
    found = registry.health.status_of(model)
    assert (found.status, found.issues) == ("unhealthy", ["health check failed with ValueError"])


async def test_a_probe_does_not_lift_a_rate_limit(registry, scripted):
    """A free health check says nothing about the quota of real calls."""
    model = registry.register_model(scripted("a", [RateLimitError("x", retry_after_s=60)]))
    await ask(model)
    assert await registry.health.check(model)
    assert status(registry) == "limited"


async def test_idle_models_are_asked_every_interval_and_busy_ones_are_not(registry, scripted, monkeypatch):
    """Background checks run inside `async with` only, and spare whoever has traffic."""
    asked = []
    for name in "ab":
        model = registry.register_model(scripted(name))
        monkeypatch.setattr(model, "health_check", lambda name=name: _noted(asked, name))
    await registry.clock.advance(1000)
    assert asked == []
    async with registry:
        await registry.clock.advance(300)
        assert asked == ["a", "b"]
        await ask(registry["a"])
        await registry.clock.advance(300)
        assert asked == ["a", "b", "b"]
    await registry.clock.advance(1000)
    assert asked == ["a", "b", "b"]


async def test_a_model_that_joins_later_is_checked_too(registry, scripted, monkeypatch):
    """The background checks look at the models of the moment."""
    asked = []
    async with registry:
        model = registry.register_model(scripted("late"))
        monkeypatch.setattr(model, "health_check", lambda: _noted(asked, "late"))
        await registry.clock.advance(300)
    assert asked == ["late"]


async def _noted(asked, name):
    asked.append(name)
    return True


async def test_a_hanging_health_check_is_given_up(registry, scripted, monkeypatch):
    """Ten seconds, then it counts as a failure."""
    model = registry.register_model(scripted("a"))
    monkeypatch.setattr(model, "health_check", lambda: asyncio.get_running_loop().create_future())
    check = asyncio.create_task(registry.health.check(model))
    await registry.clock.advance(10)
    assert not await check


async def test_a_replaced_model_starts_afresh(registry, scripted):
    """The record belongs to the model, not to its id."""
    await ask(registry.register_model(scripted("a", [ServerError("x")] * 3)), 3)
    registry["a"] = scripted("a")
    assert status(registry) == "unknown"
    del registry["a"]
    registry["a"] = scripted("a")
    assert not registry.select().panic


async def test_a_listener_hears_every_change(registry, scripted, changes):
    """Model, before and after."""
    await ask(registry.register_model(scripted("a", [RateLimitError("x", retry_after_s=1)])))
    assert changes == [("a", "unknown", "limited")]


async def test_a_listener_that_raises_harms_nobody(registry, scripted, changes, caplog):
    """The caller has the answer, the next listener is told, the log has the fault."""

    def broken(*change):
        raise ValueError("bad listener")

    registry.health.subscribe(broken)
    model = registry.register_model(scripted("a"))
    assert (await model.generate_response("hi")).text == "a says hello"
    assert changes == [("a", "unknown", "healthy")]
    assert "a listener failed on 'a'" in caplog.text


@pytest.mark.parametrize(
    "options",
    [{"failure_threshold": 0}, {"recovery_threshold": -1}, {"check_interval": 0}, {"cool_down_s": float("nan")}],
)
def test_absurd_settings_are_refused(options):
    """The message names the setting and the value."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        ModelHealthMonitor(**options)
