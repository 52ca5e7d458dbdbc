"""For your own tests: providers on loopback that behave as told or break, a clock you move, a guard of the network.

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
    from orchestrator.testing.fault_line import Received
    from orchestrator.testing.fault_server import FaultServer
    from orchestrator.testing.faults import (
        Answer,
        Begin,
        Drip,
        End,
        Finish,
        HalfClose,
        HangUp,
        Head,
        Hold,
        NeverRead,
        Raw,
        Refuse,
        RefuseInside,
        Reset,
        Send,
    )
    from orchestrator.testing.guard import NetworkUsedError, no_network
    from orchestrator.testing.ports import closed_port, full_port
    from orchestrator.testing.skills import CATEGORIES, Task, make_task, solve, spoil
    from orchestrator.testing.tcp_proxy import TcpProxy

__all__ = [
    "CATEGORIES",
    "HTML",
    "Answer",
    "Begin",
    "CallTool",
    "CutStream",
    "Drip",
    "Drop",
    "EmulatedModel",
    "Emulator",
    "End",
    "Fail",
    "FakeClock",
    "FaultServer",
    "Finish",
    "Garbage",
    "HalfClose",
    "Hang",
    "HangUp",
    "Head",
    "Hold",
    "InBandError",
    "LogEntry",
    "NetworkUsedError",
    "NeverRead",
    "Raw",
    "Received",
    "Refuse",
    "RefuseInside",
    "Reset",
    "Say",
    "Send",
    "Slow",
    "Step",
    "Task",
    "TcpProxy",
    "closed_port",
    "full_port",
    "make_task",
    "no_network",
    "solve",
    "spoil",
]

_HOMES = {
    "behaviour": "HTML CallTool CutStream Drop EmulatedModel Fail Garbage Hang InBandError Say Slow Step",
    "clock": "FakeClock",
    "emulator": "Emulator LogEntry",
    "fault_line": "Received",
    "fault_server": "FaultServer",
    "faults": "Answer Begin Drip End Finish HalfClose HangUp Head Hold NeverRead Raw Refuse RefuseInside Reset Send",
    "guard": "NetworkUsedError no_network",
    "ports": "closed_port full_port",
    "skills": "CATEGORIES Task make_task solve spoil",
    "tcp_proxy": "TcpProxy",
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
