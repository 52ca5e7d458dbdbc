"""`ask`: from argument, file or stdin to an answer, an explanation, JSON, or one clear line."""

import json

import pytest

from orchestrator.cli.discovery import WELL_KNOWN
from orchestrator.cli.failing import one_line
from orchestrator.core.outcome import Attempt
from orchestrator.core.prices import PriceBook
from orchestrator.errors import RateLimitError
from orchestrator.integrations.providers import known_providers
from orchestrator.testing import Fail

SUM = "What is 12 plus 30?"


def test_the_answer_is_all_that_stdout_holds(run, server):
    """So that it can be piped on."""
    done = run("ask", SUM, "--base-url", server)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "42\n", "")


def test_the_prompt_comes_from_stdin(run, server):
    """Without an argument, standard input is the prompt."""
    assert run("ask", "--base-url", server, stdin=SUM).stdout == "42\n"


def test_the_prompt_comes_from_a_file(run, server, tmp_path):
    """A byte-order mark at its start is no part of it."""
    file = tmp_path / "prompt.txt"
    file.write_text("\ufeff" + SUM + "\n", encoding="utf-8")
    assert run("ask", "--file", file, "--base-url", server).stdout == "42\n"


def test_an_argument_and_a_file_make_one_prompt(run, server, tmp_path, emulator):
    """The argument says what to do with the file."""
    file = tmp_path / "text.txt"
    file.write_text("12 plus 30?", encoding="utf-8")
    done = run("ask", "What is", "-f", file, "--base-url", server, "--json")
    assert json.loads(done.stdout)["usage"]["prompt_tokens"] == 5  # "What is", an empty line and "12 plus 30?"


def test_a_stream_prints_the_same_answer(run, server):
    """In pieces, ended by a line end."""
    assert run("ask", "--stream", SUM, "--base-url", server).stdout == "42\n"


def test_json_tells_who_answered_how_fast_and_at_what_price(run, server):
    """An unknown price is null, never 0."""
    told = json.loads(run("ask", SUM, "--json", "--base-url", server, "--model", "large").stdout)
    assert (told["text"], told["model_id"], told["finish_reason"]) == ("42", "compatible/large", "stop")
    assert told["cost_usd"] is None
    assert told["latency_s"] > 0
    assert [attempt["model_id"] for attempt in told["attempts"]] == ["compatible/large"]


def test_an_explanation_comes_before_the_answer_and_beside_it(run, server):
    """The candidates go to stderr, the answer to stdout."""
    done = run("ask", SUM, "--explain", "--base-url", server)
    assert done.stdout == "42\n"
    assert "chosen: price unknown" in done.stderr
    assert "compatible/large" in done.stderr
    assert "embedding" not in done.stderr  # it does not chat


def test_the_explanation_is_part_of_the_json(run, server):
    """The one who was chosen is the one who answered."""
    told = json.loads(run("ask", SUM, "-e", "--json", "--base-url", server).stdout)
    (chosen,) = [row["model_id"] for row in told["candidates"] if row["chosen"]]
    assert chosen == told["model_id"]


def test_a_running_ollama_is_found(run, emulator, monkeypatch):
    """By its own variable; its models are the ones it has installed."""
    monkeypatch.setenv("OLLAMA_HOST", emulator.base_url("ollama"))
    told = json.loads(
        run("ask", SUM, "--json", "--model", "ollama/homely", "--base-url", emulator.base_url("openai")).stdout or "{}"
    )
    assert told.get("model_id") != "ollama/homely"  # --base-url goes first
    told = json.loads(run("ask", SUM, "--json").stdout)
    assert told["model_id"].startswith("ollama/")
    assert told["cost_usd"] == 0.0


def test_a_model_that_fails_is_replaced_by_the_next(run, server, emulator):
    """The failed attempt is told in the JSON."""
    emulator.break_model("small", Fail(503))
    try:
        told = json.loads(run("ask", SUM, "--json", "--base-url", server).stdout)
    finally:
        emulator.mend("small")
    assert told["model_id"] == "compatible/large"
    assert [attempt["error_type"] for attempt in told["attempts"]] == ["overloaded", None]


def test_nothing_found_says_what_to_set(run):
    """Exit code 2, the variables and --base-url by name."""
    done = run("ask", SUM)
    assert done.exit_code == 2
    for word in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "Ollama", "--base-url"):
        assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_key_names_its_variable(run):
    """A model that was named but cannot be asked."""
    done = run("ask", SUM, "--model", "openai/gpt-5-mini")
    assert done.exit_code == 1
    assert "OPENAI_API_KEY" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--model", "nosuch"], 2, "provider/name"),
        (["--max-cost", "-1"], 2, "amount"),
        (["--max-cost", "nan"], 2, "amount"),
        (["--stream", "--json"], 2, "choose one"),
        (["--selector", "nosuch", "--model", "openai/gpt-5"], 1, "'nosuch'"),
        (["--file", "/no/such/file"], 2, "No such file"),
        (["--base-url", "http://127.0.0.1:9/v1"], 1, "no connection"),
        (["--base-url", "http://example.org/v1", "--model", "m"], 1, "https"),
        (["--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--key-env", "NO_SUCH"], 2, "NO_SUCH"),
    ],
)
def test_bad_options_are_told_plainly(run, arguments, code, word):
    """No traceback, and the prompt is not repeated."""
    done = run("ask", "a private matter", *arguments)
    assert done.exit_code == code
    assert word in done.stderr
    assert "Traceback" not in done.output
    assert "private" not in done.output


def test_an_empty_prompt_is_refused(run):
    """Before anybody is looked for."""
    done = run("ask", stdin="  \n")
    assert done.exit_code == 2
    assert "empty" in done.stderr


def test_a_refused_key_never_shows(run, server, monkeypatch):
    """Errors of the provider come without the key that was sent."""
    monkeypatch.setenv("MY_KEY", "sk-verysecret1234567890")
    with_key = ["--base-url", server, "--key-env", "MY_KEY", "--model", "absent"]
    done = run("ask", "a private matter", *with_key)
    assert done.exit_code == 1
    assert "verysecret" not in done.output
    assert "private" not in done.output
    assert len(done.stderr.splitlines()) == 1


def test_debug_shows_where_an_error_came_from(run):
    """For those who want to know."""
    done = run("ask", SUM, "--debug", "--model", "openai/gpt-5-mini")
    assert type(done.exception).__name__ == "NoEligibleModelsError"


def test_every_attempt_is_named_in_the_one_line():
    """When several models failed, the line says which and how."""
    error = RateLimitError("slow down", model_id="b")
    error.attempts = (Attempt("a", "server", 0.1), Attempt("b", "rate_limit", 0.1))
    assert one_line(error) == "slow down [tried a (server), b (rate_limit)]"


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_the_well_known_models_are_served_and_priced(name):
    """Each belongs to a provider of ours; only the Hugging Face router has no fixed price."""
    provider, _, model = name.partition("/")
    assert provider in known_providers()
    assert PriceBook.default().cost_of(provider, model) is not None or provider == "huggingface"
