"""The table of faults: one source for the tests and for docs/reference/faults.md and faults-around.md."""

from __future__ import annotations

from fault_row import Row
from faults_of_content import CONTENT
from faults_of_load import LOAD
from faults_of_status import STATUSES
from faults_of_stores import STORES
from faults_of_transport import TRANSPORT

__all__ = ["ELSEWHERE", "LOAD", "ROWS", "SECTIONS", "STORES"]

SECTIONS: dict[str, list[Row]] = {"transport": TRANSPORT, "status": STATUSES, "content": CONTENT}
ELSEWHERE = [*LOAD, *STORES]
ROWS = [row for rows in SECTIONS.values() for row in rows]
