"""What people get to see: tables that fit the page, and sentences that say what is so."""

import io
from pathlib import Path

import pytest
from hand_made import IDS, OUTAGE, sent
from rich.console import Console

from orchestrator.cli.demo.report import report
from orchestrator.cli.demo.show import sentences, show

PRICES = {"a/one": (5.0, 25.0), "b/two": (0.25, 2.0), "b/idle": (0.0, 0.0)}


def shown(records, *, width=120):
    page = Console(file=io.StringIO(), width=width)
    figures, picture = report(records, OUTAGE, IDS), Path("demo.png")
    show(figures, page, prices=PRICES, best="one", selector="ucb", took_s=9.0, picture=picture)
    return page.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_tables_fit_the_page(records, width):
    """No row is longer than the terminal is wide, and no name is cut or broken."""
    lines = shown(records, width=width).splitlines()
    assert max(map(len, lines)) <= width
    for model_id in IDS:
        assert any(model_id in line for line in lines)


def test_a_wide_page_shows_prices_and_tails_that_a_narrow_one_leaves_out(records):
    """What matters most stays."""
    assert "5.00 / 25.00" in shown(records, width=120)
    assert "free (local)" in shown(records, width=120)
    assert "5.00 / 25.00" not in shown(records, width=80)


def test_the_text_tells_what_was_compared_and_where_the_picture_is(records):
    """Outage, the three ways, the aim and the file are named."""
    text = " ".join(shown(records).split())
    for words in ("The outage of a", "always the best (one)", "at random", "right answers first", "demo.png"):
        assert words in text


def test_sentences_compare_with_the_other_policies(records):
    """14 tenths of a cent against 16, 90 % right against 80 %."""
    told = sentences(report(records, OUTAGE, IDS))
    assert told[0].startswith("Callers of the engine who saw an error: none.")
    assert told[1] == "Against always taking the best: 12 % cheaper, 10 points more right answers."
    assert told[2] == "Against choosing at random: 40 % dearer, 40 points more right answers."


def test_a_caller_who_saw_an_error_is_not_kept_quiet(records):
    """Bad news is told as plainly as good news."""
    records.append(sent("engine", 10, None, first=["a/one"], error="server"))
    assert "error: 1 of 11." in sentences(report(records, OUTAGE, IDS))[0]
