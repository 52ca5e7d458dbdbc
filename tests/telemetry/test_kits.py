"""The kits for Prometheus and Grafana: what they ask for is told, under labels that it has, and can come about."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import get_args

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from orchestrator import AuthenticationError, telemetry
from orchestrator.core.circuit import Status
from orchestrator.gateway import Gateway, GatewaySettings
from orchestrator.telemetry.names import COUNTED, GAUGES, REFUSED
from orchestrator.testing import EmulatedModel, Fail

KITS = Path(__file__).parents[2] / "integrations"
BY_PROMETHEUS = {"job", "instance"}
METRICS = {metric.exposed: metric for metric in (*COUNTED, *GAUGES)}
PARTS = {exposed + part: metric for exposed, metric in METRICS.items() for part in ("_bucket", "_sum", "_count")}
NAMED = METRICS | {name: metric for name, metric in PARTS.items() if metric.bounds}


@pytest.fixture
async def labels(watched):
    """The labels that each sample has, after everything that can be told has happened."""
    models = EmulatedModel("first", script=[Fail(429, retry_after_s=30)]), EmulatedModel("second")
    async with watched(*models, EmulatedModel("third", script=[Fail(401)]), cache_responses=True) as w:
        telemetry.prometheus_text(w.registry)
        for _ in range(2):
            await w.registry.generate_response("hi")
        with pytest.raises(AuthenticationError):
            await w.registry.invoke_model_async("third", "hi")
        async for _ in w.registry.stream_response("tell me a story"):
            pass
        async with Gateway(w.registry, GatewaySettings(port=0)).serving() as url, aiohttp.ClientSession() as http:
            for streamed in (False, True):
                body = {
                    "model": "auto",
                    "messages": [{"role": "user", "content": f"tell me a long story ({streamed})"}],
                    "stream": streamed,
                }
                async with http.post(f"{url}/v1/chat/completions", json=body) as answer:
                    assert answer.status == 200
                    await answer.read()
        telemetry.meter_of(w.registry).figures.cell(REFUSED, {}).add()
        found = defaultdict(set)
        for family in text_string_to_metric_families(telemetry.prometheus_text(w.registry, worker=1)):
            for sample in family.samples:
                found[sample.name] |= set(sample.labels)
        return dict(found)


def queries():
    """Every query of the alert rules and of the dashboard, with where it stands."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in board()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def alerts():
    rules = yaml.safe_load((KITS / "prometheus" / "alerts.yml").read_text())
    return [rule for group in rules["groups"] for rule in group["rules"]]


def board():
    return json.loads((KITS / "grafana" / "dashboard.json").read_text())


def asked_of(query):
    """The samples that a query names, each with the labels by which it is narrowed."""
    for name, narrowed in re.findall(r"\b((?:orchestrator|gen_ai)_\w+)(?:\{([^}]*)\})?(?=[\[){\s]|$)", query):
        if name in NAMED:
            yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", narrowed))


def grouped_by(query):
    return {label for inside in re.findall(r"\bby \(([^)]*)\)", query) for label in re.split(r",\s*", inside)}


def seconds_of(told):
    return int(told[:-1]) * {"s": 1, "m": 60, "h": 3600}[told[-1]]


def test_every_word_of_a_query_is_a_metric_or_a_label(labels):
    """Nothing is asked for that nobody tells, not even by a slip of the pen."""
    known = NAMED.keys() | {label for names in labels.values() for label in names}
    for where, query in queries():
        words = set(re.findall(r"\b(?:orchestrator|gen_ai|server|error)_[a-z_]+", query))
        assert words & NAMED.keys(), f"{where}: no metric of ours in {query}"
        assert words <= known, f"{where}: {sorted(words - known)} is told by nobody"


def test_every_query_narrows_and_groups_by_labels_of_its_own_metrics(labels):
    """A label that another metric has selects nothing here, and a panel stays empty without a word."""
    for where, query in queries():
        asked = list(asked_of(query))
        for name, narrowed in asked:
            assert narrowed <= labels[name] | BY_PROMETHEUS, f"{where}: {name} has no {narrowed - labels[name]}"
        for name, _ in asked:
            assert grouped_by(query) <= labels[name] | BY_PROMETHEUS, (
                f"{where}: {name} is not told by {grouped_by(query)}"
            )


def test_a_status_in_a_query_is_one_that_a_model_can_have():
    """Told by name, in alternatives too."""
    for where, query in queries():
        for told in re.findall(r'orchestrator_status=~?"([^"]*)"', query):
            assert set(told.split("|")) <= set(get_args(Status)), where


def test_rates_are_taken_of_what_only_grows_and_quantiles_of_buckets():
    """A rate of a gauge, or a quantile without `le`, is a number without a meaning."""
    for where, query in queries():
        for name in re.findall(r"\b(?:rate|increase)\((\w+)", query):
            assert NAMED[name].kind == "counter" or name in PARTS, f"{where}: {name} goes up and down"
        for inside in re.findall(r"histogram_quantile\(([^\[]*)\[", query):
            assert "le" in grouped_by(inside), where
            assert re.search(r"_bucket\b", inside), where


def test_a_legend_names_what_its_query_keeps():
    """Else every line of a panel is called the same."""
    for panel in board()["panels"]:
        for target in panel.get("targets", ()):
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown == grouped_by(target["expr"]) - {"le"}, panel["title"]


def test_an_alert_can_fire_and_can_be_silent():
    """Shares lie between 0 and 1, times within the buckets that could tell them, and nobody is alarmed by nothing."""
    for rule in alerts():
        compared, limit = re.fullmatch(r"(?s)(.*?)\s*(?:>|==)\s*([\d.]+)\s*", rule["expr"]).groups()
        quantile = re.search(r"histogram_quantile\(([\d.]+),.*?(\w+)_bucket", compared)
        if quantile:
            bounds = METRICS[quantile[2]].bounds
            assert 0 < float(quantile[1]) < 1
            assert bounds[0] <= float(limit) < bounds[-1], f"{rule['alert']}: no bucket tells of {limit} s"
        elif " / " in compared:
            assert 0 < float(limit) < 1, rule["alert"]
        elif "==" in rule["expr"]:
            assert NAMED[next(name for name, _ in asked_of(compared))].kind == "gauge", rule["alert"]


def test_an_alert_looks_at_more_than_a_scrape_or_two():
    """A window holds at least four of them, or a late one is an alarm; and who waits, waits for longer than one."""
    config = yaml.safe_load((KITS / "prometheus" / "prometheus.yml").read_text())
    scrape_s = seconds_of(config["global"]["scrape_interval"])
    for rule in alerts():
        assert all(seconds_of(told) >= 4 * scrape_s for told in re.findall(r"\[(\w+)\]", rule["expr"])), rule["alert"]
        assert seconds_of(rule.get("for", "1m")) > scrape_s, rule["alert"]
        assert "[" in rule["expr"] or "for" in rule, f"{rule['alert']} fires on a single look"


def test_the_kits_show_every_metric():
    """What is worth counting is worth a panel or an alert."""
    asked = " ".join(query for _, query in queries())
    assert [metric.exposed for metric in (*COUNTED, *GAUGES) if metric.exposed not in asked] == []


def test_the_dashboard_is_one_that_grafana_can_place():
    """Ids are unique, panels lie within 24 columns and do not overlap, and no data source is fixed."""
    panels = board()["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
        assert panel.get("datasource", {"uid": "${source}"})["uid"] == "${source}"


def test_alerts_say_what_is_wrong():
    """Each has a severity and a summary, and its labels in the text are ones that its query keeps."""
    for rule in alerts():
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
