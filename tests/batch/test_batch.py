"""A batch answers every line once, whatever happens on the way."""

import asyncio
import base64
import json
import struct

import pytest

from orchestrator.batch import Progress, run
from orchestrator.core.messages import Embeddings
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.errors import (
    AuthenticationError,
    ConfigurationError,
    ContentFilterError,
    InvalidRequestError,
    RateLimitError,
    ServerError,
)


async def test_every_line_is_answered_in_openais_form(registry_of, priced, prompts, out, answers):
    """With who answered, the digest of the line and what it cost."""
    path = prompts({"custom_id": "a", "body": {"messages": [{"role": "user", "content": "one"}]}}, '"two"')
    done = await run(path, out, registry=registry_of(priced()))
    assert answers() == {"a": "one", "line-2": "two"}
    assert (done.total, done.done, done.failed, done.spent_usd) == (2, 2, 0, pytest.approx(0.002))
    record = json.loads(out.read_text().splitlines()[0])
    assert set(record) == {"id", "custom_id", "response", "error", "orchestrator"}
    assert (record["response"]["status_code"], record["error"]) == (200, None)
    assert record["response"]["body"]["object"] == "chat.completion"
    assert record["response"]["body"]["usage"]["prompt_tokens"] == 1_000
    assert record["orchestrator"]["model"] == "echo"


async def test_answers_in_the_other_dialect(registry_of, priced, prompts, out):
    """`/v1/responses` is answered as that endpoint does."""
    path = prompts({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"input": "hello"}})
    await run(path, out, registry=registry_of(priced()))
    body = json.loads(out.read_text())["response"]["body"]
    assert (body["object"], body["output"][-1]["content"][0]["text"]) == ("response", "hello")


class Embeds(Model):
    """Turns a text into its length."""

    async def send_embeddings(self, texts, params):
        assert params in ({}, {"dimensions": 1})
        return Embeddings([[float(len(text))] for text in texts], usage=UsageStats(1_000, 0))

    def setup_issue(self):
        return None


def embedding(custom_id, **body):
    """A line of OpenAI's format for vectors."""
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/embeddings", "body": body}


async def test_texts_become_vectors(registry_of, prompts, out):
    """`/v1/embeddings` is answered as that endpoint does, with its cost; a second run asks for nothing."""
    model = Embeds(id="vectors", provider="custom", cost={"input": 1, "output": 0}, capabilities=["embeddings"])
    path = prompts(
        embedding("a", model="vectors", input=["one", "three"], dimensions=1),
        embedding("b", model="vectors", input="four", encoding_format="base64"),
    )
    registry = registry_of(model)
    done = await run(path, out, registry=registry)
    again = await run(path, out, registry=registry)
    records = {record["custom_id"]: record for record in map(json.loads, out.read_text().splitlines())}
    body = records["a"]["response"]["body"]
    assert [row["embedding"] for row in body["data"]] == [[3.0], [5.0]]
    assert (body["object"], body["model"], body["usage"]["prompt_tokens"]) == ("list", "vectors", 1_000)
    assert base64.b64decode(records["b"]["response"]["body"]["data"][0]["embedding"]) == struct.pack("<f", 4)
    assert (done.done, done.failed, done.spent_usd) == (2, 0, pytest.approx(0.002))
    assert (again.before, again.spent_now_usd) == (2, 0)


async def test_vectors_need_a_model_that_is_named(registry_of, priced, prompts, out, answers):
    """Those of several models cannot be compared; and a model that makes none says so, once."""
    path = prompts(embedding("a", input="x"), embedding("b", model="echo", input="x"), embedding("c", model="echo"))
    await run(path, out, registry=registry_of(priced()))
    errors = {record["custom_id"]: record["error"] for record in map(json.loads, out.read_text().splitlines())}
    assert errors["a"]["message"] == "'model' is missing: name one, for vectors of several models cannot be compared"
    assert "computes no embeddings" in errors["b"]["message"]
    assert errors["c"]["message"] == "'input' must be a text or a list of texts, not null"


