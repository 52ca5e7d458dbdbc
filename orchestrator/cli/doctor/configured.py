"""What is configured: settings, keys (never shown) and the files the engine would write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.cli.doctor.finding import Finding
from orchestrator.errors import OrchestratorError

__all__ = ["files", "keys", "settings"]


def settings(environ: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """The settings file that would be read, checked with all its parts."""
    from orchestrator.models.configuring import check
    from orchestrator.settings import load_settings

    environ = os.environ if environ is None else environ
    named = environ.get("ORCHESTRATOR_CONFIG") or ("config.yaml" if Path("config.yaml").is_file() else None)
    if named is None:
        yield Finding("configured", "settings", "absent", "no file: the environment alone counts")
        return
    try:
        found = load_settings(named)
        check(found)
    except OrchestratorError as error:
        yield Finding("configured", "settings", "wrong", str(error).splitlines()[0])
        return
    unset = f"; not set: {', '.join(sorted({one.name for one in found.missing}))}" if found.missing else ""
    yield Finding("configured", "settings", "well", f"{len(found.models)} models from {named}{unset}")


def keys(environ: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """Every provider whose key is set, by variable and length; the others on one line."""
    from orchestrator.integrations.providers import known_providers

    environ = os.environ if environ is None else environ
    without: list[str] = []
    for provider in known_providers():
        variables = _variables_of(provider)
        held = next((name for name in variables if environ.get(name) or environ.get(f"{name}S")), None)
        if held is not None:
            yield _key(provider, held, environ)
        elif variables:
            without.append(provider)
    if without:
        yield Finding("keys", "others", "absent", f"none for {', '.join(sorted(without))}")


def _variables_of(provider: str) -> tuple[str, ...]:
    """The variables that may hold its key; none where it needs no key or is no service."""
    from orchestrator.integrations.compatible import SERVICES
    from orchestrator.integrations.providers import provider_class
    from orchestrator.integrations.service import Service

    service = SERVICES.get(provider) or getattr(provider_class(provider), "service", None)
    return tuple(service.key_vars) if isinstance(service, Service) and service.key_needed else ()


def _key(provider: str, variable: str, environ: Mapping[str, str]) -> Finding:
    several = environ.get(f"{variable}S")
    if several:
        count = len([key for key in several.split(",") if key.strip()])
        return Finding("keys", provider, "well", f"{variable}S holds {count} keys")
    bare = environ[variable]
    if not (bare.isascii() and bare.strip().isprintable()):
        return Finding(
            "keys", provider, "wrong", f"{variable} holds characters that no header can carry: copy it again"
        )
    return Finding("keys", provider, "well", f"{variable} is set ({len(bare.strip())} characters)")


def files(environ: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """The file that usage is kept in, where the environment names one."""
    place = (os.environ if environ is None else environ).get("ORCHESTRATOR_USAGE_FILE")
    if place:
        yield _writable("usage", Path(place).expanduser())


def _writable(what: str, place: Path) -> Finding:
    folder = place if place.is_dir() else place.parent
    if not folder.is_dir():
        return Finding("files", what, "absent", f"{place} will be made at first use")
    if not os.access(folder, os.W_OK):
        return Finding("files", what, "wrong", f"{folder} cannot be written to")
    return Finding("files", what, "well", str(place))
