"""Fixtures for your own tests: `pytest_plugins = ["orchestrator.testing.pytest_plugin"]` in `conftest.py`.

To guard a whole suite, put `pytestmark = pytest.mark.usefixtures("only_loopback")` in a module or an autouse
fixture that takes `only_loopback` in `conftest.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.testing.clock import FakeClock
from orchestrator.testing.guard import no_network

__all__ = ["fake_clock", "only_loopback"]


@pytest.fixture
def only_loopback() -> Iterator[None]:
    """The test fails when it reaches for any machine but this one."""
    with no_network():
        yield


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock of the test's own, at zero."""
    return FakeClock()
