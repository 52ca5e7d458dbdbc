"""`cache`: what is kept on disk or in Redis is counted, read and forgotten from the command line."""

import asyncio
import json
import logging
import sqlite3

import pytest
from cache_asking import Echo, Upstream
from redis_server import free_port, own_redis, redis_server, shared_redis  # noqa: F401 - fixtures

from orchestrator.core.cache import ModelCache
from orchestrator.core.messages import ChatResponse, Embeddings, Request, ToolCall, UsageStats
from orchestrator.integrations.compatible import CompatibleModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry

MODEL = Echo()
TAGS = {"Capital of France?": ("faq",), "Capital of Spain?": ()}


def key_of(question, **params):
    """The key of a question to the model of these tests."""
    return ModelCache().key_of(MODEL, Request.of(question, **params))


async def fill(cache):
    """Two answers of one model, one of them tagged, and one of another model to a tenant."""
    async with cache:
        for question, tags in TAGS.items():
            await cache.answer(key_of(question), Upstream("Paris"), tags=tags)
        other = cache.key_of(Echo("other"), Request.of("Hours?", tenant="acme"))
        await cache.answer(other, Upstream("9 to 5", model_id="custom/other"))


@pytest.fixture(params=["disk", "redis"])
def where(request, tmp_path):
    """A filled cache, as options of the command line."""
    if request.param == "disk":
        asyncio.run(fill(ModelCache("disk", directory=tmp_path, namespace="app")))
        return ["--directory", tmp_path, "--namespace", "app"]
    port = request.getfixturevalue("redis_server").port
    asyncio.run(fill(ModelCache("redis", host="127.0.0.1", port=port, namespace="app", read_limit_s=30)))
    return ["--backend", "redis", "--host", "127.0.0.1", "--port", port, "--namespace", "app"]


def entries(run, where):
    """How many the cache says it holds."""
    (level,) = json.loads(run("cache", "stats", "--json", *where).stdout)["levels"]
    return level["entries"]


# stats


def test_the_figures_say_what_is_kept_and_where(run, where):
    """Counted now, whoever wrote it; no fault and nothing off."""
    (level,) = json.loads(run("cache", "stats", "--json", *where).stdout)["levels"]
    assert level["entries"] == 3
    assert level["bytes"] > 0
    assert (level["faults"], level["available"], level["trouble"], level["namespace"]) == (0, True, None, "app")
    assert level["place"].endswith(("app.sqlite3", "/0"))


def test_the_table_says_the_same_to_people(run, where):
    """One line a level."""
    done = run("cache", "stats", *where)
    assert done.exit_code == 0
    for word in ("Cache app", "Entries", "3", "B", "well"):
        assert word in done.stdout


def test_another_namespace_is_not_counted(run, where):
    """In Redis it is empty; on disk it is another file, which is not there and is not made."""
    done = run("cache", "stats", "--json", *where[:-1], "another")
    if "redis" in where:
        assert json.loads(done.stdout)["levels"][0]["entries"] == 0
    else:
        assert done.exit_code == 1
        assert "no cache at" in done.stderr
        assert not (where[1] / "another.sqlite3").exists()


def test_looking_throws_nothing_out(run, tmp_path):
    """The bounds of the application are its own: what it keeps beyond the usual ten thousand stays."""

    async def keep_many():
        async with ModelCache("disk", directory=tmp_path, max_size=20_000) as cache:
            for number in range(10_500):
                cache.store(key_of(str(number)), ChatResponse("x", model_id=MODEL.id))

    asyncio.run(keep_many())
    assert entries(run, ["--directory", tmp_path]) == 10_500


def test_a_redis_that_is_gone_is_told_in_one_line(run):
    """The figures that are known are printed all the same; exit code 1."""
    port = free_port()
    done = run("cache", "stats", "--json", "--backend", "redis", "--host", "127.0.0.1", "--port", port)
    (level,) = json.loads(done.stdout)["levels"]
    assert (level["entries"], level["bytes"], level["faults"]) == (None, None, 1)
    assert done.exit_code == 1
    assert done.stderr == (
        f"orchestrator: the redis cache at '127.0.0.1:{port}/0' cannot do that: there is no connection\n"
    )


