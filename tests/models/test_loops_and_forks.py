"""One registry, several event loops, and processes that fork: it works, and nothing of one is used by another."""

import asyncio
import multiprocessing
import threading

import pytest

from orchestrator.core.attempt import new_response_id
from orchestrator.core.messages import Reply
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.integrations import OpenAIModel
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.portal import portal
from orchestrator.testing import EmulatedModel, Emulator
from orchestrator.testing.thread import run_in_thread


@pytest.fixture
def served():
    """A provider in a thread of its own, and a registry with its model."""
    with run_in_thread(Emulator([EmulatedModel("m")])) as emulator:
        registry = ModelRegistry(seed=0)
        registry.register_model(OpenAIModel(name="m", base_url=emulator.base_url("openai"), api_key="k"))
        yield registry


async def asked(registry, times=5):
    """So many answers at once, and the connections closed behind them."""
    answers = await asyncio.gather(*(registry.generate_response(f"What is 1 plus {n}?") for n in range(times)))
    await registry.cleanup()
    return [answer.text for answer in answers]


def test_one_loop_after_another(served):
    """A loop that was closed takes its connections along; the next one opens its own."""
    expected = [str(1 + n) for n in range(5)]
    assert [asyncio.run(asked(served)) for _ in range(3)] == [expected] * 3


def test_two_loops_at_once(served):
    """Threads with loops of their own share the registry and no connection."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(asyncio.run(asked(served)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[str(1 + n) for n in range(5)]] * 4
    model = served["m"]
    assert (model.metrics.in_flight, len(served.gate)) == (0, 0)
    assert served.get_usage_summary("openai/m").request_count == 20


class Local(Model):
    """Answers without a network."""

    async def send(self, request):
        return Reply("here", usage=UsageStats(1, 1))

    def setup_issue(self):
        return None


def _in_the_child(registry, told):
    told.put((registry.invoke_model("custom/local", "hi").text, new_response_id()))


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_starts_afresh():
    """The thread that serves callers without `await` stays in the parent; ids of the two never meet."""
    registry = ModelRegistry(seed=0)
    registry.register_model(Local(name="local"))
    assert registry.invoke_model("custom/local", "hi").text == "here"  # now the parent has its thread
    fork = multiprocessing.get_context("fork")
    told = fork.Queue()
    child = fork.Process(target=_in_the_child, args=(registry, told))
    child.start()
    text, its_id = told.get(timeout=10)
    child.join(10)
    assert (text, child.exitcode) == ("here", 0)
    assert its_id.split("-")[1] != new_response_id().split("-")[1]
    assert registry.invoke_model("custom/local", "hi").text == "here"
    portal.close()
