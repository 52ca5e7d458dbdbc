"""The options that several commands share."""

from __future__ import annotations

import math
from typing import Annotated

import typer

__all__ = ["AsJson", "BaseUrl", "Capability", "Debug", "KeyVariable", "MaxCost", "ModelNames", "Selector"]


def _amount(value: float | None) -> float | None:
    if value is not None and not 0 <= value < math.inf:
        raise typer.BadParameter(f"{value!r} is no amount of money: give US dollars from 0 up")
    return value


ModelNames = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", metavar="PROVIDER/NAME", help="Use this model; repeat for several."),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Use this server, which speaks OpenAI's dialect."),
]
KeyVariable = Annotated[
    str | None,
    typer.Option("--key-env", metavar="VARIABLE", help="The variable that holds the key for --base-url."),
]
Capability = Annotated[
    list[str] | None,
    typer.Option("--capability", "-c", metavar="NAME", help="Only models that can do this; repeat for several."),
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", metavar="USD", callback=_amount, help="Only models that stay below this a request."),
]
Selector = Annotated[
    str, typer.Option("--selector", metavar="NAME", help="How to choose: cost, performance, ucb or thompson.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print figures for machines, and nothing else.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]
