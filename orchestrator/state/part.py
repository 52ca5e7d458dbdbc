"""What several processes share one kind of knowledge by: the news of this one, and what the others have to say."""

from __future__ import annotations

from typing import Protocol

from orchestrator.state.store import Sums

__all__ = ["Part"]


class Part(Protocol):
    """One kind of record, by the word that its names begin with. All verbs come from the event loop's thread."""

    kind: str

    def news(self) -> Sums:
        """What has been added here since the last time; whoever asks sees to it that it arrives, once."""

    def arrived(self) -> None:
        """The news asked for last have arrived."""

    def absorb(self, changes: Sums) -> None:
        """What others have added: signed differences of the totals."""
