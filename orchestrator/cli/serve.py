"""`orchestrator serve`: the models at hand behind one address, for clients in any language."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.failing import plainly
from orchestrator.cli.options import BaseUrl, Debug, KeyVariable, ModelNames, Selector

if TYPE_CHECKING:
    from orchestrator.cli.discovery import Where
    from orchestrator.gateway import Gateway, GatewaySettings
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.settings import Settings

__all__ = ["serve"]


def serve(
    *,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Models, gateway, profiles and keys from this file.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Listen here (127.0.0.1); beyond this machine only with keys.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="8000 unless given; 0 takes any free port.")] = None,
    model: ModelNames = None,
    base_url: BaseUrl = None,
    key_env: KeyVariable = None,
    selector: Selector = "pool",
    demo: Annotated[bool, typer.Option("--demo", help="Serve emulated models: no key, no cost, no network.")] = False,
    debug: Debug = False,
) -> None:
    """Serve the models over HTTP to the clients of OpenAI and Anthropic; `model: "auto"` lets the engine choose.

    Who may call is read from ORCHESTRATOR_GATEWAY_KEYS (NAME:KEY, separated by commas), or from the file.
    """
    import asyncio

    from orchestrator.cli.discovery import Where

    with plainly(debug=debug):
        told = None if config is None else _read(config)
        settings = _settings(told, host, port)
        where = None if demo else Where(names=model or (), base_url=base_url, key_variable=key_env)
        asyncio.run(_serve(settings, where if told is None else told, selector))


def _read(path: str) -> Settings:
    from orchestrator.settings import export_dotenv, load_settings

    export_dotenv()
    return load_settings(path)


def _settings(told: Settings | None, host: str | None, port: int | None) -> GatewaySettings:
    import os

    from orchestrator.gateway.configured import gateway_settings
    from orchestrator.gateway.settings import keys_in
    from orchestrator.settings import Settings

    keys = keys_in(os.environ.get("ORCHESTRATOR_GATEWAY_KEYS", "")) or None
    return gateway_settings(told if told is not None else Settings(), host=host, port=port, keys=keys)


async def _serve(settings: GatewaySettings, where: Where | Settings | None, selector: str) -> None:
    from orchestrator.gateway import Gateway
    from orchestrator.gateway.serving import serve_until_told

    async with _models(where, selector) as registry:
        gateway = Gateway(registry, settings)
        await serve_until_told(gateway, ready=lambda url: _tell(gateway, url))


@asynccontextmanager
async def _models(where: Where | Settings | None, selector: str) -> AsyncIterator[ModelRegistry]:
    """The models found, those of settings, or emulated ones."""
    from orchestrator.cli.discovery import discover
    from orchestrator.settings import Settings

    if isinstance(where, Settings):
        from orchestrator.models.model_registry import ModelRegistry

        registry = ModelRegistry.from_config(where)
        with _reloading_on_hangup(registry):
            yield registry
        return
    if where is not None:
        yield await discover(where, selector=selector)
        return
    from orchestrator.cli.demo.fleet import FLEET, infos
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.testing import Emulator

    async with Emulator(FLEET) as emulator:
        registry = ModelRegistry(selector, cache_responses=True)
        for info in infos(emulator):
            registry.register_model(info)
        yield registry


@contextmanager
def _reloading_on_hangup(registry: ModelRegistry) -> Iterator[None]:
    """SIGHUP reads the settings again, as it does for other servers; wrong ones change nothing."""
    import asyncio
    import signal

    from orchestrator.errors import ConfigurationError

    def reload() -> None:
        try:
            done = registry.reload()
        except ConfigurationError as error:
            typer.echo(f"orchestrator: nothing reloaded: {error}", err=True)
        else:
            typer.echo(f"reloaded: {len(done.added)} new, {len(done.changed)} changed, {len(done.removed)} gone")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _tell(gateway: Gateway, url: str) -> None:
    names = list(gateway.registry)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    typer.echo(f"serving {len(names)} models ({shown})")
    typer.echo(f"  OpenAI     {url}/v1   (model: auto)")
    typer.echo(f"  Anthropic  {url}")
    if not gateway.settings.keys:
        typer.echo("  no keys are set: whoever reaches this port may call")
