"""Subscribers and Prometheus collectors: told about every attempt, never in the way."""

import asyncio
import logging

import pytest

from orchestrator.core.outcome import Outcome
from orchestrator.errors import ConfigurationError, RateLimitError, ServerError
from orchestrator.models.model_registry import ModelRegistry

prometheus = pytest.importorskip("prometheus_client")


@pytest.fixture
def seen(registry):
    """Every outcome of the registry, as it comes."""
    outcomes = []
    registry.subscribe(lambda model, outcome: outcomes.append((model.id, outcome)))
    return outcomes


async def test_every_attempt_is_told_once(registry, three, seen):
    """Failures and successes, in order, with all that is known."""
    three[0].steps.append(ServerError("x"))
    response = await registry.generate_response("hi", tenant="t")
    assert [(model_id, outcome.success) for model_id, outcome in seen] == [("a", False), ("b", True)]
    assert isinstance(seen[1][1], Outcome)
    assert (seen[1][1].response_id, seen[1][1].tenant, seen[1][1].streamed) == (response.id, "t", False)


async def test_streams_are_told_as_such(registry, streaming, seen):
    """Once, at the end."""
    model = registry.register_model(streaming("s"))
    async for _ in model.stream_response("hi"):
        pass
    assert [outcome.streamed for _, outcome in seen] == [True]


async def test_a_subscriber_that_raises_harms_nobody(registry, three, seen, caplog):
    """The caller has the answer, the other subscribers are told, the log has the fault without the prompt."""

    def broken(model, outcome):
        raise ValueError("bad watcher")

    registry.subscribe(broken)
    after = []
    registry.subscribe(lambda model, outcome: after.append(model.id))
    with caplog.at_level(logging.DEBUG):
        assert (await registry.generate_response("canary prompt")).text == "a says hello"
    assert after == ["a"]
    assert "a subscriber failed" in caplog.text
    assert "canary prompt" not in caplog.text


@pytest.fixture
def collectors():
    """Real collectors in a registry of their own, as in the guide."""
    own = prometheus.CollectorRegistry()
    counter = prometheus.Counter("llm_calls", "Total LLM calls", ["model"], registry=own)
    histogram = prometheus.Histogram("llm_duration", "Call duration", ["model"], registry=own)
    return {"model_invocations": counter, "invocation_duration": histogram}, own


async def test_prometheus_collectors_see_every_attempt(scripted, streaming, fake_clock, collectors):
    """Plain, streamed, failed and failed-over: the counter and the histogram agree."""
    metrics, own = collectors
    registry = ModelRegistry(metrics=metrics, clock=fake_clock)
    registry.register_model(scripted("a", [ServerError("x")]))
    registry.register_model(streaming("b"))
    await registry.generate_response("hi")
    async for _ in registry["b"].stream_response("hi"):
        pass
    for figure in ("llm_calls_total", "llm_duration_count"):
        assert [own.get_sample_value(figure, {"model": m}) for m in "ab"] == [1, 2]


async def test_collectors_may_have_any_of_the_known_labels(scripted, fake_clock):
    """Labels are read off the collector: provider, status, the older model_id, or none at all."""
    own = prometheus.CollectorRegistry()
    labelled = prometheus.Counter("calls", "calls", ["model_id", "provider", "status"], registry=own)
    plain = prometheus.Histogram("seconds", "seconds", registry=own)
    registry = ModelRegistry(metrics={"model_invocations": labelled, "invocation_duration": plain}, clock=fake_clock)
    registry.register_model(scripted("a", [RateLimitError("x"), "ok"]))
    with pytest.raises(RateLimitError):
        await registry.invoke_model_async("a", "hi")
    await registry.invoke_model_async("a", "hi")
    for status in ("rate_limit", "ok"):
        assert own.get_sample_value("calls_total", {"model_id": "a", "provider": "custom", "status": status}) == 1
    assert own.get_sample_value("seconds_count") == 2


def test_unknown_collectors_and_labels_are_refused_at_once(collectors):
    """A misspelt name is a setting to fix, not a fault at the first call."""
    with pytest.raises(ConfigurationError, match="did you mean 'model_invocations'"):
        ModelRegistry(metrics={"model_invocation": collectors[0]["model_invocations"]})
    odd = prometheus.Counter("odd", "odd", ["colour"], registry=prometheus.CollectorRegistry())
    with pytest.raises(ConfigurationError, match="label 'colour'"):
        ModelRegistry(metrics={"model_invocations": odd})


async def test_who_watches_sees_every_attempt_leave(registry, three):
    """In its own task and before its end is told; what the watcher raises is nobody else's."""
    seen = []

    def watch(model, request):
        seen.append((model.id, request.messages[0].text, asyncio.current_task()))
        raise RuntimeError("a fault of the watcher")

    registry.watch(watch)
    registry.subscribe(lambda model, outcome: seen.append((model.id, outcome.success)))
    three[0].steps.append(ServerError("x"))
    await registry.generate_response("hi")
    me = asyncio.current_task()
    assert seen == [("a", "hi", me), ("a", False), ("b", "hi", me), ("b", True)]
