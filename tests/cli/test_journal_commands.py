"""`explain --journal` and `replay --journal`: why an answer came as it did, and who would have done better."""

import asyncio
import json

import pytest

from orchestrator.core.messages import Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ServerError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.selectors.pool import PoolSelector


class Priced(Model):
    """Answers for a tenth of a cent, or fails by its script."""

    def __init__(self, name, steps=()):
        super().__init__(id=name, provider="custom", cost={"input": 1, "output": 0})
        self.steps = list(steps)

    async def generate_response(self, prompt, **kwargs):
        if self.steps:
            raise self.steps.pop(0)
        return Reply("ok", usage=UsageStats(1_000, 0))

    async def health_check(self):
        return True


@pytest.fixture
def journal(tmp_path):
    """The journal of sixty rated answers, and the ids of the answers."""
    path, ids = tmp_path / "journal.db", []

    async def live():
        registry = ModelRegistry(model_selector=PoolSelector(floor=0.5), journal=path, cache_responses=False, seed=1)
        registry.register_model(Priced("good", [ServerError("x")]))
        registry.register_model(Priced("bad"))
        for _ in range(60):
            response = await registry.generate_response("Why is the sky blue?")
            response.rate(0.9 if response.model_id == "good" else 0.1)
            ids.append((response.id, len(response.attempts)))
        await registry.cleanup()

    asyncio.run(live())
    return path, ids


def test_an_answer_is_explained(run, journal):
    """Who was chosen by what, how the others stood, what came of it and what it was rated."""
    path, ids = journal
    shown = run("explain", ids[-1][0], "--journal", path)
    assert shown.exit_code == 0
    for words in (
        ids[-1][0],
        "pool chose",
        "category is",
        "-> ",
        "answered after",
        "for $0.001, rated",
    ):
        assert words in shown.stdout
    assert run("explain", "--journal", path).stdout == shown.stdout


def test_every_attempt_of_the_request_is_explained(run, journal):
    """The failure too."""
    path, ids = journal
    twice = next(one for one, attempts in ids if attempts == 2)
    shown = json.loads(run("explain", twice, "--journal", path, "--json").stdout)
    assert [(one["model"], one["error"]) for one in shown] == [("good", "server"), ("bad", None)]
    assert shown[1]["explanation"]["candidates"][-1]["model_id"] == "good"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["r-1"], "--journal FILE"),
        (["r-1", "--journal", "nothing.db"], "there is no journal"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_line(run, arguments, words):
    """Never a traceback."""
    shown = run("explain", *arguments)
    assert shown.exit_code != 0
    assert words in shown.stderr
    assert "Traceback" not in shown.output


def test_an_unknown_answer_is_said_to_be_unknown(run, journal):
    """It may have been too old."""
    shown = run("explain", "r-unknown", "--journal", journal[0])
    assert (shown.exit_code, "no answer 'r-unknown'" in shown.stderr) == (2, True)


def test_another_policy_is_replayed_on_the_journal(run, journal):
    """With an interval, and only on what was rated if that is wanted."""
    shown = json.loads(run("replay", "--journal", journal[0], "--selector", "ucb", "--rated-only", "--json").stdout)
    assert shown["decisions"] == 60
    assert 0 < shown["accepted"] < 60
    assert run("replay", "--journal", journal[0]).exit_code == 0
