"""Prices by name: the shipped list agrees with its source, and what users set wins over it."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.cost import Cost
from orchestrator.core.price_list import PriceList, matches
from orchestrator.core.price_source import installed_data
from orchestrator.core.prices import PriceBook
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
LIST = ROOT / "orchestrator" / "data" / "prices.json"
WELL_KNOWN = [
    ("openai", "gpt-4"),
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-4.1-nano"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.2-20251211"),
    ("openai", "o3"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-3-5-haiku-20241022"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-1-20250805"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("google", "claude-sonnet-4-5"),
    ("azure", "gpt-4o"),
    ("groq", "llama-3.3-70b-versatile"),
    ("mistral", "mistral-large-latest"),
    ("deepseek", "deepseek-chat"),
    ("xai", "grok-4"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("perplexity", "sonar-pro"),
    ("cerebras", "gpt-oss-120b"),
    ("openrouter", "openai/gpt-4o"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
]
counts = st.integers(min_value=0, max_value=400_000)


def the_source_says(provider, name, **usage):
    """USD by the package the list was made from, at noon of the list's date."""
    at = datetime.combine(date.fromisoformat(PriceList.shipped().date), time(12), tzinfo=UTC)
    return float(get_snapshot().calc(Usage(**usage), name, provider, None, at).total_price)


@pytest.mark.parametrize(("provider", "name"), WELL_KNOWN, ids="/".join)
@given(parts=st.tuples(counts, counts, counts, counts, counts))
def test_a_price_is_what_the_source_computes(provider, name, parts):
    """On any usage, the shipped list and the package it was made from agree on the dollars."""
    plain, read, written, spoken, reasoning = parts
    sent, made = plain + read + written, spoken + reasoning
    cost = PriceList.shipped().find(provider, name).cost
    usage = UsageStats(sent, made, cache_read_tokens=read, cache_write_tokens=written, reasoning_tokens=reasoning)
    shares = dict(cache_read_tokens=read, cache_write_tokens=written, output_reasoning_tokens=reasoning)
    expected = the_source_says(provider, name, input_tokens=sent, output_tokens=made, **shares)
    assert cost.price(usage) == pytest.approx(expected, rel=1e-9)


CHANGING = [
    ("deepseek", "deepseek-chat"),
    ("deepseek", "deepseek-v4-flash"),
    ("google", "gemini-3.6-flash"),
    ("openai", "gpt-4o"),
]


