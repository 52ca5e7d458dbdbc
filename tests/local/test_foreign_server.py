"""A server of OpenAI's dialect that is not ours: transformers' own, with the tiny model behind it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_model import ANSWER

from orchestrator import HuggingFaceModel, ModelRegistry, OpenAIModel
from orchestrator.integrations import close_sessions

START_S = 90  # importing torch, on a machine that has other things to do


class Served:
    """`transformers serve` on a free port of this machine."""

    def __init__(self, folder, log):
        self.folder, self.log = folder, log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [shutil.which("transformers", path=str(Path(sys.executable).parent)), "serve", str(folder)]
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)

    def wait(self):
        """Until it listens."""
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"transformers serve does not listen: {Path(self.log.name).read_text()[-2000:]}")

    def kill(self):
        """Gone at once."""
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def served(tiny, tmp_path_factory):
    """The server, listening."""
    pytest.importorskip("uvicorn", reason="no transformers[serving] here: make test-local installs it")
    with (tmp_path_factory.mktemp("served") / "log").open("w") as log:
        server = Served(tiny, log)
        try:
            server.wait()
            yield server
        finally:
            server.kill()


@pytest.fixture
async def model(served):
    """Our model at that address."""
    yield OpenAIModel(name=str(served.folder), base_url=f"http://127.0.0.1:{served.port}/v1", api_key="none")
    await close_sessions()


@pytest.mark.timeout(120)
async def test_it_answers_with_the_words_and_figures_of_the_model_itself(model, tiny):
    """Over HTTP and in this process: one text, one count of the prompt."""
    local = HuggingFaceModel("tiny", model_path=str(tiny), device="cpu")
    here = await local.generate_response("hello", max_tokens=40)
    there = await model.generate_response("hello", max_tokens=40)
    assert there.text == here.text == ANSWER
    assert there.usage.prompt_tokens == here.usage.prompt_tokens
    assert there.finish_reason == "stop"
    await local.cleanup()


async def test_its_stream_is_read(model):
    """The same in pieces."""
    chunks = [chunk async for chunk in model.stream_response("hello", max_tokens=40)]
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert chunks[-1].finish_reason == "stop"


async def test_an_answer_that_is_cut_says_so(model):
    """By max_tokens."""
    answer = await model.generate_response("hello", max_tokens=2)
    assert (answer.finish_reason, answer.usage.completion_tokens) == ("length", 2)


async def test_when_it_dies_the_model_in_this_process_answers(model, served, tiny):
    """The last test, since nothing comes after."""
    async with ModelRegistry(selection_strategy="round-robin") as registry:
        registry.register_model(model)
        registry.register_model(HuggingFaceModel("tiny", model_path=str(tiny), device="cpu"))
        served.kill()
        answers = [await registry.generate_response("hello", max_tokens=40) for _ in range(3)]
        assert {(answer.text, answer.model_id) for answer in answers} == {(ANSWER, "huggingface/tiny")}
        await registry.cleanup()
