"""`orchestrator status`: what the dashboard shows, in a terminal, from a gateway that runs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, Debug
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    import aiohttp

__all__ = ["status"]

_PATIENCE_S = 5.0
_LONGEST_LINE = 16 * 1024 * 1024  # bytes: a frame with the whole of many models is one line


class UnreachableError(OrchestratorError):
    """No gateway answers there, or it does not let us look."""


def status(
    *,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Where the gateway listens.")] = (
        "http://127.0.0.1:8000"
    ),
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show every change, until Ctrl-C.")] = False,
    key_env: Annotated[
        str,
        typer.Option("--key-env", metavar="VARIABLE", help="The variable that holds an admin key, if needed."),
    ] = "ORCHESTRATOR_OPERATOR_KEY",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show which models are fit, what they do and what they cost, from a running gateway."""
    import asyncio
    from contextlib import suppress

    with plainly(debug=debug):
        if watch and as_json:
            raise UsageError("give --watch or --json, not both")
        with suppress(KeyboardInterrupt):
            asyncio.run(_watch(url, key_env) if watch else _once(url, key_env, as_json=as_json))


async def _once(url: str, key_env: str, *, as_json: bool) -> None:
    from orchestrator.cli.status_view import view
    from orchestrator.cli.tables import console, print_json

    async with _asked(url, "/dashboard/snapshot", key_env) as reply:
        seen = await reply.json()
    if as_json:
        print_json(seen)
    else:
        screen = console()
        screen.print(view(seen, width=screen.width))


async def _watch(url: str, key_env: str) -> None:
    from rich.live import Live

    from orchestrator.cli.status_view import view
    from orchestrator.cli.tables import console

    with Live(console=console(), auto_refresh=False) as live:
        async for seen in _states(url, key_env):
            live.update(view(seen, width=live.console.width), refresh=True)
    raise UnreachableError(f"the gateway at {url} has ended its feed: it closes or restarts; run this again")


async def _states(url: str, key_env: str) -> AsyncIterator[dict[str, Any]]:
    """What is known after every event of the feed."""
    import json

    from orchestrator.gateway.dashboard import merged

    seen: dict[str, Any] = {}
    name = ""
    async with _asked(url, "/dashboard/feed", key_env) as reply:
        async for line in reply.content:
            field, _, value = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                seen = merged(seen, name, json.loads(value))
                yield seen


@asynccontextmanager
async def _asked(url: str, path: str, key_env: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """The gateway's reply; UnreachableError says what to do when there is none."""
    import aiohttp

    key = os.environ.get(key_env)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limit = aiohttp.ClientTimeout(connect=_PATIENCE_S, sock_read=None if path.endswith("feed") else _PATIENCE_S)
    async with aiohttp.ClientSession(headers=headers, timeout=limit, read_bufsize=_LONGEST_LINE) as http:
        try:
            async with http.get(url.rstrip("/") + path) as reply:
                if reply.status != 200:
                    raise UnreachableError(_refused(url, reply.status, key_env))
                yield reply
        except aiohttp.InvalidURL:
            raise UsageError(f"--url {url!r}: give an address such as http://127.0.0.1:8000") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            what = f"no gateway answers at {url} ({type(error).__name__})"
            raise UnreachableError(f"{what}: start one with 'orchestrator serve', or give --url") from None


def _refused(url: str, code: int, key_env: str) -> str:
    if code in (401, 403):
        return f"the gateway at {url} shows this to admin keys only: put one into {key_env}, or name it by --key-env"
    return f"{url} answered with status {code}: is it the address of an orchestrator gateway?"
