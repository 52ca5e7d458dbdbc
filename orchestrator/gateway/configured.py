"""A gateway's settings from a settings file: its section, and the profiles that callers use as models."""

from __future__ import annotations

from typing import Any

from orchestrator.errors import ConfigurationError
from orchestrator.gateway.settings import GatewayKey, GatewaySettings, Profile
from orchestrator.settings import Settings, Tree, made

__all__ = ["gateway_settings"]


def gateway_settings(settings: Settings, **given: Any) -> GatewaySettings:
    """What the `gateway` section and the profiles say; arguments that are given and not None win.

    >>> from orchestrator.settings import load_settings
    >>> settings = load_settings({"gateway": {"port": 9000}, "profiles": {"cheap": {"max_cost": 0.001}}}, environ={})
    >>> gateway = gateway_settings(settings)
    >>> gateway.port, list(gateway.profiles)
    (9000, ['cheap'])
    """
    given = {name: value for name, value in given.items() if value is not None}
    section = settings.sections.get("gateway")
    if section is not None:
        rest = Tree({key: value for key, value in section.items() if key not in {"keys", *given}}, place=section.place)
        rest.places = section.places
        if "keys" not in given and section.get("keys") is not None:
            given["keys"] = _keys(section)
        section = rest
    profiles = {name: Profile.of(wanted) for name, wanted in settings.profiles.items()}
    return made(GatewaySettings, section, "gateway", profiles=profiles, **given)


def _keys(section: Tree) -> tuple[GatewayKey, ...]:
    """Keys as a list of mappings with `name` and `key`; one whose variable is not set is refused, not left open."""
    keys = section["keys"]
    if not isinstance(keys, list) or not all(isinstance(one, Tree) for one in keys):
        raise ConfigurationError(f"{section.at('keys')}: gateway: 'keys': give a list of 'name' and 'key' pairs")
    for one in keys:
        for part in ("name", "key"):
            if not isinstance(one.get(part), str):
                raise ConfigurationError(
                    f"{one.at(part)}: gateway: a key needs a {part!r}, and its variable has to be set"
                )
    return tuple(made(GatewayKey, one, "gateway key") for one in keys)
