"""What every selector promises, as tests."""

from __future__ import annotations

from orchestrator.testing.contracts.choosing import Choosing
from orchestrator.testing.contracts.learning import Learning
from orchestrator.testing.contracts.remembering import Remembering

__all__ = ["SelectorContract"]


class SelectorContract(Choosing, Learning, Remembering):
    """The whole suite for a selector: `make` is its class, or a function that makes one.

    >>> from orchestrator.selectors import ThompsonSelector
    >>> class TestMine(SelectorContract):
    ...     make = ThompsonSelector
    """
