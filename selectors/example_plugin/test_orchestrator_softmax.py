"""How a plug-in is tested, in its own folder: pip install . pytest pytest-asyncio, then pytest."""

import doctest

import orchestrator_softmax
import pytest
from orchestrator_softmax import SoftmaxSelector

from orchestrator.errors import ConfigurationError
from orchestrator.selectors import selector_named
from orchestrator.testing.contracts import SelectorContract


class TestSoftmax(SelectorContract):
    """Everything that the engine expects of a selector."""

    make = SoftmaxSelector


def test_once_installed_its_name_is_enough():
    """The entry point leads to it, with options."""
    selector = selector_named("softmax", temperature=0.5)
    assert (type(selector), selector.temperature) == (SoftmaxSelector, 0.5)


@pytest.mark.parametrize("temperature", [0, -1, float("inf"), float("nan")])
def test_a_temperature_that_is_none_is_refused(temperature):
    """At once, not at the first choice."""
    with pytest.raises(ConfigurationError, match="temperature"):
        SoftmaxSelector(temperature)


def test_its_examples_hold():
    """What its docstring shows is what happens."""
    assert doctest.testmod(orchestrator_softmax).failed == 0
