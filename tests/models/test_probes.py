"""What is asked actively: little, free of charge, a few at a time, and it survives its own faults."""

import asyncio
import random
from itertools import pairwise

import pytest

from orchestrator.core.model import Model
from orchestrator.integrations import CompatibleModel, OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import EmulatedModel, Emulator, Fail, FakeClock


class Even(random.Random):
    """Jitter in the middle of its range."""

    def uniform(self, a, b):
        return (a + b) / 2


class Checked(Model):
    """Counts its checks and calls; `check` is what a check does."""

    def __init__(self, name, check=None, **facts):
        super().__init__(id=name, provider="custom", **facts)
        self.check, self.checks, self.prompts = check, 0, []

    async def generate_response(self, prompt, **params):
        self.prompts.append(prompt)
        return "ok"

    async def health_check(self):
        self.checks += 1
        return True if self.check is None else await self.check()


def monitored(clock, **options):
    """A registry whose monitor is without chance."""
    return ModelRegistry(health_monitor=ModelHealthMonitor(rng=Even(), **options), clock=clock, seed=0)


@pytest.fixture
async def emulator():
    """Two models of one provider."""
    async with Emulator([EmulatedModel(name, provider="openai") for name in ("m1", "m2")]) as emulator:
        yield emulator
        await close_sessions()


def at(emulator, name):
    """A model there."""
    return OpenAIModel(name=name, api_key="k", base_url=emulator.base_url("openai"))


class Counted(OpenAIModel):
    """Counts how often it asks for the list."""

    lists = 0

    async def probe(self):
        self.lists += 1
        await super().probe()


async def test_one_question_answers_for_all_models_of_a_key(emulator):
    """A hundred models of one provider do not ask a hundred times for the same list."""
    registry = monitored(FakeClock())
    for name, key in (("m1", "k1"), ("m2", "k1"), ("m3", "k2")):
        registry.register_model(Counted(name=name, api_key=key, base_url=emulator.base_url("openai")))
    await registry.health._round(list(registry.values()))
    assert [found.status for found in registry.health.snapshot()] == ["healthy"] * 3
    assert [model.lists for model in registry.values()] == [1, 0, 1]


async def test_a_health_check_of_ones_own_comes_before_the_providers_list(emulator):
    """A subclass that knows better is asked itself."""

    class Picky(Counted):
        async def health_check(self):
            return False

    registry = monitored(FakeClock())
    model = registry.register_model(Picky(name="m1", api_key="k", base_url=emulator.base_url("openai")))
    assert not await registry.health.check(model)
    assert registry.health.status_of(model).issues == ["health check says no"]
    assert model.lists == 0


@pytest.mark.parametrize(
    ("fault", "fit", "status", "issues"),
    [
        (Fail(429), True, "healthy", []),
        (Fail(401), False, "unhealthy", ["authentication (HTTP 401)"]),
        (Fail(404), False, "unknown", ["not_found (HTTP 404)"]),
        (Fail(500), False, "unknown", []),
    ],
)
async def test_what_a_refused_probe_says(emulator, fault, fit, status, issues):
    """Limited is alive, a wrong key is one for all its models, no list is no outage, a failure is one of three."""
    registry = monitored(FakeClock())
    for name in ("m1", "m2"):
        registry.register_model(at(emulator, name))
    emulator.break_provider("openai", fault)
    assert await registry.health.check(registry["openai/m1"]) is fit
    found = await registry.get_model_health("m1")
    assert (found.status, found.issues) == (status, issues)
    assert registry.health.status_of(registry["openai/m2"]).status == (
        "unhealthy" if status == "unhealthy" else "unknown"
    )


async def test_three_failed_probes_take_a_model_out(emulator):
    """As three failed calls do."""
    registry = monitored(FakeClock())
    model = registry.register_model(at(emulator, "m1"))
    emulator.break_provider("openai", Fail(500))
    for _ in range(3):
        await registry.health.probe("openai/m1")
    assert registry.health.status_of(model).reason == "server (HTTP 500)"
    emulator.mend()
    assert [(await registry.health.probe("openai/m1")).status for _ in range(2)] == ["recovering", "healthy"]


