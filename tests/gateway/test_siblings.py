"""Several workers seen as one: through sockets between them, with one of them missing."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web
from gateway_stage import stage
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import Model
from orchestrator.core.outcome import Outcome
from orchestrator.errors import ProviderAPIError
from orchestrator.gateway.dashboard.history import SPANS, History
from orchestrator.gateway.dashboard.together import one_history, one_look
from orchestrator.gateway.siblings import Siblings
from orchestrator.testing import EmulatedModel, Fail

OPERATOR_KEY = "operator-key-for-tests"
MODELS = {name: Model(id=name, provider="custom") for name in "ab"}


@pytest.fixture
async def crew(tmp_path):
    """Two workers of what should be three."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                stage(
                    EmulatedModel("first"),
                    EmulatedModel("second"),
                    keys=(),
                    operator_key=OPERATOR_KEY,
                    siblings=Siblings(number, tmp_path, of=3),
                )
            )
            for number in (1, 2)
        ]


async def seen_by(worker):
    """The dashboard's state as this worker tells it."""
    async with aiohttp.ClientSession() as http, http.get(f"{worker.url}/dashboard/snapshot") as reply:
        return await reply.json()


async def test_every_worker_shows_the_sums_of_all_that_answer(crew):
    """Calls, errors and decisions are those of both, whoever is asked; the third is missing and not waited for."""
    one, other = crew
    for number in range(3):
        await one.registry.generate_response(f"What is {number} + 1?", models=["first"])
    await other.registry.generate_response("What is 2 + 3?", models=["first"])
    other.emulator.break_model("second", Fail(503))
    with pytest.raises(ProviderAPIError):
        await other.registry.generate_response("What is 2 + 4?", models=["second"], max_attempts=1)
    for number, worker in enumerate(crew, 1):
        state = await seen_by(worker)
        assert state["engine"]["workers"] == {"asked": number, "told": [1, 2], "of": 3}
        assert {row["id"]: (row["calls"], row["errors"]) for row in state["models"]} == {
            "first": (4, 0),
            "second": (1, 1),
        }
        assert [one["model"] for one in state["decisions"]] == ["first"] * 4 + ["second"]
        numbers = [one["number"] for one in state["decisions"]]
        assert numbers == sorted(set(numbers))


async def test_a_button_is_pressed_in_every_worker(crew):
    """A model drained at one is drained at the other, and a wrong order is refused before anybody follows it."""
    one, other = crew
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {OPERATOR_KEY}"}) as http:
        for model, status in (("first", 200), ("nobody", 404)):
            order = {"action": "drain", "model": model}
            async with http.post(f"{one.url}/dashboard/actions", json=order) as reply:
                assert reply.status == status
    assert other.registry.health.status_of(other.registry["first"]).status == "drained"
    change, event = (await seen_by(other))["events"]  # once each, though both workers noted them
    assert (change["to"], event["what"], event["by"]) == ("drained", "drained", "operator")


async def test_a_model_that_is_out_in_one_worker_is_shown_with_its_number(crew):
    """The worst status is shown, with who thinks so; where all agree nobody is named."""
    one, other = crew
    other.registry.health.drain("first")
    for expected in ([2], None):
        (row,) = [row for row in (await seen_by(one))["models"] if row["id"] == "first"]
        assert (row["status"], row["out_in"]) == ("drained", expected)
        one.registry.health.drain("first")


async def test_a_watcher_hears_the_news_of_all_workers(crew):
    """A change in a sibling is a change on the page."""
    one, other = crew
    await one.gateway.dashboard.view.news()
    assert await one.gateway.dashboard.view.news() == {}
    other.registry.health.drain("second")
    news = await one.gateway.dashboard.view.news()
    assert [(row["id"], row["out_in"]) for row in news["models"]] == [("second", [2])]


async def test_a_process_alone_asks_nobody_and_listens_to_nobody(tmp_path):
    """Without a folder there are no sockets; a subject that nobody told of is no answer."""
    alone = Siblings()
    async with alone.listening():
        assert await alone.ask("look") == {}
    one, other = Siblings(1, tmp_path, of=2), Siblings(2, tmp_path, of=2)
    async with one.listening(), other.listening():
        assert await one.ask("nothing") == {}
        other.answer("sum", lambda said: asyncio.sleep(0, sum(said)))
        assert await one.ask("sum", [1, 2]) == {2: 3}
    assert not list(tmp_path.iterdir())


