"""The comparison: same streams, runs kept on disk, summaries that follow from the runs."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import builtin
from orchestrator.evaluation.changes import Outage
from orchestrator.evaluation.charts import comparison
from orchestrator.evaluation.harness import Setting, bench_selectors, read_runs
from orchestrator.evaluation.page import page, sentence
from orchestrator.evaluation.plots import plot
from orchestrator.evaluation.reward import Reward
from orchestrator.evaluation.scenarios import KNOWLEDGE, SCENARIOS, changes_of, prior_of
from orchestrator.evaluation.summary import overall, rows

ROOT = Path(__file__).parents[2]
TABLE = builtin(prompts=300)
QUICK = dict(selectors=("ucb", "random"), seeds=2, rounds=120)


@pytest.fixture(scope="module")
def runs():
    """Two selectors, two settings, two seeds."""
    return bench_selectors(TABLE, scenarios=("steady", "outage"), **QUICK)


def without_times(figures):
    """The figures that a seed fixes."""
    return {name: value for name, value in figures.items() if not name.startswith("decision_s")}


def test_every_selector_runs_in_every_setting_under_every_seed(runs):
    """The plan is the whole product, and none is left out."""
    assert len(runs) == 2 * 2 * 2
    assert len({(run.setting, run.selector, run.seed) for run in runs}) == 8


def test_an_interrupted_comparison_goes_on_where_it_stopped(tmp_path, runs):
    """Whole runs in the file are not run again; a line that was cut off is."""
    file = tmp_path / "deep" / "runs.jsonl"
    bench_selectors(TABLE, scenarios=("steady", "outage"), results=file, **QUICK)
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:5]) + lines[5][:40], encoding="utf-8")
    kept = [json.loads(line)["figures"]["decision_s_p50"] for line in lines[:5]]
    again = bench_selectors(TABLE, scenarios=("steady", "outage"), results=file, **QUICK)
    assert [run.figures["decision_s_p50"] for run in again[:5]] == kept
    assert [without_times(run.figures) for run in again] == [without_times(run.figures) for run in runs]
    assert len(read_runs(file)) == 8


def test_other_data_or_other_circumstances_are_other_runs(tmp_path):
    """A file of results never answers for what it does not hold."""
    file = tmp_path / "runs.jsonl"
    for table, weight in ((TABLE, 0.1), (TABLE, 0.3), (builtin(prompts=300, seed=1), 0.1)):
        bench_selectors(table, selectors=("random",), seeds=1, rounds=50, cost_weight=weight, results=file)
    assert len(read_runs(file)) == 3


def test_progress_is_told_after_each_run():
    """So many of so many, and which one."""
    seen = []
    bench_selectors(TABLE, watch=seen.append, **QUICK)
    assert [(step.done, step.total) for step in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert seen[-1].run.selector == "random"


def test_knowledge_comes_from_other_prompts_than_those_played():
    """With anything known beforehand, all runs are played on one half, cold ones included."""
    made = bench_selectors(TABLE, selectors=("ucb",), seeds=1, knowledge=("nothing", "prices"))
    assert {run.figures["rounds"] for run in made} == {150}
    assert {run.figures["dataset"] for run in made} == {"builtin/2"}


def test_a_reversed_catalogue_keeps_the_scores_and_turns_their_owners():
    """The best model gets the worst one's score; a shuffled one keeps the same scores too."""
    right, _ = prior_of("catalogue", TABLE, seed=0)
    turned, costs = prior_of("reversed", TABLE, seed=0)
    assert turned[max(right, key=right.get)] == min(right.values())
    assert costs == TABLE.price_list()
    assert sorted(prior_of("shuffled", TABLE, seed=0)[0].values()) == sorted(right.values())
    assert prior_of("nothing", TABLE, seed=0) == ({}, {})


def test_scenarios_happen_to_the_best_model():
    """And an outage ends before the run does."""
    reward = Reward.over(TABLE, cost_weight=0.1)
    best = TABLE.models[int(reward.over_grid(TABLE.score, TABLE.cost_usd).mean(axis=0).argmax())]
    for name in SCENARIOS:
        for change in changes_of(name, TABLE, reward, rounds=100):
            assert change.model == best
            assert not isinstance(change, Outage) or change.until < 100


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (dict(selectors=("nope",)), "no selector 'nope'"),
        (dict(selectors=()), "name at least one"),
        (dict(scenarios=("storm",)), "no scenario 'storm'"),
        (dict(knowledge=("all",)), "no knowledge 'all'"),
    ],
)
def test_a_wrong_word_is_named_with_the_right_ones(options, complaint):
    """Before an hour of runs, not after."""
    with pytest.raises(ConfigurationError, match=complaint):
        bench_selectors(TABLE, **(QUICK | options))