async def test_a_model_that_is_not_set_up_is_not_ill(monkeypatch):
    """Its check says what to set, and counts for nothing."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    registry = monitored(FakeClock())
    model = registry.register_model(OpenAIModel(name="m1"))
    for _ in range(4):
        found = await registry.health.probe("openai/m1")
    assert found.status == "unknown"
    assert found.issues == ["no API key for openai: set OPENAI_API_KEY or pass api_key="]
    async with registry:
        await registry.clock.advance(1000)
    assert registry.health.status_of(model).failures == 0


async def test_a_free_list_does_not_bring_back_a_model_that_is_gone(emulator):
    """That the provider has a list says nothing of this one."""
    registry = monitored(FakeClock())
    model = registry.register_model(at(emulator, "m1"))
    emulator.break_model("m1", Fail(404))
    with pytest.raises(Exception, match="404"):
        await model.generate_response("hi")
    for _ in range(3):
        await registry.health.probe("openai/m1")
    assert registry.health.status_of(model).issues == ["not_found (HTTP 404)"]
    assert registry.health.status_of(model).status == "unhealthy"


async def test_few_are_asked_at_a_time(fake_clock):
    """Never more than `parallel`, and each for at most `probe_limit_s`."""
    running = most = 0

    async def hang():
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            running -= 1

    registry = monitored(fake_clock, parallel=3, probe_limit_s=2)
    models = [registry.register_model(Checked(f"m{n}", hang)) for n in range(7)]
    async with registry:
        await fake_clock.advance(300 + 3 * 2)
    assert (most, [model.checks for model in models]) == (3, [1] * 7)
    assert registry.health.status_of(models[0]).issues == ["health check failed with TimeoutError"]


async def test_checks_are_spread_by_chance(fake_clock):
    """Intervals differ by up to 20 %, so that many processes do not ask at once."""
    registry = ModelRegistry(health_monitor=ModelHealthMonitor(rng=random.Random(3)), clock=fake_clock, seed=0)
    moments = []

    async def note():
        moments.append(fake_clock.monotonic())
        return True

    registry.register_model(Checked("m", note))
    async with registry:
        await fake_clock.advance(3000)
    gaps = {round(later - earlier) for earlier, later in pairwise(moments)}
    assert len(gaps) > 3
    assert all(240 <= gap <= 360 for gap in gaps)


async def test_a_paid_probe_is_a_call_and_stays_below_one_per_cent(fake_clock):
    """Nothing is spent before something was earned, and nothing at all unless it was wished."""
    for wished in (False, True):
        registry = monitored(fake_clock, probe_with_completion=wished)
        busy, idle = (
            registry.register_model(Checked(name, cost={"input": 1, "output": 1})) for name in ("busy", "idle")
        )
        async with registry:
            await fake_clock.advance(900)
            assert idle.prompts == []
            if wished:
                registry.health._purse.earn(0.25)  # 1 % is two and a half calls of 500 + 500 tokens
            for _ in range(20):
                await busy.generate_response("hi")
                await fake_clock.advance(300)
        assert idle.prompts == (["ping"] * 2 if wished else [])
        assert idle.metrics.calls == len(idle.prompts)


async def test_a_model_without_a_price_gets_no_paid_probe(fake_clock):
    """What is not known cannot be kept below a bound."""
    registry = monitored(fake_clock, probe_with_completion=True)
    registry.health._purse.earn(100)
    model = registry.register_model(Checked("m"))
    async with registry:
        await fake_clock.advance(1000)
    assert (model.checks > 0, model.prompts) == (True, [])


async def test_checks_that_die_are_started_again_and_seen(fake_clock, caplog):
    """Whatever kills them: after a second, two, four; health says so, and the requests go on."""
    registry = monitored(fake_clock)
    model = registry.register_model(Checked("m"))
    registry.health.check_interval = "no number"
    async with registry:
        await fake_clock.advance(1 + 2 + 4)
        issue = "the background health check died of TypeError, 4 times by now, and is started again"
        assert registry.health.issues == [issue]
        assert registry.health.status_of(model).issues == [issue]
        assert (await registry.generate_response("hi")).text == "ok"
        registry.health.check_interval = 300
        await fake_clock.advance(8 + 300 + 600)
        assert registry.health.issues == []
    assert model.checks > 0
    assert "TypeError" in caplog.text


async def test_a_service_without_a_list_of_models_is_used_all_the_same(emulator):
    """Only its calls count."""
    registry = monitored(FakeClock())
    model = registry.register_model(CompatibleModel("m1", base_url=emulator.base_url("openai").replace("/v1", "/no")))
    for _ in range(5):
        await registry.health.check(model)
    found = registry.health.status_of(model)
    assert (found.status, found.healthy) == ("unknown", True)
