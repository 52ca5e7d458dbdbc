"""The table of faults as the documentation prints it, from the rows that the tests play."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HEAD = ("#", "fault", "who answers", "`error_type`", "health", "asked", "ends")
LOAD_HEAD = ("#", "fault", "what becomes of it")
ANSWERS = {"next": "the next model", "same": "this model", "caller": "nobody", "cut": "nobody; text so far"}

sys.path.append(str(ROOT / "tests" / "faults"))


def section(name: str) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    """The head and the rows of one section; faults that end alike share a row."""
    from fault_table import SECTIONS

    alike: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for row in SECTIONS[name]:
        faults = alike.setdefault((str(row.number), *ending(row)), {})
        variants = faults.setdefault(row.fault, [])
        if row.variant and row.variant not in variants:
            variants.append(row.variant)
    return HEAD, [(number, in_words(faults), *end) for (number, *end), faults in alike.items()]


def in_words(faults: Mapping[str, Sequence[str]]) -> str:
    """Each fault with its variants."""
    return "; ".join(fault + (f" ({', '.join(variants)})" if variants else "") for fault, variants in faults.items())


def ending(row: Any) -> tuple[str, ...]:
    """What becomes of a call, cell by cell."""
    error = f"`{row.error}`" if row.error else "`CapacityError`" if row.then == "caller" else ""
    asked = f"{row.asked}, alone {row.alone}" if row.alone is not None and row.alone != row.asked else str(row.asked)
    health = "" if row.health == "nothing" else str(row.health)
    if row.out_s is not None:
        health = f"set aside {row.out_s[0]:g} to {row.out_s[1]:g} s"
    return ANSWERS[row.then], error, health, asked, row.limit


def load() -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    """The faults that no server sends."""
    from fault_table import LOAD

    return _proven(LOAD)


def stores() -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    """The faults of Redis and the disk."""
    from fault_table import STORES

    return _proven(STORES)


def _proven(rows: Iterable[Any]) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    return LOAD_HEAD, [(str(row.number), row.fault, row.says) for row in sorted(rows)]