@pytest.mark.parametrize(("provider", "name"), CHANGING, ids="/".join)
@given(minutes=st.integers(0, 400 * 1440))
@settings(max_examples=60)
def test_a_price_is_right_at_any_hour_of_any_later_day(provider, name, minutes):
    """Daily hours and announced changes are followed to the minute, from the list's own day on."""
    at = datetime.combine(date.fromisoformat(PriceList.shipped().date), time(), tzinfo=UTC) + timedelta(minutes=minutes)
    expected = get_snapshot().calc(Usage(input_tokens=1000, output_tokens=1000), name, provider, None, at).total_price
    cost = PriceList.shipped().find(provider, name).cost
    assert cost.price(UsageStats(1000, 1000), at.timestamp()) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(("provider", "name"), [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5")])
def test_the_batch_price_is_that_of_the_source(provider, name):
    """Where a provider sells batches cheaper, the list says so."""
    at = datetime.combine(date.fromisoformat(PriceList.shipped().date), time(12), tzinfo=UTC)
    usage = Usage(input_tokens=1000, output_tokens=1000)
    expected = get_snapshot().calc(usage, name, provider, None, at, {"processing": "batch"}).total_price
    cost = PriceList.shipped().find(provider, name).cost
    assert cost.batch.price(UsageStats(1000, 1000)) == pytest.approx(float(expected), rel=1e-9)
    assert cost.batch.price(UsageStats(1000, 1000)) < cost.price(UsageStats(1000, 1000))


def test_a_price_set_by_hand_holds_at_every_hour_and_in_batches():
    """Neither changes nor the batch price of the list outlive it."""
    listed = PriceBook(environ={}).cost_of("deepseek", "deepseek-v4-flash")
    set_by_hand = PriceBook(environ={"ORCHESTRATOR_COST_DEEPSEEK_V4_FLASH_INPUT": "9"})
    cost = set_by_hand.cost_of("deepseek", "deepseek-v4-flash")
    assert listed.changes
    assert (cost.input, cost.changes, cost.batch) == (9, (), None)


def test_the_installed_package_can_be_asked_instead():
    """ORCHESTRATOR_PRICES=live: its prices of today, under its own name."""
    book = PriceBook(environ={"ORCHESTRATOR_PRICES": "live"})
    noon = datetime.combine(datetime.now(UTC).date(), time(12), tzinfo=UTC)
    expected = get_snapshot().calc(Usage(input_tokens=1000, output_tokens=0), "gpt-4o", "openai", None, noon)
    cost = book.cost_of("openai", "gpt-4o")
    assert cost.price(UsageStats(1000, 0)) == pytest.approx(float(expected.total_price))
    assert book.listed is PriceList.live()
    with pytest.raises(ConfigurationError, match="'shipped' or 'live'"):
        PriceBook(environ={"ORCHESTRATOR_PRICES": "yesterday"})


def test_without_the_package_live_prices_name_the_extra(monkeypatch):
    """What to install, and no list."""
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", None)
    with pytest.raises(ConfigurationError, match=r"model-orchestrator\[prices\]"):
        installed_data()


def test_a_book_says_where_a_price_comes_from():
    """Every layer that speaks of a model, the strongest last."""
    book = PriceBook(environ={"ORCHESTRATOR_COST_GPT4_INPUT": "7"}, overrides={"gpt-4": {"output": 8}})
    assert [title for title, _ in book.layers_of("openai", "gpt-4")] == [
        PriceList.shipped().source,
        "ORCHESTRATOR_COST_... variables",
        "overrides",
    ]
    assert book.layers_of("custom", "mine") == [(PriceList.shipped().source, None)]


def test_every_name_finds_the_row_that_its_source_finds():
    """The matching rules survive the trip: each id and each text in a rule finds the same price and window."""
    shelves = json.loads(LIST.read_bytes())["providers"]
    sellers = get_snapshot().providers
    differing = []
    for seller in (seller for seller in sellers if seller.id in shelves):
        costs = {row["id"]: row.get("cost") for row in shelves[seller.id]["models"]}
        for name in texts_of(shelves[seller.id]["models"]):
            model, fact = seller.find_model(name), PriceList.shipped().find(seller.id, name)
            listed = costs[model.id] if model else None
            expected = (Cost.of(listed) if listed else None, model.context_window if model else None)
            if model and fact != expected:
                differing.append(f"{seller.id}/{name}: {fact} != {expected}")
    assert differing == []


def texts_of(rows):
    """Every id, and every text in a matching rule that is a name or the start of one."""
    for row in rows:
        yield row["id"]
        rules = row.get("match", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            if isinstance(rule, str):
                yield rule
            elif "starts_with" in rule:
                yield rule["starts_with"] + "-20260102"


def test_the_committed_list_is_generated_not_typed():
    """The script finds no difference between the file and its package."""
    script = [sys.executable, str(ROOT / "scripts" / "make_prices.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_list_is_small_and_dated():
    """It ships in the wheel, so it stays below 300 kB, and says how old it is and where it is from."""
    assert LIST.stat().st_size <= 300_000
    assert date.fromisoformat(PriceList.shipped().date) <= datetime.now(UTC).date()
    assert PriceList.shipped().source.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("gpt-4", "gpt-4", True),
        ("gpt-4", "gpt-4o", False),
        (["a", "b"], "b", True),
        ([], "b", False),
        ({"starts_with": "gpt"}, "gpt-4", True),
        ({"ends_with": "4"}, "gpt-4", True),
        ({"contains": "t-"}, "gpt-4", True),
        ({"regex": r"^gpt-\d$"}, "gpt-4", True),
        ({"regex": r"^gpt-\d$"}, "gpt-4o", False),
        ({"and": [{"starts_with": "g"}, {"ends_with": "4"}]}, "gpt-4", True),
        ({"and": [{"starts_with": "g"}, {"ends_with": "5"}]}, "gpt-4", False),
    ],
    ids=str,
)
def test_a_rule_matches_as_its_word_says(rule, text, expected):
    """Equality, any-of, all-of and the four ways to look at a text."""
    assert matches(rule, text) is expected


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("ollama", "llama3"),
        ("ollama", "openai/gpt-4o"),
        ("custom", "gpt-4o"),
        ("openai", "my-own-model"),
        ("huggingface", "meta-llama/Llama-3.1-8B-Instruct"),
        ("openai", ""),
        ("", ""),
    ],
)
def test_what_is_not_listed_is_unknown(provider, name):
    """No price is made up: neither zero nor another seller's."""
    book = PriceBook(environ={})
    assert book.cost_of(provider, name) is None
    assert book.context_window_of(provider, name) is None


def test_free_routes_are_free_and_unpriced_products_unknown():
    """Zero is said only where the source says it of a free route; speech by the hour has no token price."""
    book = PriceBook(environ={})
    assert book.cost_of("openrouter", "deepseek/deepseek-chat:free") == Cost.FREE
    assert book.cost_of("openai", "whisper-1") is None


@pytest.mark.parametrize(
    ("alias", "provider", "name"),
    [
        (("openrouter", "mistral/mistral-medium-2508"), "mistral", "mistral-medium-2508"),
        (("openai", "openai/gpt-4o"), "openai", "gpt-4o"),
        (("openai", "GPT-4o"), "openai", "gpt-4o"),
        (("xai", "grok-4"), "x-ai", "grok-4"),
        (("vertex", "gemini-2.5-pro"), "google", "gemini-2.5-pro"),
        (
            ("huggingface", "meta-llama/Llama-3.1-8B-Instruct:novita"),
            "huggingface_novita",
            "meta-llama/llama-3.1-8b-instruct",
        ),
    ],
    ids=str,
)
def test_other_spellings_find_the_same_price(alias, provider, name):
    """Prefixes, capitals and other names of a provider lead to one row."""
    book = PriceBook(environ={})
    assert book.cost_of(*alias) == book.cost_of(provider, name) is not None


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("ORCHESTRATOR_COST_GPT4_INPUT", "gpt-4"),
        ("ORCHESTRATOR_COST_GPT_4_INPUT", "gpt-4"),
        ("EMBER_COST_GPT4_INPUT", "gpt-4"),
        ("EMBER_COST_GPT_3_5_TURBO_INPUT", "gpt-3.5-turbo"),
        ("ORCHESTRATOR_COST_OPENAI_GPT_4_INPUT", "gpt-4"),
        ("ORCHESTRATOR_COST_LLAMA_3_8B_INPUT", "meta-llama/Llama-3-8B"),
    ],
)
def test_a_variable_reaches_its_model(variable, name):
    """Names match by letters and digits: dashes and dots need no escape."""
    assert PriceBook(environ={variable: "7.5"}).cost_of("openai", name).input == 7.5


