"""The way in for code that cannot await: from a script, from inside a loop, from many threads."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from orchestrator.api.models import Models
from orchestrator.errors import ModelNotFoundError, ServerError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.portal import Portal, portal
from orchestrator.models.service import ModelService


@pytest.fixture
def registry(scripted, streaming):
    """One plain and one streaming model, on the machine's own clock."""
    registry = ModelRegistry()
    registry.register_model(scripted("a"))
    registry.register_model(streaming("s"))
    return registry


def test_from_a_script(registry):
    """No event loop anywhere: model, registry, service and facade answer alike."""
    models = Models(registry)
    doors = [registry["a"], lambda p: registry.invoke_model("a", p), partial(ModelService(registry), "a")]
    for door in (*doors, lambda p: models("a", p), models.instance("a")):
        assert door("hi").text == "a says hello"
    assert registry.get_usage_summary("a").request_count == 5


async def test_from_inside_a_running_loop(registry):
    """A notebook's cell, for one: the caller blocks, the answer comes."""
    assert registry["a"]("hi").text == "a says hello"
    assert [chunk.text for chunk in Models(registry).stream("s", "hi")] == ["s ", "says hello", ""]


def test_from_twenty_threads(registry):
    """All at once, each with its own answer, all counted."""
    start = threading.Barrier(20)

    def call(number):
        start.wait()
        return registry.invoke_model("a", f"hi {number}").text

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(call, range(20))) == {"a says hello"}
    assert registry["a"].metrics.calls == 20
    assert registry["a"].metrics.in_flight == 0


def test_calls_from_threads_while_the_registry_changes(registry, scripted):
    """Eight threads ask, two add and remove models: everybody is answered and every account is closed."""
    start = threading.Barrier(10)

    def call(number):
        start.wait()
        for i in range(25):
            if number < 8:
                portal.run(lambda: registry.generate_response("hi"))
            else:
                registry[f"m{number}-{i}"] = scripted(f"m{number}-{i}")
                if i % 2:
                    del registry[f"m{number}-{i - 1}"]

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(call, range(10)))
    assert {model.metrics.in_flight for model in registry.values()} == {0}
    facts = registry.selector.statistics()
    assert set(facts) == set(registry)
    assert {arm["pending"] for arm in facts.values()} == {0}


def test_errors_arrive_as_they_are(registry, scripted):
    """The class, the attempts and the cause cross the thread."""
    registry.register_model(scripted("bad", [ServerError("x", status=500)] * 3))
    with pytest.raises(ServerError) as caught:
        registry.invoke_model("bad", "hi", max_attempts=1)
    assert (caught.value.status, len(caught.value.attempts)) == (500, 1)


def test_a_stream_is_a_plain_iterator(registry):
    """Pieces one by one; leaving early closes the source."""
    stream = Models(registry).stream("s", "hi")
    assert next(stream).text == "s "
    stream.close()
    assert registry["s"].metrics.in_flight == 0
    assert registry["s"].metrics.calls == 0


def test_an_unknown_name_fails_when_it_is_bound(registry):
    """Not at the first call."""
    with pytest.raises(ModelNotFoundError, match="'nonsense'"):
        Models(registry).instance("nonsense")


def test_calling_back_into_the_portal_from_its_own_loop_is_an_error_not_a_deadlock():
    """A blocking call on the engine's loop would wait for itself; the message says to await."""

    async def calls_back():
        with pytest.raises(RuntimeError, match="await it"):
            portal.run(asyncio.sleep)
        return "fine"

    assert portal.run(calls_back) == "fine"


def test_a_portal_closes_and_cancels_what_is_left():
    """After `close` its thread is gone, and it can be used again."""
    door = Portal()
    cancelled = threading.Event()

    async def start():
        async def hang():
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                cancelled.set()

        door.left = asyncio.create_task(hang())
        await asyncio.sleep(0)

    door.run(start)
    door.close()
    assert cancelled.is_set()
    assert door.run(lambda: asyncio.sleep(0, "again")) == "again"
    door.close()


def test_models_called_from_two_loops_at_once(registry):
    """One registry, the portal's loop and a caller's own: nobody waits for the other."""

    async def both():
        own = asyncio.create_task(registry.generate_response("hi", models=["a"]))
        other = asyncio.to_thread(registry.invoke_model, "a", "hi")
        return [answer.text for answer in await asyncio.gather(own, other)]

    assert asyncio.run(both()) == ["a says hello"] * 2
