"""`models discover` and `models compare`: other lists, and models side by side, from the command line."""

import json

import pytest


def test_the_bare_command_lists_as_ever(run, server):
    """Sub-commands have not taken its place."""
    rows = json.loads(run("models", "--base-url", server, "--json").stdout)["models"]
    assert {"compatible/small", "compatible/large"} <= {row["id"] for row in rows}


def test_sources_are_asked_by_name_and_place(run, emulator, tmp_path):
    """A server of one's own, and a catalogue in a file; what is wrong with one is told beside the others."""
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}, "bad": 1}))
    asked = [f"ollama={emulator.base_url('ollama')}", f"litellm={prices}", f"models.dev={tmp_path / 'nowhere.json'}"]
    done = run("models", "discover", *asked, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert {name: one["models"] for name, one in told["sources"].items()} == {
        "ollama": 4,
        "litellm": 1,
        "models.dev": 0,
    }
    assert {"ollama/homely", "openai/gpt-x"} <= {row["id"] for row in told["models"]}
    assert "nowhere.json" in done.stderr
    assert "litellm: left out 1 no description" in done.stderr


def test_a_table_is_for_people(run, emulator):
    """With a title that counts."""
    done = run("models", "discover", f"ollama={emulator.base_url('ollama')}", "--where", '{"name": "homely"}')
    assert "1 models" in done.stdout
    assert "ollama/homely" in done.stdout


def test_what_is_discovered_can_be_kept_and_compared(run, emulator, tmp_path):
    """In the file of a registry; the next command reads it."""
    path = tmp_path / "models.json"
    run("models", "discover", f"ollama={emulator.base_url('ollama')}", "--storage", path)
    table = json.loads(run("models", "compare", "ollama/small", "homely", "--storage", path, "--json").stdout)
    assert table["context_window"] == {"ollama/small": 8_000, "ollama/homely": 128_000}
    shown = run("models", "compare", "ollama/small", "homely", "--storage", path).stdout
    assert "context window" in shown
    assert "yes" in shown


def test_known_models_are_compared_without_a_registry(run):
    """By what is known of their families and from the price list."""
    table = json.loads(run("models", "compare", "openai/gpt-4o", "anthropic/claude-sonnet-4-5", "--json").stdout)
    assert table["input_usd_per_1m"] == {"openai/gpt-4o": 2.5, "anthropic/claude-sonnet-4-5": 3.0}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["discover", "openruter"], 2, "openrouter"),
        (["discover", "ollama", "--where", "{"], 2, "--where"),
        (["discover", "ollama", "--where", '{"context_size": {"$get": 5}}'], 2, "$gte"),
        (["discover", "ollama=http://127.0.0.1:9"], 1, "ollama could not be asked"),
        (["compare", "nobody"], 1, "nobody"),
        (["compare", "a", "--storage", "/nowhere/at/all/models.json"], 2, "no folder"),
    ],
)
def test_a_wrong_call_ends_with_a_line(arguments, code, said, run):
    """That says what is meant, and with the right code."""
    done = run("models", *arguments)
    assert done.exit_code == code
    assert said in done.stderr


def test_without_names_those_at_hand_are_asked(run, monkeypatch, emulator):
    """Ollama, and whoever's key is set."""
    monkeypatch.setenv("GROQ_API_KEY", "a-key")
    monkeypatch.setenv("GROQ_BASE_URL", emulator.base_url("openai"))
    monkeypatch.setenv("OLLAMA_BASE_URL", emulator.base_url("ollama"))
    told = json.loads(run("models", "discover", "--json").stdout)["sources"]
    assert {name: one["problem"] for name, one in told.items()} == {"ollama": None, "groq": None}


def test_a_name_from_elsewhere_is_shown_as_it_is(run, tmp_path):
    """It is no instruction to the terminal."""
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"[/red]odd[bold]": {"litellm_provider": "openai"}}))
    kept = tmp_path / "models.json"
    done = run("models", "discover", f"litellm={prices}", "--storage", kept)
    assert (done.exit_code, "openai/[/red]odd[bold]" in done.stdout) == (0, True)
    assert "openai/[/red]odd[bold]" in run("models", "compare", "openai/[/red]odd[bold]", "--storage", kept).stdout
