"""What every model keeps, whoever wrote it: subclass `ModelContract`, give `model`, and run.

`model` is a fixture that yields a model which answers any prompt with the text `ANSWER`.
"""

import asyncio
import copy
import pickle

import pytest

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry

ANSWER = "The answer is 42, as everybody knows."


class ModelContract:
    """The suite; each test gets a model that nobody has called yet."""

    async def test_it_answers_with_a_response(self, model):
        """Text, id, finish, usage and time are there, whatever the model itself returns."""
        response = await model.generate_response("What is the answer?")
        assert isinstance(response, ChatResponse)
        assert (response.text, str(response), response.model_id) == (ANSWER, ANSWER, model.id)
        assert (response.finish_reason, response.cached, response.provider) == ("stop", None, model.provider)
        assert response.latency_s >= 0
        assert [a.model_id for a in response.attempts] == [model.id]

    async def test_the_stream_says_the_same(self, model):
        """The pieces make the answer; only the last has a finish, and it has the whole."""
        chunks = [chunk async for chunk in model.stream_response("What is the answer?")]
        assert all(isinstance(chunk, Chunk) for chunk in chunks)
        assert "".join(chunk.text for chunk in chunks) == ANSWER
        assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        assert (chunks[-1].finish_reason, chunks[-1].response.text) == ("stop", ANSWER)
        assert chunks[-1].usage is not None

    async def test_every_call_is_counted_once(self, model):
        """Plain or streamed, inside a registry or out of it."""
        await model.generate_response("one")
        registry = ModelRegistry()
        registry.register_model(model)
        await model.generate_response("two")
        await registry.generate_response("three")
        async for _ in model.stream_response("four"):
            pass
        assert (model.metrics.calls, model.metrics.failures, model.metrics.in_flight) == (4, 0, 0)
        assert model.metrics.success_rate == 1.0
        assert registry.get_usage_summary(model.id).request_count == 3
        assert registry.selector.statistics()[model.id]["pulls"] == 3

    async def test_it_takes_the_common_parameters_and_every_form_of_prompt(self, model):
        """Sampling parameters, a system turn, a conversation."""
        assert (await model.generate_response("hi", temperature=0, max_tokens=100, system="Be brief")).text == ANSWER
        turns = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes?"},
            {"role": "user", "content": "?"},
        ]
        assert (await model.generate_response(turns)).text == ANSWER

    async def test_a_wrong_prompt_is_refused_before_the_call(self, model):
        """The caller's fault is a TypeError, and no call was made."""
        for wrong in (None, 7, []):
            with pytest.raises(TypeError):
                await model.generate_response(wrong)
        assert model.metrics.calls == 0

    async def test_it_says_that_it_is_well_without_being_called(self, model):
        """A health check is free and is no call."""
        assert await model.health_check() is True
        assert model.setup_issue() is None
        assert model.metrics.calls == 0

    async def test_leaving_a_stream_early_is_no_failure(self, model):
        """Nothing stays open, nothing is counted."""
        registry = ModelRegistry()
        registry.register_model(model)
        stream = model.stream_response("What is the answer?")
        await anext(stream)
        await stream.aclose()
        assert (model.metrics.calls, model.metrics.in_flight) == (0, 0)

    async def test_many_calls_at_once(self, model):
        """Sixteen callers have sixteen answers."""
        answers = await asyncio.gather(*(model.generate_response(f"number {i}") for i in range(16)))
        assert {answer.text for answer in answers} == {ANSWER}
        assert len({answer.id for answer in answers}) == 16

    async def test_it_can_be_used_again_after_its_cleanup(self, model):
        """`cleanup` lets go; the next call opens what it needs."""
        await model.initialize()
        await model.generate_response("one")
        await model.cleanup()
        assert (await model.generate_response("two")).text == ANSWER

    async def test_a_pickled_model_is_the_same_model_without_its_secrets(self, model):
        """Facts travel to another process."""
        twin = pickle.loads(pickle.dumps(model))
        assert isinstance(twin, Model)
        assert (type(twin), twin.id, twin.capabilities) == (type(model), model.id, model.capabilities)
        assert copy.copy(model).id == model.id
