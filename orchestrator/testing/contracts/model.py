"""What every model promises, whoever wrote it and whoever serves it, as tests."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry

__all__ = ["ModelContract"]


class ModelContract:
    """The suite for a model or a provider: `make` is a function without arguments that returns a fresh model.

    `answer` is the text with which the model under test answers every prompt; None where it says something else each
    time. A model that needs more to be made comes from a fixture of your own by the name of `model`.

    >>> class Echo(Model):
    ...     async def generate_response(self, prompt, **params):
    ...         return "Yes."
    >>> class TestEcho(ModelContract):
    ...     make = staticmethod(lambda: Echo(id="custom/echo"))
    ...     answer = "Yes."
    """

    make: ClassVar[Callable[..., Model]]
    answer: ClassVar[str | None] = None

    @pytest.fixture
    def model(self) -> Model:
        """A model that nobody has called yet."""
        return self.make()

    def says(self, text: str) -> bool:
        """True for what the model under test is expected to answer."""
        return text == self.answer if self.answer is not None else bool(text)

    @pytest.mark.asyncio
    async def test_it_answers_with_a_response(self, model: Model) -> None:
        """Text, id, finish, usage and time are there, whatever the model itself returns."""
        response = await model.generate_response("What is the answer?")
        assert isinstance(response, ChatResponse)
        assert self.says(response.text)
        assert (str(response), response.model_id) == (response.text, model.id)
        assert (response.finish_reason, response.cached, response.provider) == ("stop", None, model.provider)
        assert response.latency_s is not None
        assert response.latency_s >= 0
        assert [a.model_id for a in response.attempts] == [model.id]

    @pytest.mark.asyncio
    async def test_the_stream_says_the_same(self, model: Model) -> None:
        """The pieces make the answer; only the last has a finish, and it has the whole."""
        chunks = [chunk async for chunk in model.stream_response("What is the answer?")]
        assert all(isinstance(chunk, Chunk) for chunk in chunks)
        text = "".join(chunk.text for chunk in chunks)
        assert self.says(text)
        assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
        assert chunks[-1].response is not None
        assert (chunks[-1].finish_reason, chunks[-1].response.text) == ("stop", text)
        assert chunks[-1].usage is not None

    @pytest.mark.asyncio
    async def test_every_call_is_counted_once(self, model: Model) -> None:
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

    @pytest.mark.asyncio
    async def test_it_takes_the_common_parameters_and_every_form_of_prompt(self, model: Model) -> None:
        """Sampling parameters, a system turn, a conversation."""
        answer = await model.generate_response("hi", temperature=0, max_tokens=100, system="Be brief")
        assert self.says(answer.text)
        turns = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes?"},
            {"role": "user", "content": "?"},
        ]
        assert self.says((await model.generate_response(turns)).text)

    @pytest.mark.asyncio
    async def test_a_wrong_prompt_is_refused_before_the_call(self, model: Model) -> None:
        """The caller's fault is a TypeError, and no call was made."""
        wrongs: list[Any] = [None, 7, []]
        for wrong in wrongs:
            with pytest.raises(TypeError):
                await model.generate_response(wrong)
        assert model.metrics.calls == 0

    @pytest.mark.asyncio
    async def test_it_says_that_it_is_well_without_being_called(self, model: Model) -> None:
        """A health check is free and is no call."""
        assert await model.health_check() is True
        assert model.setup_issue() is None
        assert model.metrics.calls == 0

    @pytest.mark.asyncio
    async def test_leaving_a_stream_early_is_no_failure(self, model: Model) -> None:
        """Nothing stays open, nothing is counted."""
        registry = ModelRegistry()
        registry.register_model(model)
        stream: Any = model.stream_response("What is the answer?")
        await anext(stream)
        await stream.aclose()
        assert (model.metrics.calls, model.metrics.in_flight) == (0, 0)

    @pytest.mark.asyncio
    async def test_many_calls_at_once(self, model: Model) -> None:
        """Sixteen callers have sixteen answers."""
        answers = await asyncio.gather(*(model.generate_response(f"number {i}") for i in range(16)))
        assert all(self.says(answer.text) for answer in answers)
        assert len({answer.id for answer in answers}) == 16

    @pytest.mark.asyncio
    async def test_it_can_be_used_again_after_its_cleanup(self, model: Model) -> None:
        """`cleanup` lets go; the next call opens what it needs."""
        await model.initialize()
        await model.generate_response("one")
        await model.cleanup()
        assert self.says((await model.generate_response("two")).text)

    @pytest.mark.asyncio
    async def test_a_pickled_model_is_the_same_model_without_its_secrets(self, model: Model) -> None:
        """Facts travel to another process."""
        twin = pickle.loads(pickle.dumps(model))  # noqa: S301 - made on the spot
        assert isinstance(twin, Model)
        assert (type(twin), twin.id, twin.capabilities) == (type(model), model.id, model.capabilities)
        assert copy.copy(model).id == model.id
