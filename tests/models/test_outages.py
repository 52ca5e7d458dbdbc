"""What an outage costs, how it ends and that nobody is left alone with it: counted on a clock of our own."""

import asyncio
import random

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.model import Model
from orchestrator.errors import NoEligibleModelsError, OverloadedError, ProviderAPIError, ServerError
from orchestrator.integrations import AnthropicModel, OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import EmulatedModel, Emulator, Fail, FakeClock


class Line(Model):
    """A model that is up or down by the clock; it remembers when it was asked."""

    def __init__(self, name, clock, is_up, latency_s=0.0, **facts):
        super().__init__(id=name, **{"provider": name, **facts})
        self.clock, self.is_up, self.latency_s, self.asked = clock, is_up, latency_s, []

    async def generate_response(self, prompt, **params):
        now = self.clock.monotonic()
        self.asked.append(now)
        if self.latency_s:
            await self.clock.sleep(self.latency_s)
        if not self.is_up(now):
            raise ServerError("down", status=503)
        return "ok"

    async def health_check(self):
        return self.is_up(self.clock.monotonic())


def monitored(clock, **options):
    """A registry that prefers the cheapest, with jitter that repeats."""
    return ModelRegistry(
        "cost", health_monitor=ModelHealthMonitor(rng=random.Random(7), **options), clock=clock, seed=0
    )


def pool(clock, is_up, **options):
    """The preferred model, which goes up and down, and a dearer one that always answers."""
    registry = monitored(clock, **options)
    model = registry.register_model(Line("a", clock, is_up, cost={"input": 0.1, "output": 0.1}))
    registry.register_model(Line("b", clock, lambda _: True, cost={"input": 9, "output": 9}))
    return registry, model


async def ask_for(registry, seconds, every_s=1.0):
    """One request after the other, all of which are answered; returns who answered."""
    answered = []
    for _ in range(round(seconds / (every_s or 1))):
        answered.append((await registry.generate_response("hi", max_attempts=2)).model_id)
        await registry.clock.advance(every_s)
    return answered


async def test_a_dead_model_costs_three_calls_and_then_only_probes(fake_clock):
    """Over an hour of a request a second the probes come 5 s apart, then 10, 20 ... and at most 300 s, +-20 %."""
    registry, dead = pool(fake_clock, lambda _: False)
    assert set(await ask_for(registry, 3600)) == {"b"}
    first, probes = dead.asked[:3], dead.asked[3:]
    assert first == [0, 1, 2]
    gaps = [later - earlier for earlier, later in zip([2, *probes], probes, strict=False)]
    for gap, base in zip(gaps, [5, 10, 20, 40, 80, 160, *[300] * len(gaps)], strict=False):
        assert 0.8 * base <= gap <= 1.2 * base + 1
    assert len(probes) <= 6 + 3600 / 240


async def test_a_dead_provider_sees_as_few_requests_over_real_http(fake_clock):
    """Counted at the server: three, and then the probes of ten minutes."""
    async with Emulator([EmulatedModel("m", provider="openai"), EmulatedModel("c", provider="anthropic")]) as emulator:
        registry = monitored(fake_clock)
        for kind, name, price in ((OpenAIModel, "m", 0.1), (AnthropicModel, "c", 9)):
            provider, cost = kind.service.provider, {"input": price, "output": price}
            registry.register_model(kind(name=name, api_key="k", base_url=emulator.base_url(provider), cost=cost))
        emulator.break_model("m", Fail(500))
        assert set(await ask_for(registry, 600)) == {"anthropic/c"}
        assert emulator.requests["c"] == 600
        assert 3 + 5 <= emulator.requests["m"] <= 3 + 7  # 5, 10, 20, 40, 80, 160 and 300 s apart
        await close_sessions()


async def test_half_of_ten_calls_are_enough_without_three_in_a_row(fake_clock):
    """Two failures, two answers and so on never make three in a row; the tenth call is the last."""
    registry, model = pool(fake_clock, lambda now: now % 4 >= 2)
    await ask_for(registry, 12)
    assert model.asked == [*range(10)]
    assert registry.health.status_of(model).status == "unhealthy"


async def test_a_share_of_failures_below_half_is_borne(fake_clock):
    """Every third call fails for ten minutes: the failover hides it, the model stays."""
    registry, model = pool(fake_clock, lambda now: now % 3 != 0)
    await ask_for(registry, 600)
    assert len(model.asked) == 600