async def test_concurrency_is_bounded_and_used(registry_of, priced, prompts, out):
    """No more than that at a time, and that many."""
    model = priced(step=lambda words: _later(words))
    await run(prompts(*map(json.dumps, map(str, range(50)))), out, registry=registry_of(model), concurrency=7)
    assert (model.most, len(model.asked)) == (7, 50)


async def _later(words):
    for _ in range(5):
        await asyncio.sleep(0)
    return words


async def test_a_line_that_fails_stops_no_other(registry_of, priced, prompts, out, answers):
    """Each has its own error, without the prompt's words."""
    errors = {"bad": InvalidRequestError("x"), "rude": ContentFilterError("x"), "odd": ZeroDivisionError("secret")}
    model = priced(step=lambda words: errors.get(words, words))
    path = prompts(
        '"fine"', '"bad"', "{", '"rude"', {"prompt": "x", "model": "nobody"}, {"prompt": "y", "max_cost": -1}, '"last"'
    )
    done = await run(path, out, registry=registry_of(model), tries=1)
    assert answers() == {
        "line-1": "fine",
        "line-2": "invalid_request",
        "line-3": "invalid_request",
        "line-4": "content_filter",
        "line-5": "model_not_found",
        "line-6": "invalid_request",
        "line-7": "last",
    }
    assert (done.done, done.failed) == (7, 5)


async def test_the_same_call_again_asks_for_nothing(registry_of, priced, prompts, out):
    """All is there."""
    path = prompts(*map(json.dumps, "abc"))
    await run(path, out, registry=registry_of(priced()))
    before, model = out.read_bytes(), priced()
    done = await run(path, out, registry=registry_of(model))
    assert (model.asked, out.read_bytes()) == ([], before)
    assert (done.done, done.before, done.spent_now_usd, done.spent_usd) == (3, 3, 0.0, pytest.approx(0.003))


async def test_a_line_that_has_changed_is_asked_anew(registry_of, priced, prompts, out):
    """An id alone does not make an answer right."""
    await run(prompts({"id": "a", "prompt": "old"}), out, registry=registry_of(priced()))
    model = priced()
    await run(prompts({"id": "a", "prompt": "new"}), out, registry=registry_of(model))
    assert model.asked == ["new"]
    assert json.loads(out.read_text().splitlines()[-1])["response"]["body"]["choices"][0]["message"]["content"] == "new"


@pytest.mark.parametrize(("retry", "asked"), [("passing", ["down"]), ("all", ["down", "bad"]), ("none", [])])
async def test_failed_lines_are_asked_again_where_that_may_help(  # noqa: PLR0917 - fixtures
    registry_of, priced, prompts, out, answers, retry, asked
):
    """What was down may be up; what was wrong with the line still is. Nothing stands there twice."""
    path = prompts('"down"', '"bad"', '"fine"')
    errors = {"down": ServerError("x"), "bad": InvalidRequestError("x")}
    await run(
        path, out, registry=registry_of(priced(step=lambda words: errors.get(words, words)), max_attempts=1), tries=1
    )
    assert sorted(answers().values()) == ["fine", "invalid_request", "server"]
    model = priced()
    done = await run(path, out, registry=registry_of(model), retry=retry)
    assert sorted(model.asked) == sorted(asked)
    assert (done.done, done.failed) == (3, 2 - len(asked))
    assert len(answers()) == 3


async def test_a_busy_provider_is_waited_for(registry_of, priced, prompts, answers, fake_clock):
    """As long as it says, up to `tries` times."""
    steps = [RateLimitError("x", retry_after_s=30) for _ in range(3)]
    model = priced(step=lambda words: steps.pop() if steps else words)
    path = prompts('"hi"')
    out = path.with_name("answers.jsonl")
    batch = asyncio.create_task(run(path, out, registry=registry_of(model, max_attempts=1), seed=1))
    for _ in range(100):
        await fake_clock.advance(10)
        if batch.done():
            break
    await batch
    assert answers() == {"line-1": "hi"}
    assert (len(model.asked), fake_clock.monotonic() >= 90) == (4, True)


