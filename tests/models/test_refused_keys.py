"""A key is a circuit of its own: one that is refused takes out its models, once, until it is changed or good again."""

import logging
import random

import pytest

from orchestrator.core.model import Model
from orchestrator.errors import AuthenticationError, PermissionDeniedError, ProviderTimeoutError, QuotaError
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_registry import ModelRegistry


class Even(random.Random):
    """Jitter in the middle of its range."""

    def uniform(self, a, b):
        return (a + b) / 2


class Keyed(Model):
    """A model whose key is refused as long as it stands in the list."""

    refusals: dict[str, type[Exception]]

    def __init__(self, name, key, refusals, **facts):
        super().__init__(id=name, provider="p", **facts)
        self.key, self.refusals, self.asked = key, refusals, 0

    @property
    def key_id(self):
        return self.key

    async def generate_response(self, prompt, **params):
        self.asked += 1
        if self.key in self.refusals:
            raise self.refusals[self.key]("no", status=401)
        return "ok"

    async def health_check(self):
        return True


@pytest.fixture
def refusals():
    """The keys that are refused, and how."""
    return {}


@pytest.fixture
def registry(fake_clock, refusals):
    """Three models with one key, which are asked first, and one with another."""
    registry = ModelRegistry("cost", health_monitor=ModelHealthMonitor(rng=Even()), clock=fake_clock, seed=0)
    for price, name in enumerate("abcd", 1):
        cost = {"input": price, "output": price}
        registry.register_model(Keyed(name, "k2" if name == "d" else "k1", refusals, cost=cost))
    return registry


def statuses(registry):
    """Every model's status."""
    return {found.model_id: found.status for found in registry.health.snapshot()}


@pytest.mark.parametrize(("error", "returns_in_s"), [(AuthenticationError, 60), (QuotaError, 300)])
async def test_a_refused_key_takes_out_its_models_and_nobody_else(registry, refusals, error, returns_in_s):
    """One call finds out, for all three; the other key serves on."""
    refusals["k1"] = error
    for _ in range(20):
        assert (await registry.generate_response("hi")).model_id == "d"
    assert sum(registry[name].asked for name in "abc") == 1
    assert statuses(registry) == {"a": "unhealthy", "b": "unhealthy", "c": "unhealthy", "d": "healthy"}
    assert registry.health.status_of(registry["b"]).returns_in_s == pytest.approx(returns_in_s)


async def test_it_is_told_once_however_often_it_is_refused(registry, refusals, caplog):
    """Twenty refused calls, several re-trials, one warning; each model's change is told once each way."""
    changes = []
    registry.health.subscribe(lambda *change: changes.append(change))
    refusals["k1"] = AuthenticationError
    for _ in range(20):
        with pytest.raises(AuthenticationError):
            await registry["a"].generate_response("hi")
        await registry.clock.advance(200)
    warnings = [one.getMessage() for one in caplog.records if "key" in one.getMessage()]
    assert warnings == ["key k1 of p: authentication (HTTP 401); its models are set aside"]
    assert [change for change in changes if change[2] == "unhealthy"][:3] == [
        (name, "unknown", "unhealthy") for name in "abc"
    ]


async def test_it_is_tried_again_ever_more_slowly_by_one_call_at_a_time(registry, refusals, fake_clock):
    """After one minute, two, four, up to an hour."""
    refusals["k1"] = AuthenticationError
    del registry["d"]
    waits = []
    for _ in range(8):
        with pytest.raises(AuthenticationError):
            await registry["b"].generate_response("hi")
        waits.append(registry.health.status_of(registry["c"]).returns_in_s)
        await fake_clock.advance(waits[-1])
        registry.select()
        assert statuses(registry) == dict.fromkeys("abc", "recovering")
    assert waits == pytest.approx([60, 120, 240, 480, 960, 1920, 3600, 3600])
    registry.health.begin(registry["a"])
    assert [registry.health.probing(registry[name]) for name in "abc"] == [True] * 3
    registry.health.end(registry["a"])
    assert [registry.health.probing(registry[name]) for name in "abc"] == [False] * 3


async def test_a_key_that_was_changed_is_used_within_a_second(registry, refusals, fake_clock):
    """Its name is another, and so its record is clean."""
    refusals["k1"] = AuthenticationError
    await registry.generate_response("hi")
    fit = lambda: {one.model_id for one in registry.select().candidates if one.refused is None}  # noqa: E731 - a question
    assert fit() == {"d"}
    for name in "abc":
        registry[name].key = "k3"
    await fake_clock.advance(1)
    assert fit() == set("abcd")


async def test_one_answer_makes_it_good_again(registry, refusals, fake_clock, caplog):
    """Also an answer that a user's own call brought; a free check proves nothing of credit."""
    caplog.set_level(logging.INFO)
    refusals["k1"] = QuotaError
    await registry.generate_response("hi")
    refusals.clear()
    await fake_clock.advance(5)
    await registry.health.probe("a")
    assert statuses(registry)["a"] == "unhealthy"
    await registry["a"].generate_response("hi")
    assert statuses(registry) == {"a": "healthy", "b": "unknown", "c": "unknown", "d": "healthy"}
    assert "key k1 of p is accepted again" in caplog.text


async def test_a_permission_that_is_missing_is_missing_for_one_model(registry, refusals):
    """The key's other models serve on."""
    refusals["k1"] = PermissionDeniedError
    with pytest.raises(PermissionDeniedError):
        await registry["a"].generate_response("hi")
    assert statuses(registry) == {"a": "unhealthy", "b": "unknown", "c": "unknown", "d": "unknown"}
    assert registry.health.status_of(registry["a"]).returns_in_s == pytest.approx(300)


async def test_a_trial_that_times_out_leaves_room_for_the_next(registry, refusals, fake_clock):
    """It has said nothing about the key, good or bad."""
    refusals["k1"] = AuthenticationError
    await registry.generate_response("hi")
    await fake_clock.advance(60)
    registry.select()
    refusals["k1"] = ProviderTimeoutError
    with pytest.raises(ProviderTimeoutError):
        await registry["a"].generate_response("hi", max_attempts=1)
    assert not registry.health.probing(registry["b"])


async def test_a_record_that_nobody_asks_for_is_forgotten(registry, refusals, fake_clock):
    """A key that was changed long ago costs nothing any more."""
    refusals["k1"] = AuthenticationError
    await registry.generate_response("hi")
    for name in "abc":
        registry[name].key = "k3"
    await fake_clock.advance(60 + 601)
    await registry.generate_response("hi")
    assert registry.health._keys.refused == {}
