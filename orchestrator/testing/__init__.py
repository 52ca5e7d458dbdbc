"""For your own tests: providers on loopback that behave as told, a clock you move, a guard against the network.

>>> import asyncio
>>> from orchestrator.testing import EmulatedModel, Emulator, Fail
>>> async def address() -> str:
...     async with Emulator([EmulatedModel("gpt-4o", script=[Fail(503)])]) as emulator:
...         return emulator.base_url("openai")
>>> asyncio.run(address())
'http://127.0.0.1:.../openai/v1'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.testing.behaviour import (
        HTML,
        CallTool,
        CutStream,
        Drop,
        EmulatedModel,
        Fail,
        Garbage,
        Hang,
        InBandError,
        Say,
        Slow,
        Step,
    )
    from orchestrator.testing.clock import FakeClock
    from orchestrator.testing.emulator import Emulator, LogEntry
    from orchestrator.testing.guard import NetworkUsedError, no_network
    from orchestrator.testing.skills import CATEGORIES, Task, make_task, solve, spoil

__all__ = [
    "CATEGORIES",
    "HTML",
    "CallTool",
    "CutStream",
    "Drop",
    "EmulatedModel",
    "Emulator",
    "Fail",
    "FakeClock",
    "Garbage",
    "Hang",
    "InBandError",
    "LogEntry",
    "NetworkUsedError",
    "Say",
    "Slow",
    "Step",
    "Task",
    "make_task",
    "no_network",
    "solve",
    "spoil",
]

_HOMES = {
    "behaviour": "HTML CallTool CutStream Drop EmulatedModel Fail Garbage Hang InBandError Say Slow Step",
    "clock": "FakeClock",
    "emulator": "Emulator LogEntry",
    "guard": "NetworkUsedError no_network",
    "skills": "CATEGORIES Task make_task solve spoil",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a public name from its home, once (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'orchestrator.testing' has no attribute {name!r}")
    value = getattr(import_module(f"orchestrator.testing.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
