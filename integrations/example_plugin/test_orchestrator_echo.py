"""How a plug-in is tested, in its own folder: pip install . pytest pytest-asyncio, then pytest."""

import asyncio
import doctest

import orchestrator_echo
import pytest
from orchestrator_echo import EchoModel

from orchestrator.errors import InvalidRequestError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing.contracts import ModelContract


class TestEcho(ModelContract):
    """Everything that the engine expects of a model."""

    @staticmethod
    def make():
        return EchoModel(name="any", provider="echo")


def test_once_installed_an_id_is_enough():
    """The entry point's name is the provider's."""
    answer = ModelRegistry().get_model("echo/any-name")("Hello out there")
    assert (answer.text, answer.model_id, answer.usage.total_tokens) == ("Hello out there", "echo/any-name", 6)


def test_it_streams_what_it_would_have_said():
    """The pieces make up the answer, and the last one has the usage of the whole."""

    async def chunks():
        return [chunk async for chunk in TestEcho.make().stream_response("Hello out there")]

    pieces = asyncio.run(chunks())
    assert [chunk.text for chunk in pieces] == ["Hello", " out", " there", ""]
    assert (pieces[-1].usage.total_tokens, pieces[-1].response.text) == (6, "Hello out there")


def test_it_refuses_in_the_words_of_the_engine():
    """A request it cannot take is the caller's fault: no other model is asked, and nobody is blamed."""
    echo = TestEcho.make()
    with pytest.raises(InvalidRequestError, match="nothing to repeat"):
        echo("   ")
    assert echo.metrics.calls == 0


def test_its_examples_hold():
    """What its docstring shows is what happens."""
    assert doctest.testmod(orchestrator_echo).failed == 0
