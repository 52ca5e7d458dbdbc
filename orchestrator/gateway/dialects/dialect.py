"""What the gateway needs of a way of speaking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from orchestrator.core.messages import ChatResponse, Chunk
from orchestrator.gateway.asking import Asked
from orchestrator.gateway.refusals import Refusal

__all__ = ["Dialect", "StreamWriter"]


class StreamWriter(Protocol):
    """One streamed answer on its way out: each verb gives the bytes to send, which may be none."""

    def piece(self, choice: int, chunk: Chunk) -> bytes:
        """The frames for one piece; the first also brings what opens the stream."""

    def end(self, facts: Mapping[str, Any]) -> bytes:
        """The frames that close the stream; `facts` say who answered, why, at what cost."""

    def error(self, refusal: Refusal) -> bytes:
        """The frames for a failure after the first piece."""


class Dialect(Protocol):
    """One way of speaking; a module with these names is one."""

    ID: str  # how the ids of its answers begin

    def read(self, body: Mapping[str, Any]) -> Asked:
        """What is asked; RefusedError names the member that is missing or wrong."""

    def reply(self, asked: Asked, answers: Sequence[ChatResponse], created_s: int) -> dict[str, Any]:
        """The whole answer."""

    def writer(self, asked: Asked, answer_id: str, created_s: int) -> StreamWriter:
        """The same in pieces."""

    def error(self, refusal: Refusal) -> dict[str, Any]:
        """The body of a failure."""
