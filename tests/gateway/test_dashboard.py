"""What stands behind the page: history, beliefs, decisions, the feed, who may look and who may press."""

import asyncio
import json
import math

import aiohttp
import numpy as np
import pytest
from dashboard_stage import OPERATOR_KEY
from gateway_stage import KEY, OURS, stage
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import Model, ModelHealthMonitor, ModelRegistry, OpenAIModel
from orchestrator.core.outcome import Outcome
from orchestrator.errors import InvalidRequestError, ProviderAPIError, ServerError
from orchestrator.gateway.dashboard import merged
from orchestrator.gateway.dashboard.beliefs import belief_of
from orchestrator.gateway.dashboard.feed import Feed
from orchestrator.gateway.dashboard.history import OTHERS, SPANS, History
from orchestrator.gateway.dashboard.snapshot import Watchman
from orchestrator.gateway.dashboard.view import View
from orchestrator.gateway.settings import GatewayKey
from orchestrator.gateway.siblings import Siblings
from orchestrator.selectors import selector_named
from orchestrator.testing import EmulatedModel, Fail, FakeClock

ADMIN = GatewayKey("ops", "an-admin-key-for-tests", admin=True)
MODELS = {name: Model(id=name, provider="custom") for name in ("a", "b", "c")}


def outcome(model="a", *, latency_s=0.1, error=None, cost_usd=None):
    return Outcome(model_id=model, latency_s=latency_s, error=error, cost_usd=cost_usd)


async def events_of(reply, number):
    """The next events of a feed, by name and data; signs of life are skipped."""
    found, name = [], ""
    async for line in reply.content:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            found.append((name, json.loads(value)))
            if len(found) == number:
                return found
    raise AssertionError(f"the feed ended after {len(found)} events")


# history


@given(steps=st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0.001, 90))), max_size=8))
@settings(max_examples=60, deadline=None)
def test_no_attempt_is_lost_or_counted_twice(steps):
    """Points and totals both add up to what was noted, whatever came in which step, and quantiles are near the truth."""
    history = History()
    for number, step in enumerate(steps):
        for name, failed, latency_s in step:
            error = ServerError("x") if failed else None
            history.note(MODELS[name], outcome(name, latency_s=latency_s, error=error, cost_usd=0.5))
        history.turn(at_s=5.0 * number, beliefs={})
        for name, point in history.last().items():
            latencies = sorted(s for one, failed, s in step if one == name and not failed)
            assert (point.p50_s is None) is (not latencies)
            if latencies:
                truth = latencies[int(0.5 * (len(latencies) - 1))]
                assert point.p50_s == pytest.approx(truth, rel=0.06)
    noted = [one for step in steps for one in step]
    series = history.series("minutes")["models"]
    for name in "abc":
        mine = [one for one in noted if one[0] == name]
        calls, errors, cost_usd = history.so_far(name)
        assert (calls, errors) == (len(mine), sum(failed for _, failed, _ in mine))
        assert cost_usd == pytest.approx(0.5 * len(mine))
        assert sum(value or 0 for value in series.get(name, {"calls": []})["calls"]) == len(mine)


def test_memory_is_bounded_in_time_and_in_names():
    """Rings keep their length, and beyond the most models all others share one line."""
    history = History(most_models=2)
    for number in range(SPANS["minutes"].points + 20):
        for name, model in MODELS.items():
            history.note(model, outcome(name))
        history.turn(at_s=float(number), beliefs={})
    series = history.series("minutes")["models"]
    assert set(series) == {"a", "b", OTHERS}
    assert {len(columns["calls"]) for columns in series.values()} == {SPANS["minutes"].points}
    assert history.so_far(OTHERS)[0] == SPANS["minutes"].points + 20


def test_steps_of_five_minutes_are_made_of_the_short_ones():
    """Sixty short steps are one long one, with the calls of all."""
    history = History()
    for number in range(120):
        history.note(MODELS["a"], outcome(latency_s=0.2))
        history.turn(at_s=5.0 * number, beliefs={"a": 0.5})
    long = history.series("hours")["models"]["a"]
    assert long["calls"] == [60, 60]
    assert long["belief"] == [0.5, 0.5]
    assert long["p95_s"][0] == pytest.approx(0.2, rel=0.06)


def test_the_callers_own_mistakes_are_no_errors_of_a_model():
    """A request that every model would refuse counts as an attempt and not as an error."""
    history = History()
    history.note(MODELS["a"], outcome(error=InvalidRequestError("wrong")))
    assert history.so_far("a") == (1, 0, 0.0)


# beliefs


