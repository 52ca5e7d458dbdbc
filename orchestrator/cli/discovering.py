"""`orchestrator models discover`: what there is elsewhere, asked of many lists at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.comparing import Storage, kept_in
from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.catalog.discovery import Finding
    from orchestrator.catalog.source import ModelSource
    from orchestrator.core.info import ModelInfo

__all__ = ["discover"]


def discover(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE[=PLACE]...]", help="Lists to ask, with a file or an address of your own."),
    ] = None,
    *,
    where: Annotated[
        str | None, typer.Option("--where", metavar="QUERY", help='Only these, as in {"context_size": {"$gte": 8000}}.')
    ] = None,
    storage: Storage = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Ask sources for their models; without names: Ollama, and every provider whose key is set.

    With --storage, what they list is registered in that file; notes that are there stay.
    """
    import asyncio

    with plainly(debug=debug):
        findings, models = asyncio.run(_found(_sources(sources or []), where, storage))
        _print(findings, models, as_json=as_json)
        if all(finding.problem for finding in findings.values()):
            raise typer.Exit(1)


async def _found(
    sources: Mapping[str, ModelSource], where: str | None, storage: Any
) -> tuple[dict[str, Finding], list[ModelInfo]]:
    """What came of asking each source, and the models that are wanted."""
    from orchestrator.integrations.transport import close_sessions
    from orchestrator.models.roster.entries import model_of

    query, manager = _query(where), kept_in(storage)
    for name, source in sources.items():
        manager.register_source(name, source)
    try:
        findings = await manager.discover(*sources, auto_register=storage is not None, query=query)
    finally:
        await close_sessions()
    manager.registry.save()
    entries = (entry for finding in findings.values() for entry in finding.models)
    models = {model.id: model for model in (model_of(None, entry) for entry in entries)}
    if query is not None:
        from orchestrator.core.query import compiled

        meant = compiled(query)
        models = {model_id: model for model_id, model in models.items() if meant(model)}
    return findings, [model.info for model in models.values()]


def _query(where: str | None) -> Any:
    """The query of `--where`; wrong ones are told before anybody is asked."""
    import json

    from orchestrator.core.query import compiled

    if where is None:
        return None
    try:
        query = json.loads(where)
        compiled(query)
    except (ValueError, TypeError, RecursionError) as wrong:
        raise UsageError(f"--where: {wrong}") from None
    return query


def _sources(asked: Iterable[str]) -> dict[str, ModelSource]:
    """The sources named, or those that can be asked from here."""
    named = {name: _source(name, place) for name, _, place in (one.partition("=") for one in asked)}
    return named or {name: _source(name, "") for name in _at_hand()}


def _source(name: str, place: str) -> ModelSource:
    import os

    from orchestrator.catalog.sources import CATALOGUES, source_named
    from orchestrator.cli.discovery import ollama_address
    from orchestrator.errors import ConfigurationError

    if name == "ollama" and not place and not os.environ.get("OLLAMA_BASE_URL"):
        place = ollama_address(os.environ)
    options = {} if not place else {"place" if name in CATALOGUES else "base_url": place}
    try:
        return source_named(name, **options)
    except ConfigurationError as wrong:
        raise UsageError(str(wrong)) from None


def _at_hand() -> list[str]:
    """Ollama, and the providers whose key is set."""
    from orchestrator.catalog.sources import SOURCES
    from orchestrator.catalog.sources.provider import ProviderAPISource
    from orchestrator.errors import ConfigurationError
    from orchestrator.integrations.providers import known_providers

    def ready(name: str) -> bool:
        try:
            return ProviderAPISource(name).setup_issue() is None
        except ConfigurationError:  # a provider of a plug-in may have no list
            return False

    by_name_only = {*SOURCES, "compatible", "vllm", "lmstudio", "llamacpp"}
    return ["ollama", *(name for name in known_providers() if name not in by_name_only and ready(name))]


def _print(findings: Mapping[str, Finding], models: list[ModelInfo], *, as_json: bool) -> None:
    from orchestrator.cli.model_table import table_of
    from orchestrator.cli.tables import console, print_json

    for finding in findings.values():
        if finding.problem:
            typer.echo(f"orchestrator: {finding.problem}", err=True)
        if finding.dropped:
            flaws = ", ".join(f"{count} {flaw}" for flaw, count in finding.dropped.items())
            typer.echo(f"orchestrator: {finding.source}: left out {flaws}", err=True)
    rows = [_row(info) for info in models]
    if as_json:
        told = {name: {"models": len(one.models), "problem": one.problem} for name, one in findings.items()}
        print_json({"sources": told, "models": rows})
    else:
        console().print(table_of(rows))


def _row(info: ModelInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "context_window": info.context_window,
        "input_usd_per_1m": None if info.cost is None else info.cost.input,
        "output_usd_per_1m": None if info.cost is None else info.cost.output,
        "is_local": info.is_local,
        "capabilities": sorted(info.capabilities.names - {"text_generation", "streaming"}),
    }
