"""Models in a table: a row each, with window, price and abilities."""

from __future__ import annotations

from typing import Any

__all__ = ["table_of"]


def table_of(rows: list[dict[str, Any]]) -> Any:
    """Models with their figures, a row each."""
    from rich.markup import escape

    from orchestrator.cli.figures import count, price
    from orchestrator.cli.tables import table

    made = table(
        f"{len(rows)} models",
        ("Model", "left"),
        ("Context\ntokens", "right"),
        ("USD per 1M\nin", "right"),
        ("\nout", "right"),
        ("Can", "left"),
    )
    for row in rows:
        free = row["is_local"] and row["input_usd_per_1m"] is None
        made.add_row(
            escape(row["id"]),  # a list from elsewhere may hold any text
            count(row["context_window"]),
            "free" if free else price(row["input_usd_per_1m"]),
            "free" if free else price(row["output_usd_per_1m"]),
            ", ".join(name.replace("_", " ") for name in row["capabilities"]),
        )
    return made
