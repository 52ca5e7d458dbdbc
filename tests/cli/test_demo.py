"""The demo for real, once and small: from an empty folder, in a process of its own."""

import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hand_made import OUTAGE

import orchestrator
from orchestrator.cli.demo import command
from orchestrator.cli.demo.drive import Run, Seen
from orchestrator.cli.demo.fleet import FLEET, dearest, id_of
from orchestrator.cli.demo.progress import progress
from orchestrator.cli.demo.tasks import tasks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def finished(folder):
    call = [sys.executable, "-W", "error", "-m", "orchestrator", "demo", "--prompts", "60", "--json"]
    here = os.environ | {"PYTHONPATH": str(Path(orchestrator.__file__).parents[1])}
    done = subprocess.run(call, cwd=folder, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def figures(finished):
    return json.loads(finished.stdout)


def by_policy(figures):
    return {row["policy"]: row for row in figures["policies"]}


def test_no_caller_sees_an_error(figures):
    """A provider broke in the middle, and every prompt was answered."""
    assert (figures["prompts"], figures["answered"], figures["errors"]) == (60, 60, 0)


def test_a_provider_was_really_down(figures):
    """The engine had to answer from another model than the one it asked first, and the broken provider answered none."""
    during = figures["phases"][1]
    down = figures["outage"]["provider"]
    assert during["prompts"] == figures["outage"]["to_number"] - figures["outage"]["from_number"]
    assert figures["failovers"] > 0
    assert not [model_id for model_id in during["shares"] if model_id.startswith(f"{down}/")]


def test_shares_add_up(figures):
    """Over models, and over models in each phase."""
    assert math.isclose(sum(model["share"] for model in figures["models"]), 1)
    assert all(math.isclose(sum(phase["shares"].values()), 1) for phase in figures["phases"])


def test_totals_are_the_sums_of_their_parts(figures):
    """Answers and money."""
    assert sum(model["answers"] for model in figures["models"]) == figures["answered"]
    assert sum(phase["prompts"] for phase in figures["phases"]) == figures["prompts"]
    assert math.isclose(sum(model["cost_usd"] for model in figures["models"]), figures["cost_usd"])
    assert math.isclose(sum(phase["cost_usd"] for phase in figures["phases"]), figures["cost_usd"])


def test_the_engine_is_cheaper_than_always_the_best(figures):
    """Both were measured on the same prompts in this run."""
    policies = by_policy(figures)
    assert policies["engine"]["prompts"] == policies["best"]["prompts"] == policies["random"]["prompts"] == 60
    assert policies["engine"]["cost_usd"] < policies["best"]["cost_usd"]


def test_always_the_best_asked_nobody_else(figures):
    """What "best" was measured on is the dearest model's answers."""
    best = next(model for model in figures["models"] if model["id"] == id_of(dearest()))
    assert best["measured_on"] >= by_policy(figures)["best"]["answered"]


def test_the_figures_are_measured_ones(figures):
    """Every latency was waited for, every answer checked, every model asked by somebody."""
    assert figures["p50_s"] > 0
    assert figures["own_p50_us"] > 0
    assert all(0 <= model["quality"] <= 1 for model in figures["models"] if model["measured_on"])
    assert sum(model["measured_on"] for model in figures["models"]) == sum(
        row["answered"] for row in figures["policies"]
    )


def test_stdout_holds_the_figures_and_nothing_else(finished):
    """How the run goes is told on stderr."""
    assert finished.stdout.lstrip().startswith("{")
    assert "breaks down" in finished.stderr
    assert "is mended" in finished.stderr


def test_a_picture_is_left_in_the_folder_and_nothing_else(figures, folder):
    """The demo writes one file, and says which."""
    assert figures["picture"] == "demo.png"
    assert [path.name for path in folder.iterdir()] == ["demo.png"]
    assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_asks_the_same_questions():
    """And another seed asks others; none is asked twice."""
    asked = [task.prompt for task in tasks(300, seed=7)]
    assert asked == [task.prompt for task in tasks(300, seed=7)]
    assert asked != [task.prompt for task in tasks(300, seed=8)]
    assert len(set(asked)) == 300


def test_the_fleet_covers_all_dialects_and_two_models_each():
    """A provider that breaks takes two models with it, and three others stay."""
    providers = [model.provider for model in FLEET]
    assert {name: providers.count(name) for name in providers} == dict.fromkeys(
        ("anthropic", "openai", "google", "ollama"), 2
    )


@pytest.fixture
def ready(monkeypatch, records):
    """The command with a run made by hand in place of a real one."""
    ids = {"a/one": id_of(FLEET[0]), "b/two": id_of(FLEET[1])}
    mine = [
        one._replace(
            model_id=ids.get(one.model_id),
            attempts=[attempt._replace(model_id=ids[attempt.model_id]) for attempt in one.attempts],
        )
        for one in records
    ]
    monkeypatch.setattr(command, "_run", lambda _: Run(mine, OUTAGE, 5.0))


def test_without_matplotlib_the_demo_goes_on(run, ready, monkeypatch):
    """One line says how to install it."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run("demo")
    assert done.exit_code == 0
    assert done.stderr == "No picture: matplotlib is missing; pip install 'model-orchestrator[plot]'\n"
    assert "Who answered" in done.stdout


def test_a_folder_that_cannot_be_written_costs_the_picture_only(run, ready):
    """The figures are shown all the same."""
    done = run("demo", "--plot", "/no/such/folder/demo.png")
    assert done.exit_code == 0
    assert "--plot FILE" in done.stderr


def test_no_plot_leaves_no_file(run, ready, tmp_path, monkeypatch):
    """And says nothing about one."""
    monkeypatch.chdir(tmp_path)
    told = json.loads(run("demo", "--no-plot", "--json").stdout)
    assert told["picture"] is None
    assert list(tmp_path.iterdir()) == []


class Terminal(io.StringIO):
    """Looks like one."""

    def isatty(self):
        return True


def test_a_terminal_gets_a_bar(monkeypatch):
    """With the number of prompts and the provider that is down."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress(10) as watch:
        watch(Seen(5, 10, "openai"))
    assert "5/10" in terminal.getvalue()
    assert "openai is down" in terminal.getvalue()


def test_a_file_gets_plain_lines(capsys):
    """One at each turn of events and each quarter."""
    with progress(8) as watch:
        for seen in (Seen(1, 8, None), Seen(2, 8, None), Seen(3, 8, "openai"), Seen(5, 8, None), Seen(8, 8, None)):
            watch(seen)
    assert capsys.readouterr().err.splitlines() == [
        "2 of 8 prompts",
        "3 of 8 prompts: openai breaks down",
        "5 of 8 prompts: openai is mended",
        "5 of 8 prompts",
        "8 of 8 prompts",
    ]


def test_an_unknown_selector_is_named_with_the_known_ones(run):
    """Before anything is started."""
    done = run("demo", "--selector", "nosuch")
    assert done.exit_code == 1
    assert "'ucb'" in done.stderr