def test_a_variable_touches_one_model_and_one_field():
    """gpt-4 is not gpt-4o, and an input price leaves the output price alone."""
    book = PriceBook(environ={"EMBER_COST_GPT4_INPUT": "7"})
    assert book.cost_of("openai", "gpt-4") == Cost(input=7, output=60)
    assert book.cost_of("openai", "gpt-4o") == PriceBook(environ={}).cost_of("openai", "gpt-4o")


def test_layers_win_in_their_order():
    """Your own figure, then a variable per field, then the JSON, then the list."""
    environ = {
        "ORCHESTRATOR_MODEL_COSTS_JSON": '{"gpt-4": {"input": 1, "output": 2, "cache_read": 3}, "mine": {"input": 4}}',
        "ORCHESTRATOR_COST_GPT_4_OUTPUT": "20",
        "ORCHESTRATOR_COST_GPT_4_CACHE_READ": "30",
    }
    book = PriceBook(environ=environ, overrides={"openai/gpt-4": {"cache_read": 300}})
    assert book.cost_of("openai", "gpt-4") == Cost(input=1, output=20, cache_read=300)
    assert book.cost_of("anything", "mine") == Cost(input=4)


def test_the_newer_prefix_wins():
    """Where both spellings are set, the engine's own is heard."""
    environ = {"ORCHESTRATOR_COST_GPT4_INPUT": "1", "EMBER_COST_GPT4_INPUT": "2"}
    environ |= {"EMBER_MODEL_COSTS_JSON": '{"m": {"input": 2}}', "ORCHESTRATOR_MODEL_COSTS_JSON": '{"m": {"input": 1}}'}
    book = PriceBook(environ=environ)
    assert book.cost_of("openai", "gpt-4").input == book.cost_of("x", "m").input == 1


