"""`orchestrator plugins`: what can be had by name, who brought it, and what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.core.plug_ins import PlugIn, PlugInGroup

__all__ = ["plugins"]


def plugins(
    *,
    everything: Annotated[bool, typer.Option("--all", help="List what is built in too.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List installed selectors, providers, sources and connectors; each is loaded, and what is broken is named."""
    from orchestrator.core.plug_ins import unreadable_distributions

    with plainly(debug=debug):
        rows = [_row(group, *found) for group in _groups() for found in group.found()]
        unreadable = dict(unreadable_distributions())
        if as_json:
            _print_json(rows, unreadable)
            return
        _print(rows, unreadable, everything=everything)


def _groups() -> tuple[PlugInGroup, ...]:
    from orchestrator import selectors
    from orchestrator.catalog import connectors, sources
    from orchestrator.integrations import providers

    return (selectors.PLUG_INS, providers.PLUG_INS, sources.PLUG_INS, connectors.PLUG_INS)


def _row(group: PlugInGroup, plug_in: PlugIn, hidden_by: PlugIn | None) -> dict[str, Any]:
    return {
        "group": group.name,
        "name": plug_in.name,
        "target": plug_in.target,
        "distribution": plug_in.distribution,
        "version": plug_in.version,
        "built_in": plug_in.is_built_in,
        "hidden_by": None if hidden_by is None else hidden_by.distribution,
        "problem": _problem(group, plug_in),
    }


def _problem(group: PlugInGroup, plug_in: PlugIn) -> str | None:
    from orchestrator.core.plug_ins import PlugInError

    try:
        group.use(plug_in)
    except PlugInError as fault:
        return str(fault)
    return None


def _print_json(rows: list[dict[str, Any]], unreadable: dict[str, str]) -> None:
    from orchestrator.cli.tables import print_json

    print_json({"plugins": rows, "unreadable": unreadable})


def _print(rows: list[dict[str, Any]], unreadable: dict[str, str], *, everything: bool) -> None:
    from orchestrator.cli.tables import console, table

    shown = [row for row in rows if everything or row["problem"] or not row["built_in"]]
    if shown:
        made = table("Plug-ins", *((heading, "left") for heading in ("Group", "Name", "From", "Target", "State")))
        for row in shown:
            made.add_row(row["group"], row["name"], _origin(row), row["target"], _state(row))
        console().print(made)
    built_in = sum(row["built_in"] for row in rows)
    if not everything:
        typer.echo(f"{len(rows) - built_in} installed; {built_in} are built in (--all lists them)")
    for problem in (row["problem"] for row in rows if row["problem"]):
        typer.echo(f"orchestrator: {problem}", err=True)
    for name, fault in unreadable.items():
        typer.echo(f"orchestrator: the entry points of {name} cannot be read ({fault}); reinstall it", err=True)


def _origin(row: dict[str, Any]) -> str:
    if row["built_in"]:
        return "built in"
    return f"{row['distribution']} {row['version'] or ''}".strip()


def _state(row: dict[str, Any]) -> str:
    if row["problem"]:
        return "broken, left out"
    return f"hidden by {row['hidden_by']}" if row["hidden_by"] else "ready"