@pytest.mark.parametrize("name", ["pool", "ucb", "thompson", "gaussian", "kl-ucb", "weighted", "cost", "performance"])
def test_every_policy_has_a_belief_with_an_interval_around_it(name):
    """The same four figures whatever the policy; more pulls make the interval narrower, and JSON can say all of it."""
    selector, rng = selector_named(name), np.random.default_rng(1)
    for arm in ("a", "b"):
        selector.enroll(arm, expected_cost_usd=0.01)
    widths = []
    for _ in range(3):
        for _ in range(12):
            selector.choose(selector.slate(["a", "b"]), rng)
            selector.begin("a")
            selector.settle("a", quality=1.0, cost_usd=0.01, latency_s=0.5)
        belief = belief_of(selector.statistics()["a"])
        assert 0 <= belief["low"] <= belief["estimate"] <= belief["high"] <= 1
        assert all(value is None or math.isfinite(value) for value in belief.values())
        widths.append(belief["high"] - belief["low"])
    assert widths == sorted(widths, reverse=True)


# snapshot and decisions


async def test_a_failover_is_told_as_a_decision_with_its_reasons():
    """Who failed is among the refused of the next decision; the shown score is the one it was chosen by."""
    async with stage(EmulatedModel("first"), EmulatedModel("second")) as on:
        on.emulator.break_model("first", Fail(503))
        await on.registry.generate_response("What is 2 + 3?", models=["first", "second"])
        first, second = on.gateway.dashboard.watchman.decisions.latest()[:2]
        assert (first["model"], second["model"]) == ("first", "second")
        assert {"why": "already tried for this request", "models": ["first"], "count": 1} in second["refused"]
        assert second["score"] is not None


async def test_the_feed_is_the_snapshot_kept_up_to_date():
    """The first event and every change after it add up to what a fresh look shows."""
    async with stage(EmulatedModel("first"), EmulatedModel("second"), keys=()) as on, aiohttp.ClientSession() as http:
        async with http.get(f"{on.url}/dashboard/feed") as feed:
            assert feed.headers["Content-Type"].startswith("text/event-stream")
            seen = {}
            for turn in range(3):
                ((name, told),) = await events_of(feed, 1)
                seen = merged(seen, name, told)
                assert name == ("change" if turn else "whole")
                await on.registry.generate_response(f"What is 2 + {turn}?")
                if turn == 1:
                    del on.registry["second"]
            on.registry.health.drain("first")
            while seen["models"][0]["status"] != "drained":
                ((name, told),) = await events_of(feed, 1)
                seen = merged(seen, name, told)
        fresh = await on.gateway.dashboard.view.whole()
        assert [(row["id"], row["status"]) for row in seen["models"]] == [("first", "drained")]
        assert seen["models"] == json.loads(json.dumps(fresh["models"]))
        numbers = [one["number"] for one in seen["decisions"]]
        assert numbers == sorted(set(numbers))


async def test_the_gateway_ends_at_once_however_many_watch():
    """An open page never holds up the end of the process; with this patience the test would run out of time."""
    async with aiohttp.ClientSession() as http:
        async with stage(EmulatedModel("first"), keys=()) as on:
            object.__setattr__(on.gateway.settings, "drain_s", 300.0)
            feeds = [await http.get(f"{on.url}/dashboard/feed") for _ in range(3)]
            for feed in feeds:
                await events_of(feed, 1)
        for feed in feeds:
            assert (await feed.content.read()).endswith(b"")
            feed.close()


class Wire:
    """A transport whose reader can stop reading."""

    def __init__(self):
        self.frames, self.unread, self.aborted = [], 0, False

    def write(self, data):
        self.frames.append(data)

    def get_write_buffer_size(self):
        return self.unread

    def is_closing(self):
        return self.aborted

    def abort(self):
        self.aborted = True


@pytest.fixture
def watched():
    """A feed over a registry with a clock of its own, and a way to add watchers."""
    from orchestrator.gateway.dashboard import feed as module

    clock = FakeClock()
    registry = ModelRegistry(clock=clock)
    registry["a"] = Model(id="a", provider="custom")
    feed = Feed(View(Watchman(registry), Siblings()), clock)

    def join():
        watcher = module._Watcher(Wire(), is_chunked=False)
        feed.watchers[watcher] = None
        return watcher.transport

    return feed, registry, clock, join


async def test_a_slow_watcher_misses_frames_and_starts_anew(watched):
    """While its buffer is full nothing is added; once it is empty the whole is sent; after a minute it is let go."""
    feed, registry, clock, join = watched
    quick, slow, dead = join(), join(), join()
    await feed.tick()
    slow.unread = dead.unread = 100_000
    for action in (registry.health.drain, registry.health.restore, registry.health.drain):
        action("a")
        await feed.tick()
        clock.jump(1)
    assert [len(one.frames) for one in (quick, slow, dead)] == [4, 1, 1]
    slow.unread = 0
    await feed.tick()
    assert slow.frames[-1].startswith(b"event: whole")
    clock.jump(61)
    await feed.tick()
    assert dead.aborted
    assert not slow.aborted


