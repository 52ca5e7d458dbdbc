"""`usage` and `prices`: the money, as people and as machines read it."""

import csv
import io
import json
from pathlib import Path

import pytest

from orchestrator.core.price_list import PriceList
from orchestrator.core.usage import UsageStats
from orchestrator.models.usage import UsageService
from orchestrator.testing import FakeClock

DAY_S = 86_400


@pytest.fixture
def ledger(tmp_path):
    """Three days of two models and two tenants."""
    path, clock = tmp_path / "usage.sqlite3", FakeClock(date_s=1_767_225_600)
    usage = UsageService(path, flush_every_s=60, clock=clock)
    for day in range(3):
        clock._now = day * DAY_S
        usage.add(
            "openai/gpt-4o", UsageStats(1000, 200, cache_read_tokens=500), 0.5 * day, tenant="acme", tags=("chat",)
        )
        usage.add("ollama/llama3", UsageStats(), None)
    usage.close()
    return path


def lines(shown):
    """The lines of a table, without its margins."""
    return [line.strip() for line in shown.splitlines()]


def test_usage_by_model_is_a_table_with_a_total(run, ledger):
    """Requests, tokens, cost, and how many had no price."""
    shown = run("usage", "--file", ledger)
    assert shown.exit_code == 0
    line = next(line for line in lines(shown.stdout) if line.startswith("openai/gpt-4o"))
    assert line.split() == ["openai/gpt-4o", "3", "3k", "600", "$1.50", "-"]
    assert next(line for line in lines(shown.stdout) if line.startswith("all")).split()[-2:] == ["$1.50", "3"]


def test_usage_by_day_is_drawn(run, ledger):
    """The dearest day has the whole bar."""
    shown = run("usage", "--file", ledger, "--by", "day").stdout
    assert [line.split()[0] for line in lines(shown) if line.startswith("2026")] == [
        "2026-01-01",
        "2026-01-02",
        "2026-01-03",
    ]
    assert ["█" * 24 in line for line in lines(shown) if line.startswith("2026")] == [False, False, True]


def test_usage_for_machines(run, ledger):
    """JSON and CSV say the same, limited by dates."""
    options = ("usage", "--file", ledger, "--by", "tenant", "--since", "2026-01-02")
    report = json.loads(run(*options, "--json").stdout)
    assert [(row["tenant"], row["cost_usd"]) for row in report["rows"]] == [("acme", 1.5), (None, 0.0)]
    rows = list(csv.DictReader(io.StringIO(run(*options, "--csv").stdout)))
    assert [(row["tenant"], row["requests"], row["unpriced"]) for row in rows] == [("acme", "2", "0"), ("", "2", "2")]


def test_usage_as_a_picture(run, ledger, tmp_path):
    """A PNG of the days."""
    assert run("usage", "--file", ledger, "--png", tmp_path / "cost.png").exit_code == 0
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")


def test_usage_finds_the_ledger_by_its_variable(run, ledger, monkeypatch):
    """The one that applications write to."""
    monkeypatch.setenv("ORCHESTRATOR_USAGE_FILE", str(ledger))
    assert "openai/gpt-4o" in run("usage").stdout


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((), "ORCHESTRATOR_USAGE_FILE"),
        (("--file", "nowhere.sqlite3"), "no ledger at 'nowhere.sqlite3'"),
        (("--file", __file__), "cannot be read as a ledger"),
    ],
    ids=["unnamed", "missing", "foreign"],
)
def test_a_ledger_that_is_none_is_named_and_left_alone(run, options, complaint):
    """One line, exit code 2, and no file made or moved."""
    shown = run("usage", *options)
    assert shown.exit_code == 2
    assert complaint in shown.stderr
    assert Path(__file__).exists()
    assert not Path("nowhere.sqlite3").exists()


def test_wrong_dates_are_refused(run, ledger):
    """With what a date looks like."""
    shown = run("usage", "--file", ledger, "--since", "yesterday")
    assert (shown.exit_code, "since='yesterday'" in shown.stderr) == (2, True)


def test_prices_of_a_model(run):
    """All of them, with source and date."""
    shown = run("prices", "openai/gpt-4o")
    assert shown.exit_code == 0
    usual = next(line for line in lines(shown.stdout) if line.startswith("usually"))
    assert usual.split()[1:4] == ["2.50", "10.00", "1.25"]
    assert "in batches" in shown.stdout
    assert PriceList.shipped().date in shown.stdout


def test_prices_by_size_hour_and_date(run):
    """Each in a line of its own."""
    assert "prompt above 200,000" in run("prices", "google/gemini-2.5-pro").stdout
    assert "16:30 to 00:30 UTC" in run("prices", "deepseek/deepseek-chat").stdout


def test_prices_for_machines(run):
    """With what the environment says over the list."""
    found = json.loads(run("prices", "gpt-4o", "--json").stdout)
    assert (found["provider"], found["prices"]["input"], found["prices"]["batch"]["input"]) == ("openai", 2.5, 1.25)


def test_prices_from_the_environment_say_so(run, monkeypatch):
    """Who set what is the first thing asked when a price surprises."""
    monkeypatch.setenv("ORCHESTRATOR_COST_GPT_4O_INPUT", "7")
    found = json.loads(run("prices", "openai/gpt-4o", "--json").stdout)
    assert found["prices"]["input"] == 7.0
    assert found["sources"] == [PriceList.shipped().source, "ORCHESTRATOR_COST_... variables"]


def test_live_prices_come_from_the_installed_package(run):
    """Under the same name, with today's date."""
    assert json.loads(run("prices", "openai/gpt-4o", "--live", "--json").stdout)["list"] == {
        "source": PriceList.live().source,
        "date": PriceList.live().date,
    }


def test_an_unknown_price_is_unknown(run):
    """Not zero: exit code 1, and how to set it."""
    shown = run("prices", "custom/mine")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "ORCHESTRATOR_COST_" in shown.stderr
    assert json.loads(run("prices", "custom/mine", "--json").stdout)["prices"] is None
    assert run("prices", "mine").exit_code == 2
