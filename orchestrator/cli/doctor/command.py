"""`orchestrator doctor`: look at everything, say how it is, and leave with 1 where something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from orchestrator.cli.doctor.finding import Finding
from orchestrator.cli.failing import plainly
from orchestrator.cli.options import AsJson, Debug

__all__ = ["doctor"]

_MARKS = {"well": "✓", "absent": "·", "wrong": "✗"}
_STYLES = {"well": "", "absent": "dim", "wrong": "bold red"}


def doctor(
    *,
    probe: Annotated[
        bool, typer.Option("--probe", help="Also ask each provider for its list of models: over the network, unpaid.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what is installed, configured and, with --probe, reachable; no key is ever shown.

    Exit code 1 when something is wrong; what is merely absent is no fault.
    """
    with plainly(debug=debug):
        findings = _look(probe=probe)
        _print_json(findings) if as_json else _print(findings)
        if any(finding.state == "wrong" for finding in findings):
            raise typer.Exit(1)


def _look(*, probe: bool) -> list[Finding]:
    import asyncio

    from orchestrator.cli.doctor import configured, installed

    found = [*installed.packages(), *installed.extras()]
    found += [*configured.settings(), *configured.keys(), *configured.files()]
    return found + (asyncio.run(_probed()) if probe else [])


async def _probed() -> list[Finding]:
    from orchestrator.cli.doctor import reachable

    return [one async for one in reachable.providers()]


def _print(findings: Sequence[Finding]) -> None:
    from rich.text import Text

    from orchestrator.cli.tables import console, table

    made = table("How things stand", ("", "left"), ("Area", "left"), ("Name", "left"), ("", "left"))
    for finding in findings:
        cells = (_MARKS[finding.state], finding.area, finding.name, finding.words)
        made.add_row(*map(Text, cells), style=_STYLES[finding.state])
    console().print(made)


def _print_json(findings: Sequence[Finding]) -> None:
    from orchestrator.cli.tables import print_json

    print_json({"well": all(one.state != "wrong" for one in findings), "findings": [one._asdict() for one in findings]})
