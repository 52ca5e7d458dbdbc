"""The text that Prometheus reads, read by Prometheus' own parser; and the kits that are made for it."""

import json
import re
from pathlib import Path

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from orchestrator import Model, ModelRegistry, telemetry
from orchestrator.gateway import Gateway, GatewayKey, GatewaySettings
from orchestrator.telemetry.names import COUNTED, GAUGES
from orchestrator.testing import EmulatedModel, Fail

KITS = Path(__file__).parents[2] / "integrations"
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


# the kits


def queries():
    """Every query of the alert rules and of the dashboard, with where it stands."""
    rules = yaml.safe_load((KITS / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    board = json.loads((KITS / "grafana" / "dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


async def test_the_kits_ask_for_what_there_is(driven):
    """Every metric and label in an alert or a panel is one that the exposition has."""
    text = telemetry.prometheus_text(driven)
    samples = [sample for family in families_of(text).values() for sample in family.samples]
    families = {metric.exposed for metric in (*COUNTED, *GAUGES)}
    parts = ("_bucket", "_sum", "_count")
    names = families | {metric.exposed + part for metric in COUNTED if metric.bounds for part in parts}
    labels = {label for sample in samples for label in sample.labels}
    for where, query in queries():
        words = set(re.findall(r"\b(?:orchestrator|gen_ai|server|error)_[a-z_]+", query))
        assert words & names, f"{where}: no metric of ours in {query}"
        assert words <= names | labels, f"{where}: {sorted(words - names - labels)} is told by nobody"


def test_the_kits_show_every_metric():
    """What is worth counting is worth a panel or an alert."""
    asked = " ".join(query for _, query in queries())
    assert [metric.exposed for metric in (*COUNTED, *GAUGES) if metric.exposed not in asked] == []


def test_the_dashboard_is_one_that_grafana_can_place():
    """Ids are unique, panels lie within 24 columns and do not overlap, and no data source is fixed."""
    board = json.loads((KITS / "grafana" / "dashboard.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
        assert panel.get("datasource", {"uid": "${source}"})["uid"] == "${source}"


def test_alerts_say_what_is_wrong():
    """Each has a severity and a summary, and its labels in the text are ones that its query keeps."""
    rules = yaml.safe_load((KITS / "prometheus" / "alerts.yml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        told = " ".join(rule["annotations"].values())
        assert rule["annotations"]["summary"]
        assert all(label in rule["expr"] for label in re.findall(r"\$labels\.(\w+)", told) if label != "job")


def test_what_compose_mounts_is_there():
    """Every file and folder that the compose file names, and the settings in them can be read."""
    compose = yaml.safe_load((KITS / "compose.yaml").read_text())
    for service in compose["services"].values():
        for volume in service["volumes"]:
            assert (KITS / volume.split(":")[0]).exists()
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    config = yaml.safe_load((KITS / "prometheus" / "prometheus.yml").read_text())
    assert [(KITS / "prometheus" / name).exists() for name in config["rule_files"]] == [True]
    for path in (KITS / "grafana" / "provisioning").rglob("*.yaml"):
        assert yaml.safe_load(path.read_text())["apiVersion"] == 1


def test_the_reference_names_every_metric():
    """Under both of its names, and no other."""
    page = (KITS.parent / "docs" / "reference" / "figures.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted((metric.name, metric.exposed) for metric in (*COUNTED, *GAUGES))