async def test_a_wrong_key_is_not_tried_again(registry_of, priced, prompts, out):
    """No pause will mend it."""
    model = priced(step=lambda words: AuthenticationError("x"))
    await run(prompts('"hi"'), out, registry=registry_of(model))
    assert len(model.asked) == 1


async def test_a_budget_ends_a_batch_and_another_goes_on(registry_of, priced, prompts, out):
    """No line is begun once it is spent; earlier runs count."""
    path, model = prompts(*map(json.dumps, map(str, range(20)))), priced()
    done = await run(path, out, registry=registry_of(model), concurrency=1, max_total_usd=0.005)
    assert (done.done, done.stopped, done.left) == (5, "budget", 15)
    assert (await run(path, out, registry=registry_of(model), max_total_usd=0.005)).done == len(model.asked) == 5
    done = await run(path, out, registry=registry_of(model))
    assert (done.done, done.stopped, len(model.asked)) == (20, None, 20)


async def test_stopping_finishes_what_is_under_way(registry_of, priced, prompts, out, answers):
    """And begins nothing new."""
    stop = asyncio.Event()
    model = priced(step=lambda words: _later(words))
    path = prompts(*map(json.dumps, map(str, range(30))))
    done = await run(
        path, out, registry=registry_of(model), concurrency=4, stop=stop, on_progress=lambda progress: stop.set()
    )
    assert done.stopped == "stopped"
    assert len(answers()) == len(model.asked) == done.done < 10


async def test_cancelling_keeps_what_was_answered(registry_of, priced, prompts, out, answers):
    """What is on its way to the file gets there."""
    never = asyncio.Event()

    async def wait(words):
        if words != "0":
            await never.wait()
        return words

    path, told = prompts(*map(json.dumps, map(str, range(10)))), asyncio.Event()
    batch = asyncio.create_task(
        run(path, out, registry=registry_of(priced(step=wait)), concurrency=3, on_progress=lambda progress: told.set())
    )
    await told.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert answers() == {"line-1": "0"}


async def test_progress_tells_cost_and_time_left(registry_of, priced, prompts, out, fake_clock):
    """From the pace of this run."""
    seen = []
    model = priced(step=lambda words: fake_clock.jump(2.0) or words)
    await run(
        prompts(*map(json.dumps, "abcd")), out, registry=registry_of(model), concurrency=1, on_progress=seen.append
    )
    assert [one.done for one in seen] == [1, 2, 3, 4]
    assert seen[1].left_s == pytest.approx(4.0)
    assert seen[1].left_usd == pytest.approx(0.002)
    assert seen[3].left_s == 0


def test_progress_knows_what_it_does_not_know():
    """Nothing follows from nothing."""
    nothing = Progress(total=None, done=0)
    assert (nothing.left, nothing.left_s, nothing.left_usd) == (None, None, None)
    assert Progress(total=5, done=2, before=2).left_s is None


async def test_unknown_prices_are_counted_apart(registry_of, priced, prompts, out):
    """They are not nothing."""
    done = await run(prompts('"a"'), out, registry=registry_of(priced(cost=None)))
    assert (done.spent_usd, done.unpriced) == (0.0, 1)


@pytest.mark.parametrize("option", [{"concurrency": 0}, {"tries": 1.5}, {"retry": "some"}])
async def test_absurd_options_are_refused(registry_of, priced, prompts, out, option):
    """Before the output is touched."""
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        await run(prompts('"a"'), out, registry=registry_of(priced()), **option)
    assert not out.exists()


async def test_items_of_code_are_answered_too(registry_of, priced, out, answers):
    """A list, or a generator whose length nobody knows."""
    await run(["a", {"prompt": "b", "id": "second"}], out, registry=registry_of(priced()))
    assert answers() == {"line-1": "a", "second": "b"}
    done = await run((text for text in "ab"), out.with_name("two"), registry=registry_of(priced()))
    assert (done.total, done.done, done.left) == (None, 2, None)
