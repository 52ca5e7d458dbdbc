"""How the state of a gateway looks in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.cli.figures import BLANK, bar, money, percent, seconds
from orchestrator.cli.tables import table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

__all__ = ["view"]

# a shape and a word as well as a colour, as not everybody sees all three
_MARKS = {
    "healthy": ("●", "green", "healthy"),
    "unknown": ("○", "dim", "not asked"),
    "limited": ("▲", "yellow", "waits"),
    "recovering": ("◑", "yellow", "on trial"),
    "unhealthy": ("■", "red", "out"),
    "drained": ("‖", "bold", "drained"),
}
_TROUBLE = ("unhealthy", "limited", "recovering", "drained")
_BAR_WIDTH = 10
_NARROW = 100  # columns of a terminal below which the table loses some of its own


def view(seen: Mapping[str, Any], *, width: int) -> Group:
    """What is wrong, the models with trouble first, and what all of it has cost."""
    from rich.console import Group

    rows = sorted(seen["models"], key=_urgency)
    return Group(*_troubles(seen, rows), _models(seen, rows, is_narrow=width < _NARROW), *_money(seen))


def _urgency(row: Mapping[str, Any]) -> tuple[int, int, str]:
    """Whoever is out comes first; among the calm the busiest."""
    rank = _TROUBLE.index(row["status"]) if row["status"] in _TROUBLE else len(_TROUBLE)
    return rank, -row["calls"], row["id"]


def _troubles(seen: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[Text]:
    """A line for each model that is not as it should be: why, and when it is tried again."""
    from rich.text import Text

    lines = [Text(f"■ {issue}", style="red") for issue in seen["issues"]]
    for row in rows:
        if row["status"] in _TROUBLE:
            mark, style, word = _MARKS[row["status"]]
            why = f": {row['reason']}" if row["reason"] else ""
            lines.append(
                Text.assemble(
                    (f"{mark} ", style), (row["id"], "bold"), f" {word}{why}", (_returning(row, seen["at"]), "dim")
                )
            )
    return [*lines, Text("")] if lines else []


def _returning(row: Mapping[str, Any], now_s: float) -> str:
    """When a model is asked again."""
    if row["status"] == "drained":
        return " - until somebody restores it"
    if row["status"] not in ("unhealthy", "limited"):
        return ""
    left_s = (row["returns_at"] or 0.0) - now_s
    return f" - tried again in {left_s:.0f} s" if left_s > 0 else " - tried again with the next request"


def _models(seen: Mapping[str, Any], rows: list[dict[str, Any]], *, is_narrow: bool) -> Table:
    left, right = ["", "Model", "Share"], ["Calls", "Errors", "p95", "Cost"]
    if not is_narrow:
        right = ["Calls", "Errors", "p50", "p95", "Cost", "Quality"]
    columns = [(name, "left") for name in left] + [(name, "right") for name in right]
    made = table(f"Models ({seen['engine']['policy']}{_crew(seen['engine'].get('workers'))})", *columns)
    calls = sum(row["calls"] for row in rows) or 1
    for row in rows:
        figures = _figures(row)
        made.add_row(*_who(row, row["calls"] / calls, is_narrow=is_narrow), *(figures[name] for name in right))
    return made


def _crew(workers: Mapping[str, Any] | None) -> str:
    """Whose figures these are, where several processes answer at one address."""
    if workers is None:
        return ""
    of, missing = workers["of"], workers["of"] - len(workers["told"])
    return f", {missing} of {of} workers missing" if missing else f", all {of} workers"


def _who(row: Mapping[str, Any], share: float, *, is_narrow: bool) -> list[Text]:
    from rich.text import Text

    mark, style, word = _MARKS.get(row["status"], _MARKS["unknown"])
    drawn = "" if is_narrow else f"{bar(share, width=_BAR_WIDTH)} "
    return [Text(f"{mark} {word}", style=style), Text(row["id"], style="bold"), Text(drawn + percent(share))]


def _figures(row: Mapping[str, Any]) -> dict[str, str]:
    belief = row["belief"]
    spread = (belief["high"] - belief["low"]) / 2
    return {
        "Calls": f"{row['calls']:,}",
        "Errors": percent(row["errors"] / row["calls"]) if row["calls"] else BLANK,
        "p50": seconds(row["p50_s"]),
        "p95": seconds(row["p95_s"]),
        "Cost": money(row["cost_usd"]) if row["is_priced"] else BLANK,
        "Quality": BLANK if belief["estimate"] is None else f"{belief['estimate']:.2f} ±{spread:.2f}",
    }


def _money(seen: Mapping[str, Any]) -> list[Text]:
    """What the cache has saved, and how the budgets stand."""
    from rich.text import Text

    lines = []
    cache = seen["cache"]
    if cache is not None and cache["hits"] + cache["misses"]:
        lines.append(f"Cache    {percent(cache['hit_rate'])} of look-ups, {money(cache['saved_usd'])} saved")
    for row in seen["budgets"] or ():
        spent = f"{money(row['spent_usd'])} of {money(row['limit_usd'])} spent"
        lines.append(f"Budget   {row['tenant'] or 'everybody'}, a {row['period']}: {spent}")
    return [Text(line) for line in lines]
