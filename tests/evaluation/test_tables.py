"""Outcome tables: what is read, and how what cannot be read is named."""

import gzip

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.evaluation import OutcomeTable, builtin, datasets, load, load_wide
from orchestrator.evaluation.tables import table_of

PROMPTS = 'prompt_id,category,n_chars,prompt\np,maths,3,"two\nlines"\nq,code,1,b\n'
OUTCOMES = "prompt_id,model,score,cost_usd\np,a,1,0.5\np,b,0,0.25\nq,a,0.5,0\nq,b,1,1e-3\n"


def folder(path, prompts=PROMPTS, outcomes=OUTCOMES):
    """A folder with one data set, called tiny."""
    for name, text in (("prompts", prompts), ("outcomes", outcomes)):
        with gzip.open(path / f"tiny.{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            file.write(text)
    return path


def test_a_folder_is_read_into_dense_arrays(tmp_path):
    """Rows are prompts in the order of their file, columns models in the order of their first outcome."""
    table = load(folder(tmp_path))
    assert (table.prompt_ids, table.models) == (("p", "q"), ("a", "b"))
    assert table.score.tolist() == [[1.0, 0.0], [0.5, 1.0]]
    assert table.cost_usd.tolist() == [[0.5, 0.25], [0.0, 0.001]]
    assert [table.categories[code] for code in table.category] == ["maths", "code"]
    assert table.text_of(0) == "two\nlines"


@pytest.mark.parametrize(
    ("outcomes", "complaint"),
    [
        (
            OUTCOMES.replace("q,b,1,1e-3\n", ""),
            r"tiny.prompts.csv.gz, line 4, column 1 \(prompt_id\): .*'b'.*1 missing",
        ),
        (OUTCOMES + "q,b,1,1\n", r"tiny.outcomes.csv.gz, line 6, column 2 \(model\): 'b' has answered"),
        (OUTCOMES.replace("0.5,0", "1.5,0"), r"line 4, column 3 \(score\): '1.5' is no number from 0 to 1"),
        (OUTCOMES.replace("0.25", "nan"), r"line 3, column 4 \(cost_usd\): 'nan' is no number from 0 up"),
        (OUTCOMES.replace("0.25", "-1"), r"line 3, column 4 \(cost_usd\): '-1' is no number"),
        (OUTCOMES.replace("0.25", "dear"), r"line 3, column 4 \(cost_usd\): 'dear' is no number"),
        (OUTCOMES + "r,a,1,1\n", r"line 6, column 1 \(prompt_id\): prompt 'r' is not in the file of prompts"),
        (OUTCOMES + "q,a,1\n", r"line 6, column 3: 3 cells under 4 names"),
        (OUTCOMES.replace("score", "points"), r"line 1: no column 'score'"),
        ("", r"line 1: the file is empty"),
        (OUTCOMES + 'q,"a,1\n', r"line 6: unexpected end of data"),
    ],
)
def test_broken_outcomes_are_named_by_file_line_and_column(tmp_path, outcomes, complaint):
    """An error sends the reader to the very cell."""
    with pytest.raises(ConfigurationError, match=complaint):
        load(folder(tmp_path, outcomes=outcomes))


def test_a_prompt_that_stands_twice_is_an_error(tmp_path):
    """The line counts what an editor counts, line ends within cells included."""
    with pytest.raises(
        ConfigurationError, match=r"line 5, column 1 \(prompt_id\): prompt 'p' stands on line 2 already"
    ):
        load(folder(tmp_path, prompts=PROMPTS + "p,maths,1,x\n"))


def test_a_file_that_is_no_gzip_is_named(tmp_path):
    """Broken archives are as much bad input as broken rows."""
    folder(tmp_path)
    (tmp_path / "tiny.outcomes.csv.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(ConfigurationError, match=r"tiny.outcomes.csv.gz: cannot be read"):
        load(tmp_path)


def test_several_data_sets_have_to_be_told_apart(tmp_path):
    """The error lists what there is, and near names for a slip."""
    folder(tmp_path)
    for name in ("prompts", "outcomes"):
        (tmp_path / f"other.{name}.csv.gz").write_bytes((tmp_path / f"tiny.{name}.csv.gz").read_bytes())
    assert datasets(tmp_path) == ["other", "tiny"]
    with pytest.raises(ConfigurationError, match="dataset='other' or 'tiny'"):
        load(tmp_path)
    with pytest.raises(ConfigurationError, match="did you mean 'tiny'"):
        load(tmp_path, dataset="tinny")
    assert load(tmp_path, dataset="other").name == "other"


def test_an_empty_folder_says_what_it_should_hold(tmp_path):
    """No traceback for a wrong path."""
    with pytest.raises(ConfigurationError, match=r"NAME\.prompts\.csv\.gz"):
        load(tmp_path)


@pytest.mark.parametrize(
    "header",
    ["prompt,a|score,a|cost_usd,b|score,b|cost_usd", "sample_id,a,a|total_cost,b,b|total_cost", "id,a,a_cost,b,b_cost"],
)
def test_a_wide_csv_has_two_columns_a_model(tmp_path, header):
    """The spellings that are in use are all read."""
    path = tmp_path / "wide.csv"
    path.write_text(f"{header},note\np,1,0.5,0,0.25,hello\nq,0.5,0,1,0.001,\n", encoding="utf-8")
    table = load_wide(path)
    assert table.models == ("a", "b")
    assert table.score.tolist() == [[1.0, 0.0], [0.5, 1.0]]
    assert table.cost_usd.tolist() == [[0.5, 0.25], [0.0, 0.001]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prompt,a|score,a|cost_usd,b|score\np,1,1,1\n", r"line 1, column 4: 'b' has a score and no b\|cost_usd"),
        ("prompt,a|cost_usd\np,1\n", r"line 1, column 2: 'a' has a cost and no a\|score"),
        ("what,a|score,a|cost_usd\np,1,1\n", r"line 1: no column names the prompt"),
        ("prompt,x\np,1\n", r"line 1: no models"),
        ("prompt,a|score,a|cost_usd\np,1,1\np,1,1\n", r"line 3, column 1 \(prompt\): prompt 'p' stands on line 2"),
        ("prompt,a|score,a|score,a|cost_usd\np,1,1,1\n", r"two columns are called 'a\|score'"),
        ("prompt,a|score,a|cost_usd\np,,1\n", r"line 2, column 2 \(a\|score\): '' is no number"),
    ],
)
def test_a_broken_wide_csv_is_named_by_line_and_column(tmp_path, text, complaint):
    """The same care as for folders."""
    path = tmp_path / "wide.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=complaint):
        load_wide(path)


def test_the_builtin_workload_repeats_and_lets_routing_pay():
    """The best model for each category earns clearly more than the best single model."""
    table = builtin(prompts=4_000)
    assert (table.cost_usd == builtin(prompts=4_000).cost_usd).all()
    assert not (table.score == builtin(prompts=4_000, seed=1).score).all()
    single = table.score.mean(axis=0).max()
    routed = sum(
        table.score[table.category == code].mean(axis=0).max() * (table.category == code).mean() for code in range(5)
    )
    assert routed - single > 0.01


def test_halves_share_no_prompt():
    """What is learnt on one half was never seen on the other."""
    table = builtin(prompts=101)
    first, second = table.halves(seed=3)
    assert sorted(first.prompt_ids + second.prompt_ids) == sorted(table.prompt_ids)
    assert len(first) == 51


def test_a_table_refuses_what_no_outcome_can_be():
    """NaN never gets in, whoever makes the table."""
    for score, cost in ((np.nan, 1.0), (2.0, 1.0), (1.0, -1.0), (1.0, np.inf)):
        with pytest.raises(ConfigurationError, match="every"):
            OutcomeTable(
                name="t", prompt_ids=("p",), models=("a",), score=np.array([[score]]), cost_usd=np.array([[cost]])
            )


def test_a_source_may_be_a_table_a_folder_a_file_or_a_word(tmp_path):
    """One argument stands for all of them."""
    table = load(folder(tmp_path))
    assert table_of(table) is table
    assert table_of(tmp_path).models == table.models
    assert table_of("builtin").name == "builtin"
    with pytest.raises(ConfigurationError, match="there is no such file"):
        table_of(tmp_path / "nothing.csv")


def test_the_recorded_sets_are_whole(shared_data):
    """Every published set can be read, and has the size its description gives."""
    sizes = {name: load(shared_data / "routing", dataset=name).score.shape for name in ("paretobandit", "zeroeval")}
    assert sizes == {"paretobandit": (1_776, 4), "zeroeval": (1_414, 26)}
