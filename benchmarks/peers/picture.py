"""The calls of the page as a picture: CPU beside raw aiohttp, median and quartiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["draw"]

OURS, THEIRS = "#1f6feb", "#b8bfc8"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """One bar for each client, logarithmic; ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = sorted((row for row in rows if row["measure"] == "CPU"), key=lambda row: -row["ratio"])
    ratios = [row["ratio"] for row in shown]
    spread = [
        [row["ratio"] - row["q1"] for row in shown],
        [row["q3"] - row["ratio"] for row in shown],
    ]
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(shown) + 1.1))
    colors = [OURS if row["contestant"] == "engine" else THEIRS for row in shown]
    axes.barh([row["contestant"] for row in shown], ratios, xerr=spread, color=colors, ecolor="#57606a")
    axes.set_xscale("log")
    axes.set_xlim(left=0.8)
    axes.set_xlabel("CPU of a call, times raw aiohttp's (log scale; stroke: quartiles)")
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