async def test_a_thousand_watchers_are_one_look(watched, monkeypatch):
    """The registry is looked at once a tick, everybody gets the same bytes, and nobody is told what did not change."""
    feed, registry, _, join = watched
    crowd = [join() for _ in range(1000)]
    looks = []
    look = feed.view.watchman.look
    monkeypatch.setattr(feed.view.watchman, "look", lambda: looks.append(1) or look())
    await feed.tick()
    registry.health.drain("a")
    await feed.tick()
    await feed.tick()
    assert len(looks) == 3
    assert all(wire.frames == crowd[0].frames for wire in crowd)
    assert len(crowd[0].frames) == 2
    assert all(wire.frames[1] is crowd[0].frames[1] for wire in crowd)


async def test_a_watcher_that_comes_while_others_are_told_misses_nothing(monkeypatch):
    """A look at a slow sibling takes a second; what changes meanwhile is in the whole or comes after it."""
    async with stage(EmulatedModel("first"), keys=()) as on:
        feed, looked, may_tell = on.gateway.dashboard.feed, asyncio.Event(), asyncio.Event()
        whole = feed.view.whole

        async def slowly():
            told = await whole()
            looked.set()
            await may_tell.wait()
            return told

        monkeypatch.setattr(feed.view, "whole", slowly)
        async with aiohttp.ClientSession() as http, http.get(f"{on.url}/dashboard/feed") as reply:
            await looked.wait()
            on.registry.health.drain("first")
            ticking = asyncio.create_task(feed.tick())
            await asyncio.sleep(0)
            may_tell.set()
            await ticking
            seen = {}
            for name, told in await events_of(reply, 2):
                seen = merged(seen, name, told)
            async with http.get(f"{on.url}/dashboard/feed") as later:
                [(_, whole_of_later)] = await events_of(later, 1)
        for told in (seen, whole_of_later):
            assert [row["status"] for row in told["models"]] == ["drained"]


async def test_who_asks_for_the_head_of_the_feed_gets_no_more():
    """As balancers do: the connection is free for the next request."""
    async with stage(EmulatedModel("first"), keys=()) as on, aiohttp.ClientSession() as http:
        for path in ("/dashboard/feed", "/healthz"):
            async with http.head(f"{on.url}{path}") as reply:
                assert (reply.status, await reply.read()) == (200, b"")
        assert not on.gateway.dashboard.feed.watchers


async def test_a_crowd_stretches_the_tick(watched, monkeypatch):
    """A tick that takes long comes less often: watching takes two per cent of the time at most."""
    feed, _, clock, join = watched
    for _ in range(100):
        monkeypatch.setattr(join(), "get_write_buffer_size", lambda: clock.jump(0.001) or 0)
    await feed.tick()
    assert feed.tick_s == pytest.approx(100 * 0.001 / 0.02)


async def test_a_look_that_fails_is_logged_and_the_next_is_taken(watched, monkeypatch, caplog):
    """The page outlives whatever a selector's figures hold."""
    feed, registry, clock, join = watched
    wire = join()
    running = asyncio.create_task(feed.run())
    with monkeypatch.context() as broken:
        broken.setattr(type(registry.selector), "statistics", lambda _: 1 / 0)
        await clock.advance(2)
    assert "could not look" in caplog.text
    await clock.advance(2)
    assert wire.frames
    running.cancel()
    await asyncio.wait([running])


async def test_no_key_of_a_provider_is_ever_shown():
    """Neither a model that works nor one whose failure speaks of its key puts it into the snapshot."""
    async with stage(EmulatedModel("first")) as on:
        address = on.emulator.base_url("openai")
        on.emulator.break_model("first", Fail(401, message="the key canary-key-of-a-model is wrong"))
        on.registry["first"] = OpenAIModel(name="first", api_key="canary-key-of-a-model", base_url=address)
        with pytest.raises(ProviderAPIError):
            await on.registry.generate_response("What is a canary prompt?")
        shown = json.dumps(await on.gateway.dashboard.view.whole())
        assert "authentication" in shown
        assert "canary" not in shown


# who may look, and who may press