def test_a_price_set_by_hand_holds_for_every_prompt_size():
    """Tiers of the list do not outlive an override of its prices; a context window leaves them."""
    assert PriceBook(environ={}).cost_of("google", "gemini-2.5-pro").tiers
    assert not PriceBook(environ={"EMBER_COST_GEMINI_2_5_PRO_INPUT": "1"}).cost_of("google", "gemini-2.5-pro").tiers
    book = PriceBook(environ={"EMBER_COST_GEMINI_2_5_PRO_CONTEXT": "1000000"})
    assert book.cost_of("google", "gemini-2.5-pro").tiers
    assert book.context_window_of("google", "gemini-2.5-pro") == 1_000_000


def test_figures_per_thousand_are_read_when_said_so():
    """COST_UNIT=1k applies to bare figures of variables and JSON."""
    environ = {
        "EMBER_COST_UNIT": "1k",
        "EMBER_COST_GPT4_INPUT": "0.03",
        "EMBER_MODEL_COSTS_JSON": '{"m": {"input": 0.002}}',
    }
    book = PriceBook(environ=environ)
    assert book.cost_of("openai", "gpt-4").input == pytest.approx(30)
    assert book.cost_of("custom", "m").input == pytest.approx(2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORCHESTRATOR_COST_GPT4_INPUT", "thirty"),
        ("ORCHESTRATOR_COST_GPT4_INPUT", "-1"),
        ("EMBER_COST_GPT4_OUTPUT", "nan"),
        ("ORCHESTRATOR_COST_GPT4_CONTEXT", "8k"),
        ("ORCHESTRATOR_COST_GPT4_CONTEXT", "0"),
        ("ORCHESTRATOR_COST_GPT4_INPTU", "1"),
        ("ORCHESTRATOR_COST_UNIT", "cents"),
        ("ORCHESTRATOR_MODEL_COSTS_JSON", "{"),
        ("ORCHESTRATOR_MODEL_COSTS_JSON", "[1]"),
        ("EMBER_MODEL_COSTS_JSON", '{"gpt-4": 3}'),
        ("EMBER_MODEL_COSTS_JSON", '{"gpt-4": {"input": NaN}}'),
        ("EMBER_MODEL_COSTS_JSON", '{"gpt-4": {"inptu": 3}}'),
    ],
)
def test_a_variable_that_is_no_price_is_refused_by_name(name, value):
    """The error says which variable to mend."""
    with pytest.raises(ConfigurationError, match=name):
        PriceBook(environ={name: value})


def test_an_empty_variable_counts_as_unset():
    """Compose files pass unset variables on as empty text."""
    environ = dict.fromkeys(("ORCHESTRATOR_COST_GPT4_INPUT", "ORCHESTRATOR_MODEL_COSTS_JSON", "EMBER_COST_UNIT"), "")
    cost = PriceBook(environ=environ).cost_of("openai", "gpt-4")
    assert (cost.input, cost.output) == (30, 60)


def test_the_default_book_hears_the_process_environment(monkeypatch):
    """The environment is read when the book is made."""
    monkeypatch.setenv("ORCHESTRATOR_COST_GPT4_INPUT", "1.5")
    assert PriceBook.default().cost_of("openai", "gpt-4").input == 1.5
