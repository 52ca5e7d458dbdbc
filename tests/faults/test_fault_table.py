"""Every fault of the table, played against real sockets through a real registry."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest
from fault_row import CUT, SAME, Row
from fault_stage import Spill, check_call, check_secrets, staged
from fault_table import ELSEWHERE, ROWS

TESTS = Path(__file__).parents[1]
PLAYED = [row for row in ROWS if row.played]


@pytest.mark.parametrize("row", PLAYED, ids=[row.name for row in PLAYED])
async def test_each_fault_ends_as_the_table_says(row: Row, caplog):
    """Who answers, how often the faulty server was asked, what it costs; and nothing that was to stay secret."""
    caplog.set_level(logging.DEBUG)
    async with staged(row) as stage:
        await stage.call()
        check_call(stage)
        check_secrets(stage)
        assert len(stage.faulty.requests) == row.asked
        assert await stage.toll() == row.health
        if row.out_s is not None:
            low, high = row.out_s
            assert low <= stage.registry.health.status_of(stage.registry["first"]).returns_in_s <= high
        summary = stage.registry.get_usage_summary("first")
        assert summary.request_count + summary.billed_failure_count == (row.then in (SAME, CUT))
        assert [model.metrics.in_flight for model in stage.registry.values()] == [0, 0, 0]
        Spill(stage, caplog.text).check()


ALONE = [row for row in PLAYED if row.alone is not None]


@pytest.mark.parametrize("row", ALONE, ids=[row.name for row in ALONE])
async def test_a_faulty_model_that_is_alone_is_asked_again_only_where_that_may_help(row: Row):
    """Passing failures up to three times in all, the others once; the caller is told the last."""
    async with staged(row, alone=True) as stage:
        await stage.call()
        assert stage.error is not None
        assert getattr(stage.error, "error_type", None) == row.error
        assert len(stage.faulty.requests) == row.alone


# the table itself

PROOFS = [row.proof for row in ROWS if row.proof] + [row.proof for row in ELSEWHERE]


@pytest.mark.parametrize("proof", PROOFS)
def test_each_proof_is_a_test(proof):
    """What is not played here names the test that shows it."""
    path, _, name = proof.partition("::")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_fault_is_in_the_table():
    """All hundred: connections, statuses, contents, stores, load and logic."""
    assert {row.number for row in [*ROWS, *ELSEWHERE]} == {*range(1, 101)}


def test_rows_have_names_of_their_own():
    """A failing test says which."""
    assert len({row.name for row in ROWS}) == len([row.name for row in ROWS])
