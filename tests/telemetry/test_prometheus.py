"""The text that Prometheus reads, read by Prometheus' own parser."""

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator import Model, ModelRegistry, telemetry
from orchestrator.gateway import Gateway, GatewayKey, GatewaySettings
from orchestrator.telemetry.names import COUNTED, GAUGES
from orchestrator.testing import EmulatedModel, Fail

KEY = "a-key-for-metrics-01"


def families_of(text):
    """Every family by its name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples_of(text, name):
    return [sample for family in families_of(text).values() for sample in family.samples if sample.name == name]


@pytest.fixture
async def driven(watched):
    """A registry in which everything that can be told has happened."""
    models = EmulatedModel("first", script=[Fail(429, retry_after_s=30)]), EmulatedModel("second")
    async with watched(*models, cache_responses=True) as w:
        telemetry.prometheus_text(w.registry)
        for _ in range(2):
            await w.registry.generate_response("hi")
        async for _ in w.registry.stream_response("tell me a story"):
            pass
        yield w.registry


async def test_the_parser_reads_every_family_with_its_kind(driven):
    """Names, kinds and help of all metrics, also of those that have nothing to tell yet."""
    families = families_of(telemetry.prometheus_text(driven))
    for metric in (*COUNTED, *GAUGES):
        name = metric.exposed.removesuffix("_total")
        assert (families[name].type, families[name].documentation) == (metric.kind, metric.about)


async def test_buckets_add_up(driven):
    """Cumulative, ending in +Inf, which equals the count."""
    text = telemetry.prometheus_text(driven)
    buckets = [
        (sample.labels["le"], sample.value)
        for sample in samples_of(text, "orchestrator_request_duration_seconds_bucket")
        if "error_type" not in sample.labels
    ]
    [count] = [
        sample.value
        for sample in samples_of(text, "orchestrator_request_duration_seconds_count")
        if "error_type" not in sample.labels
    ]
    values = [value for _, value in buckets]
    assert values == sorted(values)
    assert buckets[-1] == ("+Inf", count)
    assert count == 3


async def test_names_from_outside_cannot_break_the_format():
    """Quotes, backslashes and line ends in a model's name are written so that they come back the same."""

    class Odd(Model):
        async def generate_response(self, prompt, **kwargs):
            return "yes"

        async def health_check(self):
            return True

    name = 'a"b\\c\nd{}'
    registry = ModelRegistry()
    registry.register_model(Odd(id=name, provider="custom"))
    [sample] = samples_of(telemetry.prometheus_text(registry), "orchestrator_model_up")
    assert sample.labels == {"orchestrator_model": name}


async def test_reading_again_counts_nothing_twice(driven):
    """One meter a registry, however often it is read."""
    assert telemetry.prometheus_text(driven) == telemetry.prometheus_text(driven)
    assert telemetry.meter_of(driven) is telemetry.meter_of(driven)


async def test_the_gateway_answers_metrics(watched):
    """With the content type that Prometheus asks for, and with a key where keys are needed."""
    async with watched() as w:
        gateway = Gateway(w.registry, GatewaySettings(port=0, keys=(GatewayKey("prometheus", KEY),)))
        async with gateway.serving() as url, aiohttp.ClientSession() as http:
            headers = {"Authorization": f"Bearer {KEY}"}
            body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
            async with http.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
                assert answer.status == 200
            async with http.get(f"{url}/metrics") as refused:
                assert refused.status == 401
            async with http.get(f"{url}/metrics", headers=headers) as told:
                assert told.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                text = await told.text()
    assert sum(sample.value for sample in samples_of(text, "orchestrator_decisions_total")) == 1
    assert KEY not in text
