"""`orchestrator serve`: the models at hand behind one address, for clients in any language."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import BaseUrl, Debug, KeyVariable, ModelNames, Selector

if TYPE_CHECKING:
    from orchestrator.cli.demo.served import Demo
    from orchestrator.cli.discovery import Where
    from orchestrator.gateway import Gateway, GatewaySettings
    from orchestrator.gateway.workers import Place
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
    traffic: Annotated[
        bool, typer.Option("--traffic", help="With --demo: emulated callers, and an outage now and then.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, help="Processes behind the one address.")] = 1,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="URL", help="Share and keep what is learnt: redis://... or sqlite:///path."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Serve the models over HTTP to the clients of OpenAI and Anthropic; `model: "auto"` lets the engine choose.

    Who may call is read from ORCHESTRATOR_GATEWAY_KEYS (NAME:KEY, separated by commas), or from the file; the key that
    opens the dashboard's buttons from ORCHESTRATOR_OPERATOR_KEY.
    """
    import asyncio
    import os
    from secrets import token_urlsafe

    from orchestrator.cli.demo.served import Demo
    from orchestrator.cli.discovery import Where
    from orchestrator.gateway.workers import place_in

    with plainly(debug=debug):
        if traffic and not demo:
            raise UsageError("--traffic goes with --demo: real models are not called for show")
        told = None if config is None else _read(config)
        token = token_urlsafe(16) if demo and "ORCHESTRATOR_OPERATOR_KEY" not in os.environ else None
        settings = _settings(told, host, port, operator_key=token)
        reread = None if config is None else lambda: _settings(_read(config), host, port, operator_key=token)
        found = Where(names=model or (), base_url=base_url, key_variable=key_env)
        where = told if told is not None else Demo(traffic) if demo else found
        place, state = place_in(), _state(state, told)
        if workers > 1 and place is None:
            _lead(workers, settings, token, state=state, told=told)
        else:
            asyncio.run(_serve(settings, where, selector, token=token, state=state, place=place, reread=reread))


def _read(path: str) -> Settings:
    from orchestrator.settings import export_dotenv, load_settings

    export_dotenv()
    return load_settings(path)


def _state(given: str | None, told: Settings | None) -> str | None:
    """The address of the state, of which the command's is the last word; "" where the file says it all."""
    import os

    from orchestrator.gateway.workers import STATE

    if given is not None or told is None:
        return given or os.environ.get(STATE)
    return "" if "state" in told.sections else None


def _lead(
    workers: int, settings: GatewaySettings, token: str | None, *, state: str | None, told: Settings | None
) -> None:
    """Be the parent of so many processes that run this command; all have the same key for the dashboard.

    What is wrong with the state or the settings is said once, and not by every worker again and again.
    """
    from orchestrator.gateway.workers import serve_with_workers
    from orchestrator.models.configuring import check
    from orchestrator.state.addresses import state_store_at

    if state:
        state_store_at(state).close()
    if told is not None:
        check(told)
    shared = {} if token is None else {"ORCHESTRATOR_OPERATOR_KEY": token}
    if token is not None:
        typer.echo(f"the key of the dashboard's buttons is {token}")
    serve_with_workers(workers, settings.host, settings.port, told=shared, has_state=state is not None, say=typer.echo)


def _settings(
    told: Settings | None, host: str | None, port: int | None, *, operator_key: str | None
) -> GatewaySettings:
    import os

    from orchestrator.gateway.configured import gateway_settings
    from orchestrator.gateway.settings import keys_in
    from orchestrator.settings import Settings

    keys = keys_in(os.environ.get("ORCHESTRATOR_GATEWAY_KEYS", "")) or None
    operator_key = os.environ.get("ORCHESTRATOR_OPERATOR_KEY") or operator_key
    given = {"host": host, "port": port, "keys": keys, "operator_key": operator_key}
    return gateway_settings(told if told is not None else Settings(), **given)


async def _serve(
    settings: GatewaySettings,
    where: Where | Settings | Demo,
    selector: str,
    *,
    token: str | None,
    state: str | None,
    place: Place | None,
    reread: Callable[[], GatewaySettings] | None,
) -> None:
    from orchestrator.gateway import Gateway
    from orchestrator.gateway.serving import serve_until_told

    async with _models(where, selector) as registry:
        if state:
            registry.share(state)
        gateway = Gateway(registry, settings, siblings=None if place is None else place.siblings)
        ready = (lambda url: _tell(gateway, url, token)) if place is None or place.number == 1 else (lambda _: None)
        with nullcontext() if reread is None else _reloading_on_hangup(gateway, reread):
            await serve_until_told(gateway, ready=ready, place=place)


@asynccontextmanager
async def _models(where: Where | Settings | Demo, selector: str) -> AsyncIterator[ModelRegistry]:
    """The models found, those of settings, or emulated ones."""
    from orchestrator.cli.demo.served import Demo, served
    from orchestrator.cli.discovery import discover
    from orchestrator.settings import Settings

    if isinstance(where, Settings):
        from orchestrator.models.model_registry import ModelRegistry

        yield ModelRegistry.from_config(where)
        return
    if isinstance(where, Demo):
        async with served(where, selector=selector) as registry:
            yield registry
        return
    yield await discover(where, selector=selector)


@contextmanager
def _reloading_on_hangup(gateway: Gateway, reread: Callable[[], GatewaySettings]) -> Iterator[None]:
    """SIGHUP reads the settings again, as it does for other servers; wrong ones change nothing."""
    import asyncio
    import signal

    from orchestrator.errors import ConfigurationError

    def reload() -> None:
        try:
            settings = gateway.heedable(reread())
            done = gateway.registry.reload()
        except ConfigurationError as error:
            typer.echo(f"orchestrator: nothing reloaded: {error}", err=True)
            return
        gateway.heed(settings)
        later = [name for name in done.at_next_start if name != "gateway"]
        waits = f"; from the next start on: {', '.join(later)}" if later else ""
        typer.echo(f"reloaded: {len(done.added)} new, {len(done.changed)} changed, {len(done.removed)} gone{waits}")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _tell(gateway: Gateway, url: str, token: str | None) -> None:
    """Where everything is; a token made up for this run is told, one of the user's own never is."""
    names = list(gateway.registry)
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    typer.echo(f"serving {len(names)} models ({shown})")
    typer.echo(f"  OpenAI     {url}/v1   (model: auto)")
    typer.echo(f"  Anthropic  {url}")
    typer.echo(f"  dashboard  {url}/" + (f"#token={token}" if token else ""))
    if not gateway.settings.keys:
        typer.echo("  no keys are set: whoever reaches this port may call")
