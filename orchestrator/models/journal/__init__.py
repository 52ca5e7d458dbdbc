"""The journal: every decision with its candidates, its outcome and its rating, written off the path of requests."""

from __future__ import annotations

from orchestrator.models.journal.entry import Entry
from orchestrator.models.journal.journal import Journal
from orchestrator.models.journal.reading import entries_of_request, read_entries

__all__ = ["Entry", "Journal", "entries_of_request", "read_entries"]