async def test_it_comes_back_within_one_probe_interval_and_a_second(fake_clock):
    """Down for ten minutes: the first answered call is due when the cool-down of that moment ends."""
    registry, model = pool(fake_clock, lambda now: now >= 600)
    answered = await ask_for(registry, 1200)
    last_probe = max(moment for moment in model.asked if moment < 600)
    assert answered.index("a") - last_probe <= 1.2 * 300 + 1
    assert set(answered[-60:]) == {"a"}


async def test_its_share_grows_from_one_call_to_all_within_half_a_minute(fake_clock):
    """Of twenty requests each second, taking half a second, one reaches it at first, all after 30 s."""
    registry, model = pool(fake_clock, lambda now: now > 0)
    await ask_for(registry, 3, every_s=0)
    model.latency_s = 0.5
    shares = []
    for _ in range(60):
        calls = [asyncio.create_task(registry.generate_response("hi", max_attempts=2)) for _ in range(20)]
        await fake_clock.advance(1)
        shares.append([(await call).model_id for call in calls].count("a"))
    back = next(number for number, share in enumerate(shares) if share)
    assert shares[back] == 1
    assert shares[back : back + 9] == sorted(shares[back : back + 9])
    assert set(shares[back + 30 :]) == {20}


@pytest.mark.parametrize("seed", range(3))
async def test_a_flapping_model_is_chosen_little(seed):
    """Ten seconds up, ten down: after two minutes at most 15 % of the requests go there."""
    clock = FakeClock()
    registry, model = pool(clock, lambda now: now % 20 < 10)
    registry.health._random.seed(seed)
    await ask_for(registry, 600, every_s=0.5)
    later = [moment for moment in model.asked if moment >= 120]
    assert len(later) <= 0.15 * 480 / 0.5


async def test_an_outage_that_hangs_is_seen_before_anything_fails():
    """Calls count when they start: three without an answer for a minute are enough, though their limit is two."""
    clock = FakeClock()
    registry, model = pool(clock, lambda _: True, slow_call_s=20)
    model.latency_s = 10_000
    calls = [asyncio.create_task(registry.generate_response("hi", deadline_s=400)) for _ in range(3)]
    await clock.advance(21)
    assert (await registry.generate_response("hi")).model_id == "b"
    found = registry.health.status_of(model)
    assert (found.status, found.reason) == ("unhealthy", "slow: 3 calls unanswered for over 20 s")
    assert len(model.asked) == 3
    await clock.advance(400)
    assert [(await call).model_id for call in calls] == ["b"] * 3
    assert registry.health.status_of(model).failures == 0


async def test_a_stream_that_flows_for_long_does_not_hang(streaming):
    """From its first piece on it may take as long as it likes; those without one may not."""
    clock = FakeClock()
    registry = monitored(clock, slow_call_s=20)
    wait = [lambda: clock.sleep(1), "a", lambda: clock.sleep(100), "b"]
    model = registry.register_model(streaming("a", [list(wait) for _ in range(4)]))
    streams = [registry.stream_response("hi") for _ in range(4)]
    texts = [asyncio.create_task(_text(stream)) for stream in streams]
    await clock.advance(0.5)
    assert registry.health.status_of(model).waiting == 4
    await clock.advance(50)
    assert registry.health.status_of(model).waiting == 0
    registry.health.begin(model)
    assert not registry.health.probing(model)
    await clock.advance(51)
    assert [await text for text in texts] == ["ab"] * 4
    assert (registry.health.status_of(model).waiting, registry.health.status_of(model).status) == (1, "healthy")


async def _text(stream):
    return "".join([chunk.text async for chunk in stream])


async def test_calls_that_hang_from_before_the_outage_do_not_prolong_it():
    """They fail while the model is on trial, and belong to the outage that is already counted."""
    clock = FakeClock()
    registry, model = pool(clock, lambda now: now > 100, slow_call_s=20)
    model.latency_s = 27
    calls = [asyncio.create_task(registry.generate_response("hi", deadline_s=400)) for _ in range(3)]
    await clock.advance(21)
    registry.select()
    assert registry.health._of(model).hangs(clock.monotonic())
    await clock.advance(6)
    registry.select()
    await clock.advance(2)
    assert {(await call).model_id for call in calls} == {"b"}
    assert registry.health._of(model).doublings == 1


async def test_slow_answers_count_as_failures(fake_clock):
    """Twenty times its own median, and over ten seconds: three of them take a model out that never failed."""
    registry, model = pool(fake_clock, lambda _: True)
    for latency_s in [0.5] * 64 + [9] + [11] * 3:
        model.latency_s = latency_s
        call = asyncio.create_task(registry.generate_response("hi"))
        await fake_clock.advance(latency_s)
        await call
    found = registry.health.status_of(model)
    assert (found.status, found.error_rate) == ("unhealthy", 0)
    assert found.reason == "slow: an answer took 11.0 s, more than 10.0 s"


