"""`orchestrator cache`: look into the answers that are kept on disk or in Redis, and forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.lasting import (
    Backend,
    CacheFailedError,
    Database,
    Directory,
    Host,
    Kind,
    Namespace,
    PasswordVariable,
    Port,
    Url,
    Whereabouts,
    opened,
)
from orchestrator.cli.options import AsJson, BaseUrl, Debug, KeyVariable

if TYPE_CHECKING:
    from orchestrator.caches.disk import DiskStore
    from orchestrator.caches.redis import RedisStore
    from orchestrator.cli.discovery import Where
    from orchestrator.cli.remembered import Call

__all__ = ["cache"]

_NAMESPACE = "orchestrator"

cache = typer.Typer(name="cache", help="Look into the answers kept on disk or in Redis.", no_args_is_help=True)


@cache.callback()
def _group() -> None:
    """Look into the answers kept on disk or in Redis, and forget them."""


@cache.command()
def stats(
    *,
    backend: Kind = Backend.DISK,
    directory: Directory = None,
    namespace: Namespace = _NAMESPACE,
    url: Url = None,
    host: Host = None,
    port: Port = None,
    db: Database = None,
    password_env: PasswordVariable = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Count what is kept, and say where and whether all is well."""
    import asyncio

    with plainly(debug=debug):
        where = Whereabouts(
            backend=backend, namespace=namespace, directory=directory,
            url=url, host=host, port=port, db=db, password_variable=password_env,
        )  # fmt: skip
        row = asyncio.run(_surveyed(where))
        _show(row, as_json=as_json)
        if row["entries"] is None:
            raise CacheFailedError(_trouble(row["level"], row["place"], row["trouble"]))


async def _surveyed(where: Whereabouts) -> dict[str, Any]:
    """The level's figures; hits and misses are counted by the process that asks, and unknown here."""
    async with opened(where) as level:
        figures = await level.survey()
        return {
            "level": level.name,
            "place": level.place,
            "namespace": where.namespace,
            "entries": figures.entries,
            "bytes": figures.bytes,
            "faults": figures.faults,
            "available": figures.available,
            "trouble": figures.trouble,
        }


def _show(row: dict[str, Any], *, as_json: bool) -> None:
    from orchestrator.cli.figures import BLANK, size
    from orchestrator.cli.tables import console, print_json, table

    if as_json:
        print_json({"levels": [row]})
        return
    columns = (("Level", "left"), ("Where", "left"), ("Entries", "right"), ("Size", "right"), ("State", "left"))
    made = table(f"Cache {row['namespace']}", *columns)
    entries = BLANK if row["entries"] is None else f"{row['entries']:,}"
    state = f"faults: {row['faults']}, the last: {row['trouble']}" if row["faults"] else "well"
    made.add_row(
        row["level"], row["place"], entries, size(row["bytes"]), state if row["available"] else f"off; {state}"
    )
    console().print(made)


@cache.command()
def get(
    *,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="The key; without it, --model and --prompt.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="PROVIDER/NAME", help="The model that was asked.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="What it was asked.")] = None,
    system: Annotated[str | None, typer.Option(help="The system prompt of that call.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter of that call; repeat for several.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Who asked.")] = None,
    base_url: BaseUrl = None,
    key_env: KeyVariable = None,
    backend: Kind = Backend.DISK,
    directory: Directory = None,
    namespace: Namespace = _NAMESPACE,
    url: Url = None,
    host: Host = None,
    port: Port = None,
    db: Database = None,
    password_env: PasswordVariable = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Print a remembered answer, by its key or by the call that it answers; nobody is asked."""
    import asyncio

    from orchestrator.cli.discovery import Where
    from orchestrator.cli.remembered import Call, in_words
    from orchestrator.cli.tables import print_json

    with plainly(debug=debug):
        where = Whereabouts(
            backend=backend, namespace=namespace, directory=directory,
            url=url, host=host, port=port, db=db, password_variable=password_env,
        )  # fmt: skip
        details = (system, param, tenant, base_url, key_env)
        if not (key and model is prompt is None and not any(details)) and not (key is None and model and prompt):
            raise UsageError("give either KEY alone, or --model and --prompt with all else that the call said")
        call = None if key else Call(prompt=prompt or "", system=system, tenant=tenant, params=param or ())
        model_at = Where(names=[model or ""], base_url=base_url, key_variable=key_env)
        told = asyncio.run(_remembered(where, key, call, model_at))
        print_json(told) if as_json else typer.echo(in_words(told))


async def _remembered(where: Whereabouts, key: str | None, call: Call | None, model_at: Where) -> dict[str, Any]:
    """The record under a key, or under the key of a call."""
    from orchestrator.cli.remembered import record
    from orchestrator.core.clock import SYSTEM_CLOCK

    if key is None:
        assert call is not None
        key = await call.key(model_at)
    async with opened(where) as level:
        raw = await level.read(key)
        told = None if raw is None else record(raw, now=SYSTEM_CLOCK.time())
        if told is None:
            _check(level)
            raise CacheFailedError(f"nothing is remembered under {key!r} in the {level.name} cache at {level.place!r}")
        return {"key": key, "level": level.name, **told}


@cache.command()
def clear(
    *,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="PROVIDER/NAME", help="What this model has answered.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="NAME", help="What bears this tag.")] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="What belongs to this tenant.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything in the namespace.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --all.")] = False,
    backend: Kind = Backend.DISK,
    directory: Directory = None,
    namespace: Namespace = _NAMESPACE,
    url: Url = None,
    host: Host = None,
    port: Port = None,
    db: Database = None,
    password_env: PasswordVariable = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Forget what matches all that is given, or everything; a running process keeps what is in its own memory."""
    import asyncio

    from orchestrator.cli.tables import print_json

    with plainly(debug=debug):
        by = {name: value for name, value in (("model", model), ("tag", tag), ("tenant", tenant)) if value}
        if everything is bool(by):
            raise UsageError("say what to forget: --model, --tag and --tenant in any combination, or --all alone")
        where = Whereabouts(
            backend=backend, namespace=namespace, directory=directory,
            url=url, host=host, port=port, db=db, password_variable=password_env,
        )  # fmt: skip
        place = asyncio.run(_place(where))
    if everything and not yes:
        typer.confirm(f"Forget all of {namespace!r} in the {backend} cache at {place!r}?", abort=True, err=True)
    with plainly(debug=debug):
        gone = asyncio.run(_forgotten(where, by))
        told = f"{gone:,} {'entry' if gone == 1 else 'entries'} forgotten"
        print_json({"forgotten": gone}) if as_json else typer.echo(told)


async def _place(where: Whereabouts) -> str:
    async with opened(where) as level:
        return level.place


async def _forgotten(where: Whereabouts, by: dict[str, str]) -> int:
    """How many entries went; an error when the level could not do it, or not to the end."""
    from orchestrator.core.cache import ModelCache
    from orchestrator.core.caching.levels import Which

    async with opened(where) as level:
        kept = ModelCache(backend=(level,))
        if by:
            gone = await kept.invalidate(**by)
        else:
            gone = await level.drop(Which())  # the entries are counted; clear() takes what helps to find them, too
            await kept.clear()
        _check(level)
        return gone


def _check(level: DiskStore | RedisStore) -> None:
    """A level never raises; here its troubles are what the caller wants to know."""
    trouble = level.figures().trouble
    if trouble is not None:
        raise CacheFailedError(_trouble(level.name, level.place, trouble))


def _trouble(name: str, place: str, trouble: str | None) -> str:
    return f"the {name} cache at {place!r} cannot do that: {trouble or 'it does not say why'}"
