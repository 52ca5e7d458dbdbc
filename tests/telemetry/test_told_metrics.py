"""Metrics: the conventions' names, units and buckets, and our own beside them, read as any SDK's reader reads them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telemetry_stage import Watched

from orchestrator import AuthenticationError, Model, ModelCache, ModelRegistry, telemetry
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.telemetry.figures import Figures, Names
from orchestrator.telemetry.names import CALL_DURATION, COUNTED, DECISIONS, REFUSED
from orchestrator.testing import EmulatedModel, Fail

SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
GAPS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
CONVENTIONS = {
    "gen_ai.client.token.usage": ("{token}", [4**power for power in range(14)]),
    "gen_ai.client.operation.duration": ("s", SECONDS),
    "gen_ai.client.operation.time_to_first_chunk": ("s", SECONDS),
    "gen_ai.client.operation.time_per_output_chunk": (
        "s",
        GAPS,
    ),
}
SERVERS = {
    "gen_ai.server.request.duration": SECONDS,
    "gen_ai.server.time_to_first_token": [
        *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
    ],
    "gen_ai.server.time_per_output_token": GAPS,
}


async def test_names_units_and_buckets_are_those_of_the_conventions(watched):
    """All four client metrics, after one stream."""
    async with watched() as w:
        async for _ in w.registry.stream_response("tell me a story"):
            pass
        for name, (unit, bounds) in CONVENTIONS.items():
            metric = w.metric(name)
            assert (metric.unit, list(metric.data.data_points[0].explicit_bounds)) == (unit, bounds)


def test_names_units_and_buckets_of_a_server_are_those_of_the_conventions():
    """What a gateway's clients wait for; the gateway's tests count it."""
    told = {metric.name: list(metric.bounds) for metric in COUNTED if metric.name in SERVERS}
    assert told == SERVERS
    assert {metric.unit for metric in COUNTED if metric.name in SERVERS} == {"s"}


async def test_every_metric_begins_with_gen_ai_or_with_our_name():
    """Ours are never among theirs."""
    theirs = {metric.name for metric in COUNTED if metric.name.startswith("gen_ai.")}
    assert theirs == {*CONVENTIONS, *SERVERS}
    assert all(metric.name in theirs or metric.name.startswith("orchestrator.") for metric in COUNTED)


@pytest.mark.parametrize("cached", [False, True])
async def test_every_gap_between_the_pieces_of_a_stream_is_counted_once(watched, cached):
    """As many as there are pieces with words but one, also where the cache has read ahead of the reader."""
    async with watched(EmulatedModel("m"), cache_responses=cached) as w:
        pieces = [piece async for piece in w.registry.stream_response("tell me a story") if piece.text]
        [(_, gaps)] = w.points("gen_ai.client.operation.time_per_output_chunk")
    assert len(pieces) > 3
    assert gaps.count == len(pieces) - 1


async def test_a_call_counts_its_time_and_its_tokens(watched):
    """Input and output apart, with who was asked and where."""
    async with watched(EmulatedModel("m")) as w:
        response = await w.registry.generate_response("hi")
        [(facts, duration)] = w.points("gen_ai.client.operation.duration")
        tokens = {facts["gen_ai.token.type"]: point.sum for facts, point in w.points("gen_ai.client.token.usage")}
    assert facts | {"server.port": 0} == {
        "orchestrator.model": "m",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "server.address": "127.0.0.1",
        "server.port": 0,
    }
    assert (duration.count, duration.sum) == (1, pytest.approx(response.latency_s))
    assert tokens == {"input": response.usage.prompt_tokens, "output": response.usage.completion_tokens}


async def test_what_happens_on_the_road_is_counted(watched):
    """Decisions, failovers, cool-downs, cache hits by level, cost, and the engine's own time."""
    models = EmulatedModel("first", script=[Fail(429, retry_after_s=30)]), EmulatedModel("second")
    async with watched(*models, cache=ModelCache()) as w:
        answers = [await w.registry.generate_response("hi") for _ in range(2)]
        decisions = {facts["orchestrator.model"]: point.value for facts, point in w.points("orchestrator.decisions")}
        [(failed_over, failovers)] = w.points("orchestrator.failovers")
        changes = [facts for facts, _ in w.points("orchestrator.health.changes")]
        [(hit, hits)] = w.points("orchestrator.cache.hits")
        [(paid, cost)] = w.points("orchestrator.cost.usd")
        [(_, overhead)] = w.points("orchestrator.overhead.duration")
        [(_, whole)] = w.points("orchestrator.request.duration")
    assert decisions == {"first": 1, "second": 1}
    assert (failed_over, failovers.value) == ({"orchestrator.model": "first", "error.type": "rate_limit"}, 1)
    assert {"orchestrator.model": "first", "orchestrator.status": "limited"} in changes
    assert (hit, hits.value) == ({"orchestrator.cache.level": "memory"}, 1)
    assert (paid["orchestrator.model"], cost.value) == ("second", pytest.approx(answers[0].usage.cost_usd))
    assert whole.count == overhead.count == 2
    assert overhead.sum < whole.sum


async def test_failures_carry_their_class(watched):
    """On the call and on the request; in the same histogram as the answers."""
    async with watched(EmulatedModel("first", script=[Fail(401)])) as w:
        with pytest.raises(AuthenticationError):
            await w.registry.invoke_model_async("first", "hi")
        [(call, _)] = w.points("gen_ai.client.operation.duration")
        [(request, _)] = w.points("orchestrator.request.duration")
    assert call["error.type"] == request["error.type"] == "authentication"


