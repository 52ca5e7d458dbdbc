"""The `metrics=` mapping with real Prometheus collectors: every way to call, and every way to end, is counted once."""

import pytest

from orchestrator.core.messages import Chunk
from orchestrator.errors import InvalidRequestError, ServerError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.portal import portal

prometheus = pytest.importorskip("prometheus_client")


@pytest.fixture
def watched():
    """A registry with the two collectors of the guide, and what they say of a model."""
    own = prometheus.CollectorRegistry()
    metrics = {
        "model_invocations": prometheus.Counter("llm_calls", "Total LLM calls", ["model"], registry=own),
        "invocation_duration": prometheus.Histogram("llm_duration", "Call duration", ["model"], registry=own),
    }

    def told(model):
        return tuple(own.get_sample_value(name, {"model": model}) for name in ("llm_calls_total", "llm_duration_count"))

    return ModelRegistry(metrics=metrics, seed=0), told


@pytest.fixture
def streamed(priced):
    """A model whose stream ends well, or breaks."""

    class Streamed(priced):
        async def stream_response(self, prompt, **kwargs):
            yield "said"
            if self.steps:
                raise self.steps.pop()
            yield Chunk(finish_reason="stop")

    return Streamed


async def test_an_awaited_success(watched, priced):
    """One call, one duration."""
    registry, told = watched
    registry.register_model(priced("a"))
    await registry.invoke_model_async("a", "hi")
    assert told("a") == (1, 1)


def test_a_plain_success_and_a_plain_failure(watched, priced):
    """For code that cannot await."""
    registry, told = watched
    registry.register_model(priced("a", [None, InvalidRequestError("x")]))
    try:
        registry.invoke_model("a", "hi")
        assert told("a") == (1, 1)
        with pytest.raises(InvalidRequestError):
            registry.invoke_model("a", "hi")
        assert told("a") == (2, 2)
    finally:
        portal.close()


async def test_an_awaited_failure(watched, priced):
    """A failed call is a call."""
    registry, told = watched
    registry.register_model(priced("a", [InvalidRequestError("x")]))
    with pytest.raises(InvalidRequestError):
        await registry.invoke_model_async("a", "hi")
    assert told("a") == (1, 1)


async def test_a_stream_that_ends_well(watched, streamed):
    """Once, at its end."""
    registry, told = watched
    model = registry.register_model(streamed("a"))
    async for _ in model.stream_response("hi"):
        pass
    assert told("a") == (1, 1)


async def test_a_stream_that_breaks(watched, streamed):
    """Once, when it broke."""
    registry, told = watched
    model = registry.register_model(streamed("a", [ServerError("down")]))
    with pytest.raises(ServerError):
        async for _ in model.stream_response("hi"):
            pass
    assert told("a") == (1, 1)
