"""`orchestrator status` and the demo's traffic: the command line's side of the dashboard."""

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.request
from random import Random

import pytest
from dashboard_stage import scene
from gateway_stage import KEY, OURS
from typer.testing import CliRunner

from orchestrator import ModelHealthMonitor, ModelRegistry, OpenAIModel
from orchestrator.cli.app import app
from orchestrator.cli.demo.traffic import Traffic
from orchestrator.cli.status_view import view
from orchestrator.gateway.settings import GatewayKey
from orchestrator.testing import EmulatedModel, Emulator, Fail, FakeClock

ADMIN = GatewayKey("ops", "an-admin-key-for-tests", admin=True)


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("ORCHESTRATOR_OPERATOR_KEY", raising=False)


def run(*arguments):
    return CliRunner().invoke(app, ["status", *arguments], prog_name="orchestrator")


def test_one_look_shows_every_model_with_trouble_first():
    """Shape, word and figures in a row; whoever is out comes before whoever is busy."""
    with scene(EmulatedModel("busy"), EmulatedModel("ailing")) as on:
        on.ask("What is 2 + 3?", model="busy")
        on.registry.health.drain("ailing")
        shown = run("--url", on.url)
    assert shown.exit_code == 0, shown.output
    assert shown.output.index("ailing") < shown.output.index("busy")
    assert "‖ ailing drained" in shown.output
    assert re.search(r"● healthy +busy .*100 %", shown.output)


@pytest.mark.parametrize(("width", "drawn"), [(140, True), (80, False)])
def test_a_narrow_terminal_keeps_names_and_trouble_whole(width, drawn):
    """Bars and lesser figures give way before names are broken; why a model is out, and for how long, is always told."""
    from rich.console import Console

    with scene(registry_options={"health_monitor": ModelHealthMonitor(failure_threshold=1)}) as on:
        on.emulator.break_model("first", Fail(503))
        on.ask("What is 2 + 3?")
        _, seen = on.get("/dashboard/snapshot")
    screen = Console(width=width)
    with screen.capture() as shown:
        screen.print(view(seen, width=width))
    assert re.search(r"■ first out: overloaded \(HTTP 503\) - tried again in \d+ s", shown.get())
    assert ("█" in shown.get()) is drawn
    assert max(map(len, shown.get().splitlines())) <= width


def test_json_is_the_snapshot():
    """Everything the page knows, for machines."""
    with scene() as on:
        shown = run("--url", on.url, "--json")
    told = json.loads(shown.output)
    assert [row["id"] for row in told["models"]] == ["first", "second"]
    assert {"engine", "budgets", "cache", "decisions", "series", "events", "issues"} <= set(told)


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["--url", "http://127.0.0.1:9"], "orchestrator serve", 1),
        (["--url", "nonsense"], "give an address", 2),
        (["--watch", "--json"], "not both", 2),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(arguments, words, code):
    """No gateway, no address, two wishes at once: one line that says what to do."""
    shown = run(*arguments)
    assert shown.exit_code == code
    assert words in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_a_private_gateway_asks_for_a_key_and_takes_it(monkeypatch):
    """The line names the variable; with an admin key in it the figures are shown, and the key is not."""
    with scene(keys=(*OURS, ADMIN), host="0.0.0.0") as on:
        url = on.url.replace("0.0.0.0", "127.0.0.1")
        refused = run("--url", url)
        monkeypatch.setenv("MY_KEY", ADMIN.key)
        shown = run("--url", url, "--key-env", "MY_KEY")
    assert refused.exit_code == 1
    assert "ORCHESTRATOR_OPERATOR_KEY" in refused.stderr
    assert shown.exit_code == 0
    assert not {KEY, ADMIN.key} & set(shown.output.split())


def test_watching_goes_on_until_the_gateway_ends():
    """The view follows the feed: what happens after the start is shown, and the end is said."""
    command = [sys.executable, "-m", "orchestrator", "status", "--watch", "--url"]
    with scene() as on:
        environment = os.environ | {"COLUMNS": "140", "PYTHONUNBUFFERED": "1", "TERM": "xterm", "FORCE_COLOR": "1"}
        with subprocess.Popen(
            [*command, on.url], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as watching:
            seen = watching.stdout.readline()
            while "first" not in seen:
                seen = watching.stdout.readline()
            on.registry.health.drain("second")
            while "drained" not in seen:
                seen = watching.stdout.readline()
            on.stop()
            _, said = watching.communicate(timeout=20)
    assert watching.returncode == 1
    assert "ended its feed" in said


def test_the_demo_serves_with_traffic_and_tells_where_the_page_is():
    """`serve --demo --traffic` prints the page with a key for its buttons, and calls are made without anybody's doing."""
    command = [sys.executable, "-m", "orchestrator", "serve", "--demo", "--traffic", "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    environment |= {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as served:
        lines = [served.stdout.readline() for _ in range(4)]
        url, _, token = lines[3].split()[1].partition("/#token=")
        assert len(token) > 16
        with urllib.request.urlopen(f"{url}/dashboard/feed", timeout=20) as feed:
            frames = (json.loads(line[6:]) for line in feed if line.startswith(b"data: "))
            assert any(row["calls"] for frame in frames for row in frame.get("models", ()))
        served.terminate()
        assert served.wait(30) == 0


def test_traffic_without_the_demo_is_refused():
    """Real models are never called for show."""
    refused = CliRunner().invoke(app, ["serve", "--traffic"], prog_name="orchestrator")
    assert refused.exit_code == 2
    assert "--demo" in refused.stderr


async def test_outages_come_and_go():
    """After some calm the busiest provider breaks, and after some seconds it works again."""
    clock = FakeClock()
    async with Emulator([EmulatedModel("one", provider="acme"), EmulatedModel("two", provider="acme")]) as emulator:
        registry = ModelRegistry(clock=clock)
        for name in ("one", "two"):
            registry[f"acme/{name}"] = OpenAIModel(name=name, api_key="x", base_url=emulator.base_url("acme"))
        traffic = Traffic(registry, emulator, rng=Random(1), clock=clock)
        traffic._lately.append("acme")
        troubles = asyncio.create_task(traffic.trouble())
        await clock.advance(40)
        assert set(emulator.broken) == {("model", "one"), ("model", "two")}
        await clock.advance(25)
        assert not emulator.broken
        troubles.cancel()
        await asyncio.wait([troubles])
        await registry.cleanup()