async def test_embeddings_are_told_apart(watched):
    """By the operation's name."""
    async with watched(EmulatedModel("vectors")) as w:
        await w.registry["vectors"].embed(["a"])
        [(facts, _)] = w.points("gen_ai.client.operation.duration")
    assert facts["gen_ai.operation.name"] == "embeddings"


async def test_a_cost_that_nobody_knows_is_not_zero(watched):
    """No price, no point."""
    async with watched() as w:
        for model in w.registry.values():
            model.cost = None
        await w.registry.generate_response("hi")
        assert w.points("orchestrator.cost.usd") == []


async def test_two_registries_on_one_provider_add_up(watched):
    """A name can be taken only once there, and both count under it."""
    async with watched() as w:
        other = ModelRegistry(seed=1)
        other["first"] = type(w.registry["first"])(name="first", api_key="k", base_url=w.emulator.base_url("openai"))
        with telemetry.instrument(other, tracer_provider=w.tracing, meter_provider=w.metering):
            await w.registry.invoke_model_async("first", "hi")
            await other.generate_response("hi")
            await w.registry.generate_response("hi")
            decisions = [point.value for _, point in w.points("orchestrator.decisions")]
            [calls] = [p for f, p in w.points("gen_ai.client.operation.duration") if f["orchestrator.model"] == "first"]
    assert (sum(decisions), calls.count) == (2, 2 + (decisions == [2]))


async def test_labels_are_bounded():
    """Of more than two hundred models the rest is "other"; discovery must not fill a time series database."""

    class Mute(Model):
        async def generate_response(self, prompt, **kwargs):
            return "yes"

        async def health_check(self):
            return True

    registry = ModelRegistry()
    for number in range(230):
        registry.register_model(Mute(id=f"m{number}", provider=f"p{number}"))
    w = Watched(registry, None)
    for model in list(registry):
        await registry.invoke_model_async(model, "hi")
    points = w.points("gen_ai.client.operation.duration")
    assert len(points) == 201
    assert [point.count for facts, point in points if facts["orchestrator.model"] == "other"] == [30]
    assert telemetry.prometheus_text(registry).count("orchestrator_model_up{") == 200
    w.handle.stop()


def test_names_are_kept_in_the_order_they_come():
    """Who is known stays known."""
    names = Names(most=2)
    assert [names.bounded(one) for one in "abcab"] == ["a", "b", "other", "a", "b"]


@given(st.lists(st.floats() | st.integers(-(10**20), 10**20) | st.just(10**400)))
@settings(max_examples=60)
def test_figures_stay_numbers(values):
    """Not-a-number, infinity, negative and absurd values are counted apart and spoil nothing."""
    figures = Figures()
    cell = figures.cell(CALL_DURATION, {})
    for value in values:
        cell.add(value)
    kept = [value for value in values if 0 <= value < 1e15]
    reading = cell.read()
    assert (reading.values, sum(reading.buckets)) == (len(kept), len(kept))
    assert math.isfinite(reading.total)
    refused = [reading.values for _, reading in figures.read(REFUSED)]
    assert sum(refused) == len(values) - len(kept)


@given(st.lists(st.tuples(*[st.none() | st.floats() | st.integers(-5, 10**20)] * 2), max_size=600))
@settings(max_examples=40, deadline=None)
def test_a_lane_tells_what_its_cells_would_have_been_told(rows):
    """Value by value or row by row, it comes to the same; None is no value, and not a refused one."""
    apart, together = Figures(), Figures()
    names = (CALL_DURATION, DECISIONS)
    lane = together.lane([together.cell(name, {}) for name in names], lambda rows: list(zip(*rows, strict=True)))
    for row in rows:
        lane.add(row)
        for name, value in zip(names, row, strict=True):
            if value is not None:
                apart.cell(name, {}).add(value)
    for name in (*names, REFUSED):
        one, other = apart.read(name), together.read(name)
        assert [(reading.values, reading.buckets) for _, reading in one] == [(r.values, r.buckets) for _, r in other]
        assert [reading.total for _, reading in one] == pytest.approx([reading.total for _, reading in other])


async def test_a_model_that_takes_the_place_of_another_is_told_by_its_own_labels(watched):
    """Same id, another model of the provider's: what came before stays under the old name."""
    async with watched(EmulatedModel("old"), EmulatedModel("new")) as w:
        for name in ("old", "new"):
            w.registry["mine"] = type(w.registry["old"])(name=name, api_key="k", base_url=w.emulator.base_url("openai"))
            await w.registry.invoke_model_async("mine", "hi")
        told = {facts["gen_ai.request.model"]: point.count for facts, point in w.points(CALL_DURATION.name)}
    assert told == {"old": 1, "new": 1}


def test_threads_lose_no_count():
    """Four threads that add while a fifth reads: every value is counted once."""
    from concurrent.futures import ThreadPoolExecutor

    cell = Figures().cell(DECISIONS, {})

    def add():
        for _ in range(5_000):
            cell.add()

    with ThreadPoolExecutor(5) as pool:
        adding = [pool.submit(add) for _ in range(4)]
        while not all(one.done() for one in adding):
            cell.read()
    assert cell.read().values == cell.read().total == 20_000


async def test_attempts_outside_of_a_watched_request_are_counted_too(watched):
    """One that settles late, after its request has ended, is no less a call."""
    async with watched(EmulatedModel("m")) as w:
        model = w.registry["m"]
        outcome = Outcome(model_id="m", latency_s=0.5, usage=UsageStats(3, 4))
        w.registry.settlement.begin(model, None)
        w.registry.settlement.settle(model, outcome)
        [(_, duration)] = w.points("gen_ai.client.operation.duration")
        assert (duration.count, duration.sum) == (1, 0.5)
        assert w.spans == []
