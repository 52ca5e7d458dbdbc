"""The journal keeps what was decided, why, what came of it and what was said of it; never a prompt."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import ConfigurationError, ServerError
from orchestrator.models.journal import Journal, entries_of_request, read_entries
from orchestrator.models.model_registry import ModelRegistry


def kept(registry):
    """What the journal holds by now."""
    assert registry.journal.flush()
    return read_entries(registry.journal.path)


async def test_a_decision_is_kept_with_all_that_it_rests_on(keeping, priced):
    """Candidates and scores, propensity, the kind of request, outcome, cost, tenant and tags."""
    registry = keeping(priced("a"), priced("b"), priced("blind", capabilities={"vision": False}))
    response = await registry.generate_response(
        "What is 3 + 4?", exclude_models=["blind"], tenant="acme", usage_tags="beta"
    )
    (entry,) = kept(registry)
    assert (entry.response_id, entry.model, entry.policy) == (response.id, response.model_id, "ucb")
    assert set(entry.candidates) == {"a", "b"}
    assert entry.candidates[entry.model] == entry.score
    assert list(entry.refused) == ["blind"]
    assert (entry.propensity, entry.category, len(entry.features)) == (1.0, "maths", 28)
    assert (entry.error, entry.cost_usd, entry.prompt_tokens, entry.quality) == (None, 0.001, 1_000, 1.0)
    assert (entry.tenant, entry.tags, entry.rating) == ("acme", ("beta",), None)
    assert entry.at_s == registry.clock.time()


async def test_the_numbers_of_a_prompt_are_kept_where_the_policy_needs_its_category_alone(keeping, priced):
    """Whoever replays the journal may look at more."""
    registry = keeping(priced("a"), selection_strategy="pool")
    await registry.generate_response("What is 3 + 4?")
    (entry,) = kept(registry)
    assert (entry.policy, entry.category, len(entry.features)) == ("pool", "maths", 28)


async def test_no_prompt_and_no_answer_reaches_the_file(keeping, priced, path):
    """Not in any byte of it, nor of its companions."""
    registry = keeping(priced("a", ["the secret answer"]))
    await registry.generate_response("my secret question")
    kept(registry)
    for file in path.parent.iterdir():
        assert b"secret" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0


async def test_a_later_rating_is_kept_with_its_decision(keeping, priced):
    """The last one counts; before it, the answer counts as good."""
    registry = keeping(priced("a"))
    response = await registry.generate_response("hi")
    assert kept(registry)[0].worth == 1.0
    response.rate(0.3)
    response.rate(0.4)
    (entry,) = kept(registry)
    assert (entry.quality, entry.rating, entry.worth) == (1.0, 0.4, 0.4)


async def test_the_attempts_of_a_request_belong_together(keeping, priced, path):
    """A failure and the answer after it, found by the answer's id; other requests stay apart."""
    registry = keeping(priced("a", [ServerError("x")]), priced("b"))
    await registry.generate_response("before", models=["b"])
    response = await registry.generate_response("hi")
    assert response.model_id == "b"
    kept(registry)
    first, second = entries_of_request(path, response.id)
    assert (first.model, first.error, first.quality, first.response_id) == ("a", "server", 0.0, "")
    assert (second.model, second.error) == ("b", None)
    assert entries_of_request(path) == [first, second]
    assert entries_of_request(path, "r-unknown") == []


async def test_streams_are_kept_like_answers(keeping, priced):
    """With the time to the first piece."""
    registry = keeping(priced("a"))
    pieces = [piece async for piece in registry.stream_response("hi")]
    (entry,) = kept(registry)
    assert (entry.response_id, entry.ttft_s is not None) == (pieces[-1].response.id, True)


async def test_a_model_chosen_first_and_called_later_is_a_decision_too(keeping, priced):
    """`select_model` chooses, the call that uses it tells what came of it."""
    registry = keeping(priced("a"), priced("b"))
    model = await registry.select_model()
    response = await model.generate_response("hi")
    (entry,) = kept(registry)
    assert (entry.response_id, set(entry.candidates)) == (response.id, {"a", "b"})


async def test_a_model_that_the_caller_names_was_not_decided(keeping, priced):
    """There was no choice to keep."""
    registry = keeping(priced("a"))
    await registry.invoke_model_async("a", "hi")
    assert kept(registry) == []


