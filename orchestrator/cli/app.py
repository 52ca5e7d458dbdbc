"""The commands, gathered; each imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.ask import ask
from orchestrator.cli.batch import batch
from orchestrator.cli.bench import bench
from orchestrator.cli.cache import cache
from orchestrator.cli.config import config
from orchestrator.cli.demo.command import demo
from orchestrator.cli.doctor.command import doctor
from orchestrator.cli.explain import explain
from orchestrator.cli.models import models
from orchestrator.cli.plugins import plugins
from orchestrator.cli.prices import prices
from orchestrator.cli.replay import replay
from orchestrator.cli.serve import serve
from orchestrator.cli.status import status
from orchestrator.cli.usage import usage

__all__ = ["app"]

app = typer.Typer(
    name="orchestrator",
    help="Decides which model answers a prompt, and makes sure that one does.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they might hold keys and prompts
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's contract
    if asked:
        from importlib import import_module

        typer.echo(f"orchestrator {import_module('orchestrator').__version__}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Decides which model answers a prompt, and makes sure that one does."""


for command in (demo, ask, batch, explain, replay, serve, status, prices, usage, plugins, doctor):
    app.command()(command)
app.add_typer(bench)
app.add_typer(cache)
app.add_typer(models)
app.add_typer(config)
