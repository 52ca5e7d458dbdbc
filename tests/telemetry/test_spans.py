"""Spans: one for each request, one below it for each attempt, by the conventions' names, and never a word unasked."""

import asyncio
import json
from contextlib import aclosing

import pytest
from aiohttp import ClientSession
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from telemetry_stage import Watched
from yarl import URL

from orchestrator import Model, ModelCache, ModelRegistry, NoEligibleModelsError, OpenAIModel, telemetry
from orchestrator.errors import OrchestratorError
from orchestrator.gateway import Gateway, GatewaySettings
from orchestrator.testing import EmulatedModel, Fail, FaultServer

CANARY = "canary-prompt-7731"


async def test_a_request_is_a_span_with_its_call_below_it(watched):
    """Names, kinds and attributes are those of the conventions; what is ours has our prefix."""
    async with watched() as w:
        response = await w.registry.generate_response(CANARY, temperature=0.2, max_tokens=20, stop=["end"])
        [request] = w.request_spans
        [call] = w.attempts_of(request)
    assert (request.name, request.kind, request.parent) == ("orchestrator chat", SpanKind.INTERNAL, None)
    assert (call.name, call.kind, call.status.status_code) == (
        f"chat {response.model_id}",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert dict(call.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": response.model_id,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 20,
        "gen_ai.request.stop_sequences": ("end",),
        "orchestrator.response.id": response.id,
        "gen_ai.response.model": response.upstream_model,
        "gen_ai.response.finish_reasons": (response.finish_reason,),
        "gen_ai.usage.input_tokens": response.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": response.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": response.usage.cache_read_tokens,
        "gen_ai.usage.reasoning.output_tokens": response.usage.reasoning_tokens,
        "server.address": "127.0.0.1",
        "server.port": URL(w.emulator.base_url("openai")).port,
        "orchestrator.model": response.model_id,
        "orchestrator.cost_usd": response.usage.cost_usd,
    }
    ours = request.attributes
    assert ours["orchestrator.decision.kind"] == "selected"
    assert ours["orchestrator.decision.selector"] == "UCBModelSelector"
    assert (ours["orchestrator.decision.candidates"], ours["orchestrator.attempts"]) == (2, 1)
    assert 0 <= ours["orchestrator.overhead_s"] < (request.end_time - request.start_time) / 1e9


async def test_two_who_write_leave_the_caller_where_it_was(watched):
    """Spans that were put around a call come off in turn, else the next call would stand below the last one."""
    async with watched() as w:
        other = Watched(w.registry, w.emulator)
        for _ in range(2):
            await w.registry.generate_response("hi")
            assert not trace.get_current_span().get_span_context().is_valid
        other.handle.stop()
        other.metering.shutdown()
        other.tracing.shutdown()
        assert [request.parent for request in w.request_spans] == [None, None]


async def test_a_failover_is_one_request_with_two_calls(watched):
    """The first child says what broke and is an error; the request itself is none."""
    async with watched(EmulatedModel("first", script=[Fail(503)]), EmulatedModel("second")) as w:
        await w.registry.generate_response("hi")
        [request] = w.request_spans
        broken, good = w.attempts_of(request)
    assert (broken.attributes["error.type"], broken.attributes["http.response.status_code"]) == ("overloaded", 503)
    assert broken.status.status_code is StatusCode.ERROR
    assert good.status.status_code is request.status.status_code is StatusCode.UNSET
    assert request.attributes["orchestrator.attempts"] == 2
    assert request.attributes["orchestrator.model"] == good.attributes["orchestrator.model"]
    assert "gen_ai.usage.input_tokens" not in broken.attributes


async def test_a_request_that_fails_says_how(watched):
    """The error's class in a word on both levels; its message stays out."""
    async with watched(EmulatedModel("first", script=[Fail(401)])) as w:
        with pytest.raises(OrchestratorError):
            await w.registry.invoke_model_async("first", "hi")
        [request] = w.request_spans
        [call] = w.attempts_of(request)
    for span in (request, call):
        assert (span.attributes["error.type"], span.status.status_code) == ("authentication", StatusCode.ERROR)
        assert (span.status.description, span.events) == (None, ())
    assert request.attributes["orchestrator.decision.kind"] == "named"


async def test_a_request_that_nobody_fits_has_no_call(watched):
    """The span says so by the name of what was raised."""
    async with watched() as w:
        with pytest.raises(NoEligibleModelsError):
            await w.registry.generate_response("hi", tags=["nobody"])
        [request] = w.spans
    assert request.attributes["error.type"] == "NoEligibleModelsError"


async def test_a_stream_is_told_when_it_has_ended(watched):
    """Time to the first piece, usage and finish, on a span as long as the stream."""
    async with watched() as w:
        async for chunk in w.registry.stream_response("hi"):
            last = chunk
        [request] = w.request_spans
        [call] = w.attempts_of(request)
    assert call.attributes["gen_ai.request.stream"] is True
    assert call.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert call.attributes["orchestrator.response.id"] == last.response.id
    assert call.attributes["gen_ai.usage.output_tokens"] == last.usage.completion_tokens


async def test_a_stream_that_is_left_is_cancelled(watched):
    """Both spans end, and say that it was the reader who went."""
    async with watched() as w:
        async with aclosing(w.registry.stream_response("tell me a long story")) as pieces:
            async for _ in pieces:
                break
        [request] = w.request_spans
        [call] = w.attempts_of(request)
    assert request.attributes["error.type"] == call.attributes["error.type"] == "cancelled"


async def test_embeddings_have_their_own_operation(watched):
    """`embeddings`, with the dimensions asked for."""
    async with watched(EmulatedModel("vectors")) as w:
        await w.registry["vectors"].embed(["a", "b"])
        [request] = w.request_spans
        [call] = w.attempts_of(request)
    assert (request.name, call.name) == ("orchestrator embeddings", "embeddings vectors")
    assert call.attributes["gen_ai.operation.name"] == "embeddings"
    assert call.attributes["gen_ai.usage.input_tokens"] > 0


async def test_a_cache_hit_has_no_call_and_names_its_level(watched):
    """What was not asked is not told as a call."""
    async with watched(cache=ModelCache()) as w:
        for _ in range(2):
            await w.registry.generate_response("hi")
        first, second = w.request_spans
        assert len(w.attempts_of(first)) == 1
        assert w.attempts_of(second) == []
    assert "orchestrator.cache.level" not in first.attributes
    assert second.attributes["orchestrator.cache.level"] == "memory"


async def test_spans_hang_below_the_callers_own(watched):
    """A request made inside a span is its child, and the span is current again afterwards."""
    async with watched() as w:
        with w.tracing.get_tracer("app").start_as_current_span("app") as outer:
            await w.registry.generate_response("hi")
            async for _ in w.registry.stream_response("hi"):
                assert trace.get_current_span() is outer
            assert trace.get_current_span() is outer
        assert {span.parent.span_id for span in w.request_spans} == {outer.get_span_context().span_id}


def test_synchronous_calls_keep_the_callers_span():
    """The context goes along to the engine's own loop and thread."""

    class Inner(Model):
        async def generate_response(self, prompt, **kwargs):
            return "yes"

        async def health_check(self):
            return True

    registry = ModelRegistry()
    registry.register_model(Inner(id="inner", provider="custom"))
    w = Watched(registry, None)
    with w.tracing.get_tracer("app").start_as_current_span("app") as outer:
        registry.invoke_model("inner", "hi")
    [request] = w.request_spans
    assert request.parent.span_id == outer.get_span_context().span_id
    w.handle.stop()


async def test_spans_that_a_model_opens_hang_below_its_call(watched):
    """Code of the user's own inside a call finds the call's span current."""
    async with watched() as w:

        class Nested(Model):
            async def generate_response(self, prompt, **kwargs):
                with w.tracing.get_tracer("app").start_as_current_span("inside"):
                    return "yes"

            async def health_check(self):
                return True

        w.registry.register_model(Nested(id="nested", provider="custom"))
        await w.registry.invoke_model_async("nested", "hi")
        inside, call, _ = w.spans
    assert inside.parent.span_id == call.context.span_id


async def test_a_gateway_goes_on_with_its_clients_trace(watched):
    """What the client sends as `traceparent` is the parent; what is no such header harms nobody."""
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    async with watched() as w, Gateway(w.registry, GatewaySettings(port=0)).serving() as url, ClientSession() as http:
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        for told in (f"00-{trace_id}-{span_id}-01", "nonsense", ""):
            async with http.post(f"{url}/v1/chat/completions", json=body, headers={"traceparent": told}) as answer:
                assert answer.status == 200
        joined, *alone = w.request_spans
    assert (f"{joined.parent.trace_id:032x}", f"{joined.parent.span_id:016x}") == (trace_id, span_id)
    assert [span.parent for span in alone] == [None, None]


async def test_requests_at_once_do_not_mix(watched):
    """Each call hangs below its own request."""
    async with watched() as w:
        await asyncio.gather(*(w.registry.generate_response(f"hi {number}") for number in range(8)))
        assert [len(w.attempts_of(request)) for request in w.request_spans] == [1] * 8
        assert len({span.context.trace_id for span in w.spans}) == 8


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_provider_is_told_the_trace(streamed):
    """`traceparent` names the very call, and nothing else of the caller's goes along."""
    async with FaultServer() as server:
        registry = ModelRegistry()
        registry.register_model(OpenAIModel(name="m", api_key="k", base_url=server.base_url("openai")))
        w = Watched(registry, None)
        if streamed:
            async for _ in registry.stream_response("hi"):
                pass
        else:
            await registry.generate_response("hi")
        [request] = w.request_spans
        [call] = w.attempts_of(request)
        w.handle.stop()
        await registry.generate_response("hi")
        await registry.cleanup()
        told, after = server.requests[0].headers, server.requests[1].headers
    assert (
        told["traceparent"]
        == f"00-{call.context.trace_id:032x}-{call.context.span_id:016x}-{call.context.trace_flags:02x}"
    )
    assert told["authorization"] == "Bearer k"
    assert {"tracestate", "baggage", "traceparent"}.isdisjoint(after)
    assert {"tracestate", "baggage"}.isdisjoint(told)


async def test_the_provider_is_told_nothing_when_not_asked():
    """`propagate=False`, and also an SDK that is not set up: no header."""
    async with FaultServer() as server:
        registry = ModelRegistry()
        registry.register_model(OpenAIModel(name="m", api_key="k", base_url=server.base_url("openai")))
        w = Watched(registry, None, propagate=False)
        await registry.generate_response("hi")
        w.handle.stop()
        with telemetry.instrument(registry, tracer_provider=trace.NoOpTracerProvider(), meter_provider=w.metering):
            await registry.generate_response("hi")
        await registry.cleanup()
        assert [headers for one in server.requests if "traceparent" in (headers := one.headers)] == []


async def test_neither_words_nor_keys_are_told(watched):
    """Nothing of prompt, answer or key in any span, whatever becomes of the request."""
    async with watched(EmulatedModel("first", script=[Fail(503), Fail(400)]), EmulatedModel("second")) as w:
        answer = await w.registry.generate_response(f"Repeat: {CANARY}")
        with pytest.raises(OrchestratorError):
            await w.registry.invoke_model_async("first", CANARY)
        told = "".join(span.to_json() for span in w.spans) + telemetry.prometheus_text(w.registry)
    assert CANARY not in told
    assert "sk-canary" not in told
    assert len(answer.text) < 4 or answer.text not in told


async def test_words_are_told_when_asked_for(watched):
    """Messages in the conventions' JSON, on the call's span."""
    async with watched(options={"capture_content": True}) as w:
        answer = await w.registry.generate_response("What is 2 plus 2?", system="Be brief.")
        [request] = w.request_spans
        [call] = w.attempts_of(request)
    said = {
        name: json.loads(call.attributes[f"gen_ai.{name}"])
        for name in ("input.messages", "output.messages", "system_instructions")
    }
    assert said["input.messages"] == [{"role": "user", "parts": [{"type": "text", "content": "What is 2 plus 2?"}]}]
    assert said["system_instructions"] == [{"type": "text", "content": "Be brief."}]
    assert said["output.messages"][0]["parts"] == [{"type": "text", "content": answer.text}]


async def test_stopped_telemetry_tells_nothing_more(watched):
    """The handle ends it, once and for all; `stop` may come again."""
    async with watched() as w:
        await w.registry.generate_response("hi")
        told = len(w.spans)
        w.handle.stop()
        w.handle.stop()
        await w.registry.generate_response("hi")
        assert len(w.spans) == told


async def test_a_request_that_was_under_way_still_ends_its_spans(watched):
    """Whoever was told of the beginning is told of the end."""
    async with watched() as w:
        pieces = w.registry.stream_response("hi")
        await anext(pieces)
        w.handle.stop()
        async for _ in pieces:
            pass
        assert len(w.spans) == 2