async def test_a_policy_that_refuses_is_kept_as_one_without_a_score(keeping, priced):
    """Minus infinity is no number in JSON."""
    registry = keeping(priced("a"), priced("b"), selection_strategy="weighted")
    registry.selector.scores = lambda arms, objective, rng: __import__("numpy").array([0.5, -float("inf")])
    await registry.generate_response("hi")
    (entry,) = kept(registry)
    assert entry.candidates == {"a": 0.5, "b": None}
    assert "refused by the selector" in str(entry.explanation)


@pytest.mark.parametrize("strategy", ["thompson", "pool", "lints", "epsilon-greedy"])
async def test_a_seed_reproduces_a_run_exactly(keeping, priced, tmp_path, strategy):
    """Same seed, same models, same prompts: the same decisions with the same scores, draws included."""

    async def run(name, seed):
        models = [
            priced(one, [ServerError("x")] * (one == "b"), usd=0.001 * number) for number, one in enumerate("abc", 1)
        ]
        registry = keeping(*models, journal=tmp_path / name, seed=seed, selection_strategy=strategy)
        for number in range(30):
            response = await registry.generate_response(f"question {number}: why?")
            response.rate(number % 3 / 2)
        return [one._replace(run="", response_id="", request=0) for one in kept(registry)]

    first = await run("one", 7)
    assert first == await run("two", 7)
    assert len(first) >= 30


# bounds


async def test_only_the_newest_decisions_are_kept(keeping, priced, path, fake_clock):
    """By number and by age."""
    registry = keeping(priced("a"), journal=Journal(path, max_rows=20, max_age_s=3600, clock=fake_clock))
    for _ in range(50):
        await registry.generate_response("hi")
    assert [one.number for one in kept(registry)] == list(range(31, 51))
    await fake_clock.advance(4000)
    await registry.generate_response("hi")
    assert [one.number for one in kept(registry)] == [51]


async def test_what_finds_no_place_is_dropped_and_counted(keeping, priced, path):
    """A request never waits for its record."""
    journal = Journal(path, max_waiting=5, flush_every_s=3600)
    registry = keeping(priced("a"), journal=journal)
    journal._awake = True  # as if the writer were busy
    for _ in range(8):
        await registry.generate_response("hi")
    assert journal.dropped == 3
    assert len(kept(registry)) == 5


async def test_a_journal_that_cannot_be_written_costs_no_request(keeping, priced, path, caplog):
    """It says so once, counts what it drops, and goes on when it can."""
    registry = keeping(priced("a"))
    await registry.generate_response("hi")
    kept(registry)
    with sqlite3.connect(path) as file:
        file.execute("ALTER TABLE decisions RENAME TO elsewhere")
    for _ in range(2):
        assert (await registry.generate_response("hi")).text
        assert not registry.journal.flush()
    assert registry.journal.dropped == 2
    assert caplog.text.count("cannot be written") == 1
    with sqlite3.connect(path) as file:
        file.execute("ALTER TABLE elsewhere RENAME TO decisions")
    file.close()
    await registry.generate_response("hi")
    assert len(kept(registry)) == 2


async def test_it_opens_again_after_it_was_closed(keeping, priced):
    """`cleanup` closes the file, the next decision opens it."""
    registry = keeping(priced("a"))
    await registry.generate_response("hi")
    await registry.cleanup()
    await registry.generate_response("hi")
    assert len(kept(registry)) == 2


async def test_draining_writes_what_was_noted(keeping, priced, path):
    """Nobody has to flush."""
    registry = keeping(priced("a"), journal=Journal(path, flush_every_s=3600))
    await registry.generate_response("hi")
    await registry.drain()
    assert len(read_entries(path)) == 1


def test_a_damaged_file_is_set_aside(path, caplog):
    """It is kept under another name, and a new one begun."""
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    journal = Journal(path)
    journal.close()
    assert read_entries(path) == []
    assert path.with_name("journal.sqlite3.aside-1").exists()
    assert "is kept as" in caplog.text


