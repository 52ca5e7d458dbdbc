"""`explain` and `models`: who there is, who would be chosen, and why not the others."""

import json

import pytest


@pytest.fixture
def keys(monkeypatch):
    for provider in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{provider}_API_KEY", "sk-none")


def test_explain_asks_nobody(run, keys, emulator):
    """The choice is worked out here; the keys are never used."""
    before = sum(emulator.requests.values())
    told = json.loads(run("explain", "--json").stdout)
    assert told["chosen"] == "openai/gpt-5-mini"  # the cheapest of the five
    assert {row["model_id"].partition("/")[0] for row in told["candidates"]} == {"openai", "anthropic"}
    assert sum(emulator.requests.values()) == before


def test_explain_says_why_not_the_others(run, keys):
    """Each refused model with the requirement that it misses."""
    done = run("explain", "--max-cost", "0.002")
    assert done.exit_code == 0
    assert "chosen: about $0.00112 a request" in done.stdout
    assert "is above 0.002" in done.stdout


def test_abilities_of_well_known_models_are_known(run, keys):
    """A requirement is met by those families that are known to meet it."""
    told = json.loads(run("explain", "--json", "--capability", "vision").stdout)
    assert [row["model_id"] for row in told["candidates"] if row["refused"]] == []
    done = run("explain", "--capability", "vision", "--model", "openai/gpt-4o", "--model", "openai/gpt-3.5-turbo")
    assert "lacks capability 'vision'" in done.stdout
    assert done.exit_code == 0


def test_explain_takes_the_length_of_the_prompt_into_account(run, keys):
    """A long prompt costs more, so that fewer models stay below the limit."""
    short = json.loads(run("explain", "--json", "--max-cost", "0.02", "--prompt", "Hi").stdout)
    long = json.loads(run("explain", "--json", "--max-cost", "0.02", "--prompt", "word " * 8_000).stdout)
    fitting = [sum(row["refused"] is None for row in told["candidates"]) for told in (short, long)]
    assert fitting[0] > fitting[1]


def test_explain_ends_with_code_1_when_nobody_fits(run, keys):
    """And still shows every model with its reason."""
    done = run("explain", "--capability", "levitation")
    assert done.exit_code == 1
    assert done.stdout.count("levitation") == 5
    assert "no model fits" in done.stderr


def test_models_lists_what_a_server_offers(run, server):
    """Those that chat, with what is known of them; unknown prices are null."""
    rows = json.loads(run("models", "--json", "--base-url", server).stdout)["models"]
    assert {row["id"] for row in rows} >= {"compatible/small", "compatible/large"}
    assert all(row["input_usd_per_1m"] is None for row in rows)


def test_models_shows_a_table_with_prices_and_windows(run, keys):
    """From the price list, in USD per million tokens."""
    text = run("models").stdout
    assert "openai/gpt-5-mini" in text
    assert "0.25" in text
    assert "200k" in text


def test_models_remote_asks_the_providers_themselves(run, server):
    """Their whole list, embeddings included."""
    rows = json.loads(run("models", "--json", "--remote", "--base-url", server, "--model", "small").stdout)["models"]
    assert "compatible/text-embedding-9" in {row["id"] for row in rows}


def test_a_provider_that_does_not_answer_is_named(run):
    """The others' lists are shown all the same, and the key is not."""
    done = run("models", "--remote", "--json", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    assert json.loads(done.stdout) == {"models": []}
    assert "does not list its models" in done.stderr