async def test_a_full_provider_is_asked_again_every_minute_at_the_latest(fake_clock):
    """Overloaded is not broken: its cool-down stops doubling at a minute."""
    registry, model = pool(fake_clock, lambda _: True)
    for _ in range(12):
        registry.health._of(model).lets_in(fake_clock.monotonic())
        registry.health._failed(model, registry.health._of(model), OverloadedError("x", status=529), 0.0)
        await fake_clock.advance(100)
    assert registry.health._of(model).out_until - (fake_clock.monotonic() - 100) <= 1.2 * 60


async def test_a_full_provider_that_says_when_is_taken_at_its_word(fake_clock, scripted):
    """503 with Retry-After sets it aside at once."""
    registry = monitored(fake_clock)
    model = registry.register_model(scripted("a", [OverloadedError("x", status=503, retry_after_s=33)]))
    registry.register_model(scripted("b"))
    with pytest.raises(OverloadedError):
        await model.generate_response("hi", max_attempts=1)
    found = registry.health.status_of(model)
    assert (found.status, found.returns_in_s) == ("limited", 33)


async def test_when_all_are_down_one_error_names_each_model_and_why(fake_clock):
    """Out or not, everybody is tried once, and nobody waits."""
    registry = monitored(fake_clock)
    lines = [registry.register_model(Line(name, fake_clock, lambda _: False)) for name in "abc"]
    for line in lines:
        registry.health._of(line).take_out(0.0, "server")
    with pytest.raises(ProviderAPIError) as caught:
        await registry.generate_response("hi")
    told = {attempt.model_id: attempt.error_type for attempt in caught.value.attempts}
    assert told == {"a": "server", "b": "server", "c": "server"}
    assert [len(line.asked) for line in lines] == [1, 1, 1]
    assert fake_clock.monotonic() == 0


async def test_who_rather_fails_at_once_may(fake_clock):
    """`on_all_down="fail"` asks nobody, and says of each model what is wrong and when it will be back."""
    registry = monitored(fake_clock, on_all_down="fail")
    line = registry.register_model(Line("a", fake_clock, lambda _: False))
    for _ in range(3):
        with pytest.raises(ServerError):
            await registry.generate_response("hi", max_attempts=1)
    with pytest.raises(NoEligibleModelsError, match=r"a: unhealthy: server \(HTTP 503\); tried again in \d s"):
        await registry.generate_response("hi")
    assert len(line.asked) == 3


async def test_panic_tries_the_failing_rather_than_the_refused(fake_clock):
    """Who is missing or refuses the key will hardly answer; who fails may have recovered."""
    registry = monitored(fake_clock)
    for name in ("gone", "limited", "failing"):
        registry.register_model(Line(name, fake_clock, lambda _: True))
    now, circuit_of = fake_clock.monotonic(), lambda name: registry.health._of(registry[name])
    for name, error_type in (("gone", "not_found"), ("failing", "server")):
        circuit_of(name).take_out(now, error_type)
    circuit_of("gone").lasting = True
    circuit_of("limited").hold(now, "rate_limit", 30)
    selection = registry.select()
    assert (selection.model_id, selection.panic) == ("failing", True)
    registry.health.drain("failing")
    assert registry.select().model_id == "limited"
    registry.health.drain("limited")
    assert registry.select().model_id == "gone"
    registry.health.drain("gone")
    with pytest.raises(NoEligibleModelsError, match="drained by hand"):
        registry.select()


class _Wandering(SystemClock):
    """The machine's clock, set a day forward and back at every look at the date."""

    def __init__(self, steady):
        self.monotonic, self.sleep, self.timeout, self._steady = steady.monotonic, steady.sleep, steady.timeout, steady
        self._days = 0

    def time(self):
        self._days += 1
        return self._steady.time() + 86_400 * (-1) ** self._days


async def test_a_date_that_jumps_by_a_day_changes_nothing():
    """Cool-downs run on the clock that never goes back: the same calls at the same moments."""
    asked = []
    for wrap in (lambda clock: clock, _Wandering):
        steady = FakeClock()
        registry, model = pool(wrap(steady), lambda now: 100 < now < 200)
        for _ in range(400):
            await registry.generate_response("hi", max_attempts=2)
            await steady.advance(1)
        asked.append(model.asked)
    assert asked[0] == asked[1]
    assert 0 < len(asked[0]) < 400
