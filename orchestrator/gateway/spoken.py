"""Streamed answers have an id before they have an outcome: which is which, for ratings that come later."""

from __future__ import annotations

from orchestrator.core.lately import Lately

__all__ = ["Spoken"]

_LEAST = 10_000


class Spoken:
    """The last 10,000 streamed ids, and at most as many more, with the ids that the engine knows.

    >>> spoken = Spoken()
    >>> spoken.note("chatcmpl-1", "r-7")
    >>> spoken.known("chatcmpl-1"), spoken.known("r-8")
    ('r-7', 'r-8')
    """

    def __init__(self) -> None:
        self._ids = Lately[str](least=_LEAST)

    def note(self, streamed_id: str, response_id: str) -> None:
        """This stream was that answer."""
        self._ids.note(streamed_id, response_id)

    def known(self, answer_id: str) -> str:
        """The engine's id for an id that a client saw."""
        return self._ids.get(answer_id) or answer_id
