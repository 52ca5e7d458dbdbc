"""Thousands of prompts from a file to a file: bounded, resumable, and paid for once.

`await run("prompts.jsonl", "answers.jsonl", registry=registry)` in code, `orchestrator batch` at a terminal.
"""

from __future__ import annotations

from orchestrator.batch.ledger import Ledger
from orchestrator.batch.lines import Line, read_lines
from orchestrator.batch.progress import Progress
from orchestrator.batch.running import RETRY, run

__all__ = ["RETRY", "Ledger", "Line", "Progress", "read_lines", "run"]