def test_a_label_of_ones_own_stands_for_any_selector():
    """A mapping from label to name, class or recipe."""
    made = bench_selectors(TABLE, selectors={"mine": "ucb:exploration_factor=0.1"}, seeds=1, rounds=40)
    assert [run.selector for run in made] == ["mine"]


def test_a_row_holds_the_mean_and_the_worst_of_its_seeds(runs):
    """Checked against the runs themselves."""
    row = rows(runs)[0]
    mine = [run.figures for run in runs if (run.setting, run.selector) == (row.setting, row.selector)]
    assert row.seeds == 2
    assert row.share.mean == pytest.approx(np.mean([one["share_of_random"] for one in mine]))
    assert row.worst_share == max(one["share_of_random"] for one in mine)
    assert row.share.low < row.share.mean < row.share.high


def test_figures_of_changes_stand_where_there_were_any(runs):
    """Calls and failures around an outage, and nothing where nothing happened."""
    by_scenario = {row.setting.scenario: row for row in rows(runs) if row.selector == "random"}
    assert by_scenario["steady"].calls_after is None
    assert by_scenario["outage"].failed_calls.mean >= 0


def test_overall_is_the_mean_over_settings_within_each_seed(runs):
    """The interval is over seeds, not over runs; the best comes first."""
    table = overall(runs)
    assert [one.selector for one in table] == sorted(
        ("ucb", "random"), key=lambda name: next(one.share.mean for one in table if one.selector == name)
    )
    by_seed = [
        np.mean([run.figures["share_of_random"] for run in runs if (run.selector, run.seed) == ("ucb", seed)])
        for seed in (0, 1)
    ]
    assert next(one for one in table if one.selector == "ucb").share.mean == pytest.approx(np.mean(by_seed))
    json.dumps([one.to_dict() for one in table], allow_nan=False)


def test_near_ties_can_be_left_out(runs):
    """A setting whose best models nobody can tell apart counts in one table and not in the other."""
    tied = [run._replace(figures=run.figures | {"rounds_to_tell": None}) for run in runs]
    assert overall(tied, ties_apart=True) == []
    clear = [run._replace(figures=run.figures | {"rounds_to_tell": 1.0}) for run in runs]
    assert overall(clear, ties_apart=True) == overall(clear)


class Tags(HTMLParser):
    """Every tag that was opened and not closed, and every address."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in {"src", "href"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass


def test_the_page_stands_alone(runs):
    """One file, well formed, without script or anything to load; names are escaped."""
    odd = [run._replace(selector="<b>&") if run.selector == "ucb" else run for run in runs]
    text = page(odd)
    tags = Tags()
    tags.feed(text)
    assert tags.addresses == []
    assert [tag for tag in tags.open if tag != "li"] == []
    assert "<script" not in text
    assert "&lt;b&gt;&amp;" in text
    assert "<b>&" not in text
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(drawing)


def test_the_page_says_who_won_and_whether_it_may_be_chance(runs):
    """The sentence follows from the bars."""
    said = sentence(comparison(runs))
    assert said.startswith(f"{overall(runs)[0].selector} left ")
    assert "may be chance" in said  # two seeds prove nothing


def test_the_picture_is_a_png(tmp_path, runs):
    """Drawn without a display."""
    plot(runs, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_every_scenario_and_every_knowledge_is_explained():
    """The page has words for each."""
    assert all(words for words, _ in SCENARIOS.values())
    assert all(KNOWLEDGE.values())
    assert Setting(dataset="x").scenario in SCENARIOS
    assert Setting(dataset="x").knowledge in KNOWLEDGE


def test_evaluation_loads_no_library_but_numpy():
    """Pictures, tables and peers are loaded by whoever asks for them."""
    code = "import json, sys, orchestrator.evaluation; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"matplotlib", "scipy", "rich", "typer", "aiohttp", "pydantic", "mabwiser", "pandas"}
    assert heavy & set(json.loads(done.stdout)) == set()