def test_a_password_comes_from_a_variable_and_is_never_shown(run, own_redis, monkeypatch):  # noqa: F811 - the fixture
    """Neither where it is right nor where it is wrong."""
    server = own_redis("--requirepass", "hunter2")
    monkeypatch.setenv("MY_REDIS", "hunter2")
    address = ["--backend", "redis", "--url", f"redis://127.0.0.1:{server.port}/0"]
    good = run("cache", "stats", *address, "--password-env", "MY_REDIS")
    bad = run("cache", "stats", "--backend", "redis", "--url", f"redis://:hunter3@127.0.0.1:{server.port}/0")
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "refuses the password" in bad.stderr
    assert "hunter" not in good.output + bad.output


# get


def test_an_answer_is_found_by_its_key(run, where):
    """The text and nothing else."""
    done = run("cache", "get", key_of("Capital of Spain?"), *where)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "Paris\n", "")


def test_the_record_tells_what_was_paid_and_when(run, where):
    """The cost is that of the call which bought the answer, not the 0 of a hit."""
    told = json.loads(run("cache", "get", key_of("Capital of France?"), "--json", *where).stdout)
    assert (told["kind"], told["text"], told["model_id"], told["cost_usd"]) == ("answer", "Paris", "custom/echo", 0.25)
    assert (told["latency_s"], told["usage"]["cost"]) == (2.0, 0.25)
    assert 0 <= told["age_s"] < told["fresh_s"] <= 3600
    assert len(told["tags"]) == 1


def test_what_is_not_remembered_is_one_line_and_code_1(run, where):
    """With the key, so that it can be looked for elsewhere."""
    done = run("cache", "get", key_of("Capital of Italy?"), *where)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("orchestrator: nothing is remembered under '")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("registered", [False, True], ids=["alone", "registered"])
def test_an_answer_is_found_by_the_call(run, server, tmp_path, registered):
    """By the very key of the call, to a model alone or in a registry; nobody is asked."""

    async def ask():
        model = CompatibleModel("large", base_url=server)
        async with ModelCache("disk", directory=tmp_path) as cache:
            model.enable_caching(cache)
            if registered:
                ModelRegistry().register_model(model)
            await model.generate_response("What is 12 plus 30?", system="Be brief.", temperature=0, stop=["."])
        await close_sessions()

    asyncio.run(ask())
    call = ["--base-url", server, "--model", "large", "--prompt", "What is 12 plus 30?", "--system", "Be brief."]
    params = ["--param", "temperature=0", "--param", 'stop=["."]']
    assert run("cache", "get", *call, *params, "--directory", tmp_path).stdout == "42\n"
    other = run("cache", "get", *call, "--directory", tmp_path)
    assert other.exit_code == 1
    assert "12 plus 30" not in other.output


def test_vectors_values_and_tool_calls_are_shown_as_json(run, tmp_path):
    """Whatever has no text of its own."""

    async def keep():
        async with ModelCache("disk", directory=tmp_path) as cache:
            call = ToolCall("weather", {"city": "Paris"}, "c1")
            cache.store("calls", ChatResponse("", tool_calls=(call,), finish_reason="tool_calls", usage=UsageStats(1)))

            async def vectors(texts):
                return Embeddings([[0.5, 1.0]] * len(texts), usage=UsageStats(1, cost_usd=0.5), model_id=MODEL.id)

            async def listed():
                return ["a", "b"]

            await cache.embed(MODEL, ["text"], {}, vectors)
            await cache.value("models", "custom", listed)
            await cache.flush()
            with sqlite3.connect(tmp_path / "orchestrator.sqlite3") as table:
                found = [key for (key,) in table.execute("SELECT key FROM entries ORDER BY used")]
            table.close()
            return found

    shown = [run("cache", "get", key, "--directory", tmp_path).stdout for key in asyncio.run(keep())]
    assert [json.loads(one) for one in shown] == [
        [{"name": "weather", "arguments": {"city": "Paris"}, "id": "c1", "signature": None}],
        [0.5, 1.0],
        ["a", "b"],
    ]


