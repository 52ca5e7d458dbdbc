"""A model that Ollama fetches when it is first asked for, and only where that is wanted."""

import asyncio
import pickle

import pytest

from orchestrator import LazyOllamaModel, ModelRegistry
from orchestrator.errors import ProviderConnectionError, ServerError, UpstreamNotFoundError
from orchestrator.integrations import close_sessions
from orchestrator.testing import CutStream, Drop, EmulatedModel, Emulator, Fail

SIZE = 4_000_000_000


@pytest.fixture
async def house():
    """An Ollama that has one model and could have another."""
    models = [EmulatedModel("here", "ollama"), EmulatedModel("later", "ollama", download_bytes=SIZE)]
    async with Emulator(models) as emulator:
        yield emulator
        await close_sessions()


def lazy(house, name="later", **options):
    return LazyOllamaModel(name, base_url=house.base_url("ollama"), **options)


async def test_nothing_is_fetched_unasked(house):
    """Gigabytes are the user's to decide; the error says how."""
    with pytest.raises(UpstreamNotFoundError, match=r"ollama pull later.*pull=True"):
        await lazy(house).generate_response("hello")
    with pytest.raises(UpstreamNotFoundError, match=r"pull=True"):
        async for _ in lazy(house).stream_response("hello"):
            pass
    assert house.requests["pull later"] == 0


async def test_it_is_fetched_at_the_first_call_and_tells_of_it(house):
    """Bytes grow up to the whole; the second call finds it there."""
    told = []
    model = lazy(house, pull=True, progress=lambda *step: told.append(step))
    assert (await model.generate_response("What is 2 plus 2?")).text == "4"
    assert (await model.generate_response("What is 2 plus 3?")).text == "5"
    assert house.requests["pull later"] == 1
    assert (told[0], told[-1]) == (("pulling manifest", None, None), ("success", None, None))
    sizes = [done for _, done, total in told if total == SIZE and done is not None]
    assert sizes == sorted(sizes)
    assert sizes[-1] == SIZE


async def test_a_stream_fetches_it_too(house):
    """Before its first piece."""
    model = lazy(house, pull=True)
    assert "".join([chunk.text async for chunk in model.stream_response("What is 2 plus 2?")]) == "4"
    assert house.requests["pull later"] == 1


async def test_what_is_there_is_not_fetched(house):
    """Not even looked for."""
    await lazy(house, "here", pull=True).generate_response("hello")
    assert [entry.path for entry in house.log] == ["/ollama/api/chat"]


async def test_twenty_callers_wait_for_one_download(house):
    """And all are answered."""
    model = lazy(house, pull=True)
    answers = await asyncio.gather(*(model.generate_response("What is 2 plus 2?") for _ in range(20)))
    assert {answer.text for answer in answers} == {"4"}
    assert house.requests["pull later"] == 1


@pytest.mark.parametrize(
    ("step", "error"),
    [(Fail(500), ServerError), (CutStream(3), ServerError), (Drop(), ProviderConnectionError)],
    ids=["refused", "cut", "dropped"],
)
async def test_a_download_that_failed_is_tried_again_by_the_next_call(house, step, error):
    """No half a model is taken for a whole one."""
    house.break_model("later", step)
    model = lazy(house, pull=True)
    with pytest.raises(error):
        await model.generate_response("hello")
    house.mend()
    assert (await model.generate_response("What is 2 plus 2?")).text == "4"


async def test_a_name_that_nobody_has_published_is_named(house):
    """The error comes in a 200."""
    with pytest.raises(UpstreamNotFoundError, match="no 'nonsense'"):
        await lazy(house, "nonsense", pull=True).generate_response("hello")


async def test_it_can_be_fetched_beforehand(house):
    """In a set-up script, whatever `pull` says."""
    model = lazy(house)
    await model.fetch()
    assert (await model.generate_response("What is 2 plus 2?")).text == "4"


async def test_leaving_during_a_download_leaves_nothing_behind(house):
    """The next caller has a turn of its own."""
    house.change("later", latency_s=30.0)
    model, begun = lazy(house, pull=True), asyncio.Event()
    model.progress = lambda *_: begun.set()
    task = asyncio.create_task(model.generate_response("hello"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    house.change("later", latency_s=0.0)
    assert (await model.generate_response("What is 2 plus 2?")).text == "4"
    assert house.requests["pull later"] == 2


async def test_it_is_a_model_like_any_other(house):
    """In a registry, and pickled."""
    registry = ModelRegistry()
    registry.register_model(lazy(house, pull=True))
    assert (await registry.generate_response("What is 2 plus 2?")).text == "4"
    twin = pickle.loads(pickle.dumps(registry["ollama/later"]))
    assert (twin.pull, twin.progress) == (True, None)
