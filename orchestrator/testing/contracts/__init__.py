"""The suites that the engine's own parts pass, for yours: subclass one, say how to make yours, and run pytest.

::

    from orchestrator.testing.contracts import SelectorContract

    class TestMine(SelectorContract):
        make = MySelector

They need pytest and pytest-asyncio.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from orchestrator.testing.contracts.cache_level import CacheLevelContract
    from orchestrator.testing.contracts.model import ModelContract
    from orchestrator.testing.contracts.model_source import ModelSourceContract
    from orchestrator.testing.contracts.model_store import ModelStoreContract
    from orchestrator.testing.contracts.selector import SelectorContract
    from orchestrator.testing.contracts.state_store import StateStoreContract

__all__ = [
    "CacheLevelContract",
    "ModelContract",
    "ModelSourceContract",
    "ModelStoreContract",
    "SelectorContract",
    "StateStoreContract",
]

_HOMES = {
    "CacheLevelContract": "cache_level",
    "ModelContract": "model",
    "ModelSourceContract": "model_source",
    "ModelStoreContract": "model_store",
    "SelectorContract": "selector",
    "StateStoreContract": "state_store",
}

# a failure shows both sides, as in a test file of your own
pytest.register_assert_rewrite(
    *(f"{__name__}.{room}" for room in (*_HOMES.values(), "choosing", "learning", "remembering", "selector_play"))
)


def __getattr__(name: str) -> Any:
    """Load a suite from its home, once (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