def test_a_damaged_entry_is_told_as_such(run, redis_server):  # noqa: F811 - the fixture
    """It is no answer, and it is not simply missing."""
    asyncio.run(fill(ModelCache("redis", host="127.0.0.1", port=redis_server.port, read_limit_s=30)))
    key = key_of("Capital of Spain?")
    model, tenant, digest = key.split(".")
    redis_server.command("SET", f"orchestrator:{{{model}}}:{tenant}:{digest}", "garbage")
    done = run("cache", "get", key, "--backend", "redis", "--host", "127.0.0.1", "--port", redis_server.port)
    assert done.exit_code == 1
    assert "damaged" in done.stderr


# clear


@pytest.mark.parametrize(
    ("by", "gone"),
    [
        (["--model", "custom/echo"], 2),
        (["--tag", "faq"], 1),
        (["--tenant", "acme"], 1),
        (["--model", "custom/echo", "--tag", "faq"], 1),
        (["--model", "custom/echo", "--tenant", "acme"], 0),
        (["--all", "--yes"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_matches_goes_and_is_counted(run, where, by, gone):
    """All that is given has to match."""
    done = run("cache", "clear", *by, *where)
    assert (done.exit_code, done.stdout) == (0, f"{gone} {'entry' if gone == 1 else 'entries'} forgotten\n")
    assert entries(run, where) == 3 - gone


def test_the_count_is_there_for_machines(run, where):
    """One object."""
    assert json.loads(run("cache", "clear", "--tag", "faq", "--json", *where).stdout) == {"forgotten": 1}


@pytest.mark.parametrize(("word", "left"), [("n\n", 3), ("y\n", 0), ("", 3)])
def test_everything_goes_only_after_a_yes(run, where, word, left):
    """No, or nobody there to ask, leaves everything; the question names the place, on stderr."""
    done = run("cache", "clear", "--all", *where, stdin=word)
    assert done.exit_code == (1 if left else 0)
    assert "Forget all of 'app'" in done.stderr
    assert entries(run, where) == left


def test_a_redis_that_is_gone_does_not_pass_for_cleared(run):
    """Zero entries would be a lie."""
    done = run("cache", "clear", "--tag", "faq", "--backend", "redis", "--host", "127.0.0.1", "--port", free_port())
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no connection" in done.stderr


# wrong calls


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["clear"], "say what to forget"),
        (["clear", "--all", "--tag", "faq"], "--all alone"),
        (["clear", "--all", "--yes", "--url", "redis://localhost"], "--url goes with --backend redis"),
        (["stats", "--backend", "redis", "--directory", "x"], "--directory goes with --backend disk"),
        (["stats", "--backend", "redis", "--url", "redis://a", "--port", "1"], "leave out --port"),
        (["stats", "--backend", "redis", "--url", "http://:hunter2@a"], "redis://"),
        (["stats", "--backend", "redis", "--port", "0"], "from 1 to 65535"),
        (["stats", "--backend", "redis", "--password-env", "NO_SUCH"], "'NO_SUCH': this variable is not set"),
        (["stats", "--backend", "memory"], "disk"),
        (["stats", "--namespace", "a/b"], "letters, digits"),
        (["get"], "either KEY alone"),
        (["get", "key", "--prompt", "a private matter"], "either KEY alone"),
        (["get", "--prompt", "a private matter"], "either KEY alone"),
        (["get", "--model", "openai/gpt-5", "--prompt", "a private matter", "--param", "private"], "name=value"),
        (["get", "--model", "nosuch", "--prompt", "a private matter"], "provider/name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_told_plainly(run, arguments, word):
    """Exit code 2, the remedy, and neither password nor prompt."""
    done = run("cache", *arguments)
    assert done.exit_code == 2
    assert word in done.stderr
    assert "private" not in done.output
    assert "hunter" not in done.output


def test_the_log_is_left_as_it_was(run, where):
    """The command speaks for the level only while it runs."""
    before = list(logging.getLogger("orchestrator.caches").handlers)
    run("cache", "stats", *where)
    assert logging.getLogger("orchestrator.caches").handlers == before
