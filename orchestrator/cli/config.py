"""`orchestrator config`: look at settings before something depends on them; secrets are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import plainly
from orchestrator.cli.options import AsJson, Debug

if TYPE_CHECKING:
    from orchestrator.settings import Settings

__all__ = ["config"]

File = Annotated[
    str | None,
    typer.Argument(metavar="FILE", help="YAML or JSON; without it, ORCHESTRATOR_CONFIG, else ./config.yaml."),
]
EnvFile = Annotated[str, typer.Option("--env-file", metavar="FILE", help="Read variables from here first.")]

config = typer.Typer(name="config", help="Check settings, and show what they come to.", no_args_is_help=True)


@config.callback()
def _group() -> None:
    """Check settings, and show what they come to."""


@config.command()
def check(*, file: File = None, env_file: EnvFile = ".env", as_json: AsJson = False, debug: Debug = False) -> None:
    """Check a file with all it includes, and every part built from it; exit code 1 names file, line and key."""
    from orchestrator.cli.tables import print_json

    with plainly(debug=debug):
        settings = _checked(file, env_file)
        missing = sorted({f"{one.name} ({one.place})" for one in settings.missing})
        if as_json:
            print_json({"models": len(settings.models), "sources": list(settings.sources), "not_set": missing})
            return
        typer.echo(f"well: {len(settings.models)} models from {', '.join(settings.sources) or 'the environment'}")
        for one in missing:
            typer.echo(f"  not set: {one}")


@config.command()
def show(*, file: File = None, env_file: EnvFile = ".env", as_json: AsJson = False, debug: Debug = False) -> None:
    """Print what the settings come to, includes and environment taken in; secrets are masked."""
    from orchestrator.cli.tables import print_json

    with plainly(debug=debug):
        settings = _checked(file, env_file)
        shown = shown_of(settings)
        print_json(shown) if as_json else _print(settings, shown)


def _checked(file: str | None, env_file: str) -> Settings:
    import os
    from pathlib import Path

    from orchestrator.gateway.configured import gateway_settings
    from orchestrator.models.configuring import check as check_parts
    from orchestrator.settings import export_dotenv, load_settings

    export_dotenv(env_file)
    named = file or os.environ.get("ORCHESTRATOR_CONFIG") or ("config.yaml" if Path("config.yaml").is_file() else None)
    settings = load_settings(named)
    check_parts(settings)
    gateway_settings(settings)
    return settings


def shown_of(settings: Settings) -> dict[str, Any]:
    """Settings as plain values, without a secret in them."""
    from orchestrator.models.storage.record import record_of

    return {
        "models": [
            {**record_of(info), **({"api_key": _MASK} if info.api_key is not None else {})} for info in settings.models
        ],
        **{name: masked(section) for name, section in settings.sections.items()},
        "profiles": {name: dict(wanted) for name, wanted in settings.profiles.items()},
        "keys": dict.fromkeys(settings.keys, _MASK),
        "storage_path": settings.storage_path,
        "auto_register": settings.auto_register,
        "auto_discover": settings.auto_discover,
        "log_level": settings.log_level,
        "sources": list(settings.sources),
        "not_set": sorted({one.name for one in settings.missing}),
    }


_MASK = "********"
_SECRET_WORDS = ("key", "password", "secret", "token", "url", "dsn")


def masked(value: Any, name: str = "") -> Any:
    """The value with everything masked that is named like a secret; an address may hold a password, and counts as one.

    >>> masked({"host": "cache", "password": "swordfish", "keys": [{"name": "web", "key": "0123"}]})
    {'host': 'cache', 'password': '********', 'keys': [{'name': 'web', 'key': '********'}]}
    """
    if isinstance(value, dict):
        return {key: masked(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one, name) for one in value]
    secret = isinstance(value, str) and any(word in name.lower() for word in _SECRET_WORDS)
    return _MASK if secret else value


def _print(settings: Settings, shown: dict[str, Any]) -> None:
    import json

    from orchestrator.cli.figures import price
    from orchestrator.cli.tables import console, table

    made = table(
        f"{len(settings.models)} models", ("Model", "left"), ("Provider", "left"), ("USD per 1M\nin", "right"),
        ("\nout", "right"), ("Key", "left"),
    )  # fmt: skip
    for info in settings.models:
        cost = info.cost
        own = info.api_key is not None or info.provider in settings.keys
        key = "given" if own else "from the environment"
        prices = (None, None) if cost is None else (cost.input, cost.output)
        made.add_row(info.id, info.provider, *map(price, prices), key)
    console().print(made)
    for name, value in shown.items():
        if name != "models" and value not in (None, {}, []):
            typer.echo(f"{name}: {json.dumps(value, ensure_ascii=False)}")
