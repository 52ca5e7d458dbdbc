"""A clean environment, a runner for the command line, a small emulated provider and a hand-made run."""

import os
import sys
from pathlib import Path

import pytest
from hand_made import sent
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.testing import EmulatedModel, Emulator

sys.path.append(str(Path(__file__).parents[1] / "caches"))  # its Redis and its upstream


@pytest.fixture(autouse=True)
def nothing_set_up(monkeypatch):
    """No key is set and no Ollama runs, whatever this machine has."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN")) or name.startswith("ORCHESTRATOR_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def run():
    """Call the command line as a shell would; stdout, stderr and exit code come back."""

    def call(*arguments, stdin=None):
        return CliRunner().invoke(app, list(map(str, arguments)), input=stdin, prog_name="orchestrator")

    return call


@pytest.fixture(scope="session")
def emulator():
    models = [
        EmulatedModel("small", context_window=8_000),
        EmulatedModel("large"),
        EmulatedModel("text-embedding-9"),
        EmulatedModel("homely", provider="ollama"),
    ]
    with Emulator.in_thread(models, seed=3) as running:
        yield running


@pytest.fixture
def server(emulator):
    """The address of a server in OpenAI's dialect."""
    return emulator.base_url("openai")


@pytest.fixture
def records():
    """Ten prompts three ways: `a` serves until it breaks; then `b` takes over, and "always the best" has nobody."""
    engine = [sent("engine", n, "a/one", cost_usd=0.002, took_s=0.2) for n in range(4)]
    engine += [sent("engine", 4, "b/two", first=["a/one"], took_s=0.4), sent("engine", 5, "b/two", quality=0.0)]
    engine += [sent("engine", n, "b/two") for n in range(6, 10)]
    best = [sent("best", n, "a/one", cost_usd=0.002) for n in range(10) if n not in (4, 5)]
    best += [sent("best", n, None, first=["a/one"], error="server") for n in (4, 5)]
    chance = [sent("random", n, ("a/one", "b/two")[n % 2], quality=0.5) for n in range(10)]
    return [*engine, *best, *chance]