async def test_a_folder_too_deep_for_a_socket_is_told_and_stops_nobody(tmp_path, caplog):
    """A socket's path is short on every system; the worker serves, and the others go without it."""
    deep = tmp_path / ("deep" * 40)
    deep.mkdir()
    one, other = Siblings(1, deep, of=2), Siblings(2, deep, of=2)
    async with one.listening(), other.listening():
        assert await one.ask("look") == {}
    assert "worker 1 cannot be asked by the others: AF_UNIX path too long" in caplog.text


async def test_what_is_no_json_is_no_answer(tmp_path):
    """As from a worker of another version that speaks otherwise."""

    async def speaks_otherwise(_):
        return web.Response(body=b"{")

    application = web.Application()
    application.router.add_post("/look", speaks_otherwise)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "worker-2.sock")).start()
    one = Siblings(1, tmp_path, of=2)
    async with one.listening():
        assert await one.ask("look") == {}
    await runner.cleanup()


async def test_a_call_in_flight_may_ask_until_it_ends(crew, tmp_path):
    """A gateway that closes lets the last scrape finish, with the figures of all, and leaves no line open behind."""
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as http:
        built = stage(EmulatedModel("first"), keys=(), siblings=Siblings(3, tmp_path, of=3))
        third = await stack.enter_async_context(built)
        gateway, asked, may_ask = third.gateway, asyncio.Event(), asyncio.Event()
        ask = gateway.siblings.ask

        async def late(subject):
            asked.set()
            await may_ask.wait()
            return await ask(subject)

        gateway.siblings.ask = late
        scraping = asyncio.create_task(http.get(f"{third.url}/metrics"))
        await asked.wait()
        gateway.dashboard.feed.close = may_ask.set  # which comes when the gateway begins to close
        await stack.aclose()
        told = await (await scraping).text()
        assert all(f'worker="{number}"' in told for number in (1, 2, 3))
        assert not gateway.siblings._lines


@given(
    workers=st.lists(
        st.lists(st.lists(st.sampled_from("ab"), max_size=3), min_size=1, max_size=6), min_size=1, max_size=3
    ),
    missed=st.integers(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_histories_of_any_age_add_up_step_by_step(workers, missed):
    """Whoever began later or is a step behind, each call is counted once and in the step in which it came."""
    step_s, longest = SPANS["minutes"].step_s, max(map(len, workers))
    told, expected = [], [{} for _ in range(longest + missed)]
    for place, steps in enumerate(workers):
        history, late = History(), missed if place else 0
        for number, names in enumerate(steps, longest - len(steps)):
            for name in names:
                history.note(MODELS[name], Outcome(model_id=name, latency_s=0.1, cost_usd=0.5))
                expected[number + missed - late][name] = expected[number + missed - late].get(name, 0) + 1
            history.turn(at_s=step_s * (number + missed - late), beliefs={})
        told.append(history.series("minutes"))
    seen = one_history(told)
    for name, columns in seen["models"].items():
        calls = [value or 0 for value in columns["calls"]]
        assert calls == [step.get(name, 0) for step in expected][-len(calls) :]
        assert sum(calls) == sum(step.get(name, 0) for step in expected)
        assert sum(value or 0 for value in columns["cost_usd"]) == pytest.approx(0.5 * sum(calls))


def test_an_outage_that_all_heard_of_is_one_event():
    """The same change within seconds is told once; the same change later is another one."""

    def event(at):
        return {"at": at, "model": "a", "from": "healthy", "to": "unhealthy", "reason": f"seen at {at}"}

    look = {"issues": [], "cache": None, "models": [], "decisions": [], "turn": {"at": 5.0, "models": {}}}
    looks = {
        number: {**look, "engine": {"started_at": 1.0}, "events": [event(at) for at in times]}
        for number, times in ((1, (10.0, 60.0)), (2, (11.2,)))
    }
    assert [one["at"] for one in one_look(looks, own=2, of=2)["events"]] == [10.0, 60.0]