def test_what_is_no_journal_is_not_read(tmp_path):
    """The error names the file and says what to give."""
    with pytest.raises(ConfigurationError, match="there is no journal at"):
        read_entries(tmp_path / "nothing")
    (tmp_path / "text").write_text("hello " * 200)
    with pytest.raises(ConfigurationError, match="cannot be read as a journal"):
        read_entries(tmp_path / "text")
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    with pytest.raises(ConfigurationError, match="is no journal of version 1"):
        read_entries(tmp_path / "empty.db")


@pytest.mark.parametrize("option", ["max_rows", "max_age_s", "max_waiting", "flush_every_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "10"])
def test_absurd_bounds_are_refused(path, option, value):
    """Before a file is made."""
    with pytest.raises(ConfigurationError, match=f"{option}="):
        Journal(path, **{option: value})
    assert not path.exists()


def test_a_killed_process_leaves_a_whole_file_with_all_that_was_flushed(path):
    """Killed in the middle of writing, and read at once."""
    script = Path(__file__).with_name("journal_crashes.py")
    with subprocess.Popen([sys.executable, script, path], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(20):
            safe = int(process.stdout.readline())
        process.kill()
        told = [int(line) for line in process.stdout if line.endswith("\n")]
    assert len(read_entries(path)) >= max([safe, *told])
    Journal(path).close()
    assert not list(path.parent.glob("*aside*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_writes_its_own_and_nothing_twice(priced, path):
    """What the parent has noted the parent writes."""
    code = """if 1:
        import asyncio, os, sys
        sys.path.insert(0, sys.argv[2])
        from conftest import Priced
        from orchestrator.models.journal import Journal
        from orchestrator.models.model_registry import ModelRegistry
        journal = Journal(sys.argv[1], flush_every_s=3600)
        registry = ModelRegistry(journal=journal, cache_responses=False)
        registry.register_model(Priced("a"))
        asyncio.run(registry.generate_response("parent"))
        child = os.fork()
        asyncio.run(registry.generate_response("after"))
        journal.close()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code, path, Path(__file__).parent], check=True)
    entries = read_entries(path)
    assert len(entries) == 3
    assert len({one.run for one in entries}) == 2


# explanations


async def test_a_selection_explains_itself(keeping, priced):
    """In words and as a dict, as of the moment it was made."""
    registry = keeping(priced("a"), priced("b"))
    for _ in range(4):
        await registry.generate_response("hi")
    selection = registry.select(exclude_models=["b"], explain=True)
    before = selection.explanation.to_dict()
    await registry.generate_response("hi", models=["a"])
    assert selection.explanation.to_dict() == before
    assert before["model_id"] == "a"
    assert before["candidates"][0]["facts"]["pulls"] == 2
    assert [one["model_id"] for one in before["candidates"] if one["refused"]] == ["b"]
    assert str(selection.explanation).startswith("ucb chose a: nobody else fits")
    assert "2 calls, quality 1" in str(selection.explanation)


async def test_an_explanation_tells_of_lots_and_categories(keeping, priced):
    """Where chance or the kind of request had a part in it."""
    policy = {"model_selector": "pool"}
    registry = keeping(priced("a"), priced("b"), **policy)
    registry.selector.set_floor(0.5)
    words = str(registry.select(prompt="def add(a, b):", explain=True).explanation)
    assert "category is code" in words
    assert "with probability 0." in words


def test_a_registry_without_a_journal_has_none():
    """And no file anywhere."""
    assert ModelRegistry().journal is None


async def test_settings_may_ask_for_a_journal(path):
    """A section holds the keyword arguments, as every section does."""
    settings = {"models": ["openai/gpt-4o"], "journal": {"path": str(path), "max_rows": 10}}
    registry = ModelRegistry.from_config(settings, environ={})
    assert (registry.journal.path, registry.journal.max_rows) == (path, 10)
    await registry.cleanup()
    with pytest.raises(ConfigurationError, match="max_row"):
        ModelRegistry.from_config({"journal": {"path": str(path), "max_row": 10}}, environ={})


async def test_outcomes_do_not_hold_on_to_requests(keeping, priced):
    """Subscribers see by what a model was chosen; afterwards the prompt is let go."""
    registry, seen = keeping(priced("a")), []
    registry.subscribe(lambda model, outcome: seen.append((outcome, outcome.decided.request.prompt)))
    await registry.generate_response("hi")
    ((outcome, prompt),) = seen
    assert (outcome.decided, prompt) == (None, "hi")
