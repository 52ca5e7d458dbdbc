"""`orchestrator bench selectors` and `orchestrator replay`: figures for people, for machines, and on disk."""

import csv
import json

import pytest

from orchestrator.evaluation import builtin, figures

SMALL = ("--rounds", 60, "--seeds", 2, "--selector", "ucb", "--selector", "random")


@pytest.mark.parametrize("arguments", [("bench", "-h"), ("bench", "selectors", "-h"), ("replay", "-h")])
def test_every_command_has_a_help_of_its_own(run, arguments):
    """-h works at every level."""
    assert "Usage" in run(*arguments).output


def test_a_comparison_prints_a_table_for_each_situation(run):
    """Every selector stands in every table, and the words below say what the columns mean."""
    done = run("bench", "selectors", *SMALL, "--scenario", "steady", "--scenario", "outage")
    assert done.exit_code == 0
    assert "builtin, cost weight 0.1" in done.stdout
    assert "All situations" in done.stdout
    assert done.stdout.count("random") >= 4
    assert "8 of 8 runs" in done.stderr


def test_json_is_all_there_is_on_stdout(run):
    """Machines get the same figures, intervals as mean, low and high."""
    done = run("bench", "selectors", *SMALL, "--objective", 0, "--objective", 0.3, "--json")
    told = json.loads(done.stdout)
    assert [row["setting"]["cost_weight"] for row in told["rows"]] == [0, 0, 0.3, 0.3]
    assert {"mean", "low", "high"} == told["rows"][0]["share"].keys()
    assert {one["selector"] for one in told["overall"]} == {"ucb", "random"}


def test_results_picture_and_page_are_written(run, tmp_path):
    """And a second call finds every run done."""
    files = [tmp_path / name for name in ("runs.jsonl", "bench.png", "bench.html")]
    arguments = ("bench", "selectors", *SMALL, "--results", files[0], "--plot", files[1], "--page", files[2])
    first = run(*arguments, "--json").stdout
    assert run(*arguments, "--json").stdout == first  # times included: nothing was run again
    assert len(files[0].read_text(encoding="utf-8").splitlines()) == 4
    assert files[1].read_bytes().startswith(b"\x89PNG")
    assert files[2].read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_replay_can_be_checked_by_anyone(run, tmp_path):
    """The choices written to a file give the printed figures again."""
    path = tmp_path / "choices.csv"
    done = run("replay", "builtin", "--selector", "thompson", "--rounds", 80, "--choices", path, "--json")
    told = json.loads(done.stdout)
    with path.open(encoding="utf-8", newline="") as file:
        head, *choices = csv.reader(file)
    assert head == ["prompt_id", "model"]
    again = figures(builtin(), [tuple(choice) for choice in choices], cost_weight=0.1).to_dict()
    assert {name: told[name] for name in again} == again


def test_a_replay_says_what_its_figures_are(run):
    """A table of figures, and one of who was asked."""
    done = run("replay", "--rounds", 80, "--selector", "ucb")
    assert done.exit_code == 0
    for words in ("mean score", "regret against the best single model", "who was asked", "atlas-medium"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("replay", "nowhere"), "nowhere: there is no such file"),
        (("replay", "--selector", "nope"), "no selector 'nope'"),
        (("bench", "selectors", "--scenario", "storm"), "no scenario 'storm'"),
        (("bench", "selectors", *SMALL, "--page", "/no/such/folder/page.html"), "cannot be written"),
        (("replay", "--rounds", 20, "--choices", "/no/such/folder/x.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run, arguments, complaint):
    """No traceback, no half answer."""
    done = run(*arguments)
    assert done.exit_code in {1, 2}
    assert complaint in done.stderr
    assert "Traceback" not in done.output


def test_a_log_of_decisions_is_replayed_too(run, tmp_path):
    """Half of the choices of a log made by a coin agree with any selector, more or less."""
    path = tmp_path / "log.csv"
    rows = [f"p{n},{'ab'[n * 7 % 2]},{n % 2},0.01,0.5" for n in range(100)]
    path.write_text("\n".join(["prompt_id,model,score,cost_usd,propensity", *rows]) + "\n", encoding="utf-8")
    told = json.loads(run("replay", path, "--log", "--selector", "ucb", "--json").stdout)
    assert (told["decisions"], 20 < told["accepted"] < 80) == (100, True)
    assert told["score"].keys() == {"mean", "low", "high"}
    assert "of 100 logged decisions" in run("replay", path, "--log", "--selector", "ucb").stdout