async def test_the_page_is_served_whole_strict_and_from_here_alone():
    """Every file that the page names is there; the policy allows nothing from elsewhere; other paths lead nowhere."""
    async with stage(EmulatedModel("first")) as on, aiohttp.ClientSession() as http:
        async with http.get(f"{on.url}/") as page:
            text = await page.text()
            policy = page.headers["Content-Security-Policy"]
            tag = page.headers["ETag"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in text
        for name in ("app.js", "style.css", "icon.svg", "feed.js", "charts.js"):
            async with http.get(f"{on.url}/dashboard/{name}") as file:
                assert file.status == 200
                assert file.headers["X-Content-Type-Options"] == "nosniff"
        async with http.get(f"{on.url}/", headers={"If-None-Match": tag}) as again:
            assert again.status == 304
        for path in ("/dashboard/feed.py", "/dashboard/..%2Ffeed.py", "/dashboard/history/years"):
            async with http.get(on.url + path) as nothing:
                assert nothing.status == 404


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"action": "drain", "model": "first"}, 401),
        ({"Authorization": "Bearer wrong"}, {"action": "drain", "model": "first"}, 401),
        ({"Authorization": f"Bearer {KEY}"}, {"action": "drain", "model": "first"}, 403),
        ({"x-api-key": ADMIN.key}, {"action": "explode", "model": "first"}, 400),
        ({"x-api-key": ADMIN.key}, {"action": "drain", "model": "nobody"}, 404),
        ({"x-api-key": ADMIN.key}, {"action": "drain"}, 400),
        ({"x-api-key": ADMIN.key}, {"action": "drain", "model": "first"}, 200),
        ({"Authorization": f"Bearer {OPERATOR_KEY}"}, {"action": "probe", "model": "first"}, 200),
    ],
)
async def test_who_may_press(headers, body, status):
    """Nobody without a key, no caller's key, an admin's and the operator's; a wrong word gets the right one."""
    async with (
        stage(EmulatedModel("first"), keys=(*OURS, ADMIN), operator_key=OPERATOR_KEY) as on,
        aiohttp.ClientSession(headers=headers) as http,
    ):
        async with http.post(f"{on.url}/dashboard/actions", json=body) as reply:
            told = await reply.text()
        assert reply.status == status, told
        assert not {KEY, ADMIN.key, OPERATOR_KEY} & set(told.split('"'))
        events = on.gateway.dashboard.watchman.look()["events"]
        assert [event["by"] for event in events if "by" in event] == (
            [] if status != 200 else ["ops" if "x-api-key" in headers else "operator"]
        )


async def test_beyond_this_machine_figures_are_for_admins():
    """The page itself holds nothing; snapshot, history and feed ask for an admin key, and every caller's is refused."""
    async with stage(EmulatedModel("first"), keys=(*OURS, ADMIN), host="0.0.0.0") as on:
        url = on.url.replace("0.0.0.0", "127.0.0.1")
        async with aiohttp.ClientSession() as http:
            for path in ("snapshot", "history/minutes", "feed"):
                for key, status in ((None, 401), (KEY, 403), (ADMIN.key, 200)):
                    async with http.get(f"{url}/dashboard/{path}", headers={"x-api-key": key} if key else {}) as reply:
                        assert reply.status == status
            async with http.get(url) as page:
                assert page.status == 200


async def test_an_old_proxy_gets_a_plain_stream():
    """HTTP/1.0, which some proxies speak by default, knows no chunks."""
    async with stage(EmulatedModel("first"), keys=()) as on:
        host, port = on.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /dashboard/feed HTTP/1.0\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"chunked" not in head
        assert (await reader.readuntil(b"\n\n")).startswith(b":")
        assert (await reader.readline()) == b"event: whole\n"
        assert json.loads((await reader.readline()).removeprefix(b"data: "))["models"][0]["id"] == "first"
        writer.close()
        await writer.wait_closed()


async def test_a_watcher_of_choices_that_fails_harms_nobody(caplog):
    """The request is answered; the fault is in the log."""
    async with stage(EmulatedModel("first")) as on:
        on.registry.watch_choices(lambda _: 1 / 0)
        assert (await on.registry.generate_response("What is 2 + 3?")).text
    assert "a watcher failed" in caplog.text


async def test_an_outage_is_told_with_its_end(fake_clock):
    """The row says why, and at which second of the calendar the model is tried again."""
    registry = ModelRegistry(clock=fake_clock, health_monitor=ModelHealthMonitor(failure_threshold=1))
    registry["a"] = Model(id="a", provider="custom")
    watchman = Watchman(registry)
    registry.health.observe(registry["a"], outcome(error=ServerError("x", status=500)))
    (row,) = watchman.look()["models"]
    assert row["status"] == "unhealthy"
    assert row["reason"] == "server (HTTP 500)"
    assert row["returns_at"] > fake_clock.time()
    assert watchman.look()["events"][-1]["to"] == "unhealthy"
