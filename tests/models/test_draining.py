"""Going down in order: nobody new comes in, those inside are waited for, everything is written and closed."""

import asyncio
import os
import signal
import sys
import textwrap

import pytest

from orchestrator.errors import CapacityError, DrainingError, RateLimitError, ServerError
from orchestrator.models.draining import drain_on_signal
from orchestrator.state.memory import MemoryState


def held(gate):
    """A step that answers once the gate is open."""

    async def step():
        await gate.wait()
        return "done"

    return step


async def test_calls_under_way_are_waited_for_and_new_ones_refused(registry, scripted):
    """The error is a kind of CapacityError and names the remedy."""
    gate = asyncio.Event()
    model = registry.register_model(scripted("a", [held(gate)]))
    call = asyncio.create_task(registry.generate_response("hi"))
    await registry.clock.advance(0)
    drain = asyncio.create_task(registry.drain(30))
    await registry.clock.advance(1)
    for late in (registry.generate_response("hi"), model.generate_response("hi"), model.embed("hi")):
        with pytest.raises(DrainingError, match="ask another process"):
            await late
    assert issubclass(DrainingError, CapacityError)
    assert not drain.done()
    gate.set()
    await registry.clock.advance(1)
    assert (await call).text == "done"
    assert await drain == 0


async def test_a_stream_under_way_is_read_to_its_end(registry, streaming):
    """And a new one is refused at its first piece."""
    registry.register_model(streaming("a", [["one ", "two"]]))
    stream = registry.stream_response("hi")
    assert (await anext(stream)).text == "one "
    drain = asyncio.create_task(registry.drain(30))
    await registry.clock.advance(1)
    with pytest.raises(DrainingError):
        await anext(registry.stream_response("hi"))
    assert (await anext(stream)).text == "two"
    assert [chunk.finish_reason async for chunk in stream] == ["stop"]
    await registry.clock.advance(1)
    assert await drain == 0


async def test_who_takes_too_long_makes_no_further_attempt(registry, three):
    """The time is over: the count of those cut off comes back, and a failure is not passed on to the next model."""
    gate = asyncio.Event()

    async def fails():
        await gate.wait()
        raise ServerError("x")

    three[0].steps.append(fails)
    call = asyncio.create_task(registry.generate_response("hi"))
    await registry.clock.advance(0)
    drain = asyncio.create_task(registry.drain(5))
    await registry.clock.advance(6)
    assert await drain == 1
    gate.set()
    with pytest.raises(DrainingError):
        await call
    assert [m.asked for m in three] == [1, 0, 0]


async def test_who_still_waits_when_the_time_is_over_is_not_let_in(registry, scripted):
    """For a model that has said when to come again, or for its turn: by then nobody is asked any more."""
    gate, limit = asyncio.Event(), {"max_concurrent_requests": 1}
    busy = [registry.register_model(scripted(name, [RateLimitError("x", retry_after_s=20)])) for name in "ab"]
    full = registry.register_model(scripted("c", [held(gate)], constraints=limit))
    inside = asyncio.create_task(full.generate_response("hi"))
    calls = [registry.generate_response("hi", models=["a", "b"]), full.generate_response("hi", wait_for_capacity=True)]
    waiting = [asyncio.create_task(call) for call in calls]
    await registry.clock.advance(1)
    drain = asyncio.create_task(registry.drain(3))
    await registry.clock.advance(4)
    assert await drain == 3
    gate.set()
    await registry.clock.advance(30)
    for call in waiting:
        with pytest.raises(DrainingError):
            await call
    assert (await inside).text == "done"
    assert [model.asked for model in (*busy, full)] == [1, 1, 1]
    assert not any(traffic.in_flight for traffic in registry.admission.snapshot())


async def test_what_was_noted_is_written(registry, three):
    """Every subscriber and the account that have a `flush`, plain or async, are told."""
    told = []

    class Plain:
        def __call__(self, model, outcome):
            told.append(outcome.model_id)

        def flush(self):
            told.append("plain")

    class Async(Plain):
        async def flush(self):
            told.append("async")

    registry.subscribe(Plain())
    registry.subscribe(Async())
    registry.subscribe(lambda model, outcome: None)
    await three[0].generate_response("hi")
    await registry.drain()
    assert told == ["a", "a", "plain", "async"]


async def test_where_what_is_shared_fails_at_the_start_nothing_is_left_running(registry):
    """The error comes through, and no health check goes on behind it."""

    class Broken(MemoryState):
        def exchange(self, parcel):
            raise RuntimeError("broken")

    registry.share(Broken())
    with pytest.raises(RuntimeError, match="broken"):
        async with registry:
            pass
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_is_called_off_on_the_way_out_is_called_off(registry):
    """A cancellation that comes while the background is being stopped is the caller's own."""
    inside = asyncio.Event()

    async def work():
        async with registry:
            inside.set()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_entering_it_again_opens_it_again(registry, three):
    """A registry is not used up by being drained."""
    await registry.drain()
    async with registry:
        assert (await registry.generate_response("hi")).text == "a says hello"


async def test_a_signal_drains_and_says_so(registry, three):
    """The event is set when all is done, and the handlers are gone."""
    before = signal.getsignal(signal.SIGTERM)
    async with drain_on_signal(registry, signals=[signal.SIGTERM]) as drained:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await drained.wait()
        with pytest.raises(DrainingError):
            await registry.generate_response("hi")
    assert signal.getsignal(signal.SIGTERM) == before


SERVER = """
    import asyncio, sys
    from orchestrator import ModelRegistry, drain_on_signal
    from orchestrator.core.messages import Reply
    from orchestrator.core.model import Model

    class Slow(Model):
        async def send(self, request):
            print("asked", flush=True)
            await asyncio.sleep(0.3)
            return Reply("answered")
        def setup_issue(self):
            return None

    async def main():
        registry = ModelRegistry()
        registry.register_model(Slow(name="slow"))
        async with registry, drain_on_signal(registry, timeout_s=10) as drained:
            call = asyncio.create_task(registry.generate_response("hi"))
            await drained.wait()
            print(await call, flush=True)
        left = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
        print("left", left, flush=True)

    asyncio.run(main())
"""


async def test_a_script_that_is_told_to_go_answers_first():
    """A real process, a real SIGTERM in the middle of a call: the answer is given, nothing is left, exit code 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", textwrap.dedent(SERVER), stdout=asyncio.subprocess.PIPE
    )
    assert await process.stdout.readline() == b"asked\n"
    process.send_signal(signal.SIGTERM)
    rest, _ = await process.communicate()
    assert rest.decode().splitlines() == ["answered", "left []"]
    assert process.returncode == 0
