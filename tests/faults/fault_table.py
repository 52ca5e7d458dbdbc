"""The table of faults: one source for the tests and for docs/reference/faults.md."""

from __future__ import annotations

from fault_row import Row
from faults_of_content import CONTENT
from faults_of_load import ELSEWHERE
from faults_of_status import STATUSES
from faults_of_transport import TRANSPORT

__all__ = ["ELSEWHERE", "ROWS", "SECTIONS"]

SECTIONS: dict[str, list[Row]] = {"transport": TRANSPORT, "status": STATUSES, "content": CONTENT}
ROWS = [row for rows in SECTIONS.values() for row in rows]
