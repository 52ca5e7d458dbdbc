"""From a file, a mapping and the environment to checked settings: includes, variables, sections, in this order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from orchestrator.core.info import PROVIDER_ALIASES
from orchestrator.core.outcome import Objective
from orchestrator.core.requirements import Requirements
from orchestrator.errors import ConfigurationError
from orchestrator.settings.calling import made
from orchestrator.settings.environment import from_environment
from orchestrator.settings.including import Files
from orchestrator.settings.models import described
from orchestrator.settings.schema import LEVELS, ROOT_KEYS, SECTIONS, Settings
from orchestrator.settings.tree import Branch, Place, Tree, merged, planted, unknown_key
from orchestrator.settings.variables import Missing, filled

__all__ = ["load_settings"]

_WORDS = {
    "selector": "name",
    "cache": "backend",
    "state": "store",
}  # `selector: ucb` is short for `selector: {name: ucb}`


def load_settings(
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Checked settings from a YAML or JSON file or a mapping, and from the environment, which wins.

    Relative paths of includes count from the file that names them. Whatever is wrong is a ConfigurationError that
    names file, line and key, and nothing is built from settings that are wrong.
    """
    environ = os.environ if environ is None else environ  # as a default it would show every key in help()
    files = Files(environ)
    if config is None:
        tree = Tree(place=Place("settings"))
    elif isinstance(config, Mapping):
        tree = files.complete(planted(config, Place("settings")), Path())
    else:
        tree = files.read(Path(config).expanduser())
    missing: list[Missing] = []
    filled(tree, tree.place, environ, missing)
    return _settings(merged(from_environment(environ), tree), missing, files.sources)


def _settings(tree: Tree, missing: list[Missing], sources: list[str]) -> Settings:
    for key in tree:
        if key not in ROOT_KEYS:
            raise unknown_key(tree.at(key), key, ROOT_KEYS)
    debug = tree.take("debug", bool, default=False)
    sections = {name: _section(tree, name) for name in SECTIONS if tree.get(name) is not None}
    return Settings(
        models=described(tree.take("models", list, Branch(place=tree.place)), missing),
        profiles=_profiles(sections.pop("profiles", None)),
        keys=_keys(sections.pop("keys", None)),
        sections=sections,
        storage_path=tree.take("storage_path", str),
        auto_register=tree.take("auto_register", bool, default=True),
        auto_discover=tree.take("auto_discover", bool, default=False),
        log_level=_level(tree.take("logging", dict)) or ("DEBUG" if debug else None),
        missing=tuple(missing),
        sources=tuple(sources),
    )


def _section(tree: Tree, name: str) -> Tree:
    value, place = tree[name], tree.at(name)
    if isinstance(value, str | bool) and name in _WORDS:
        value = planted({_WORDS[name]: value}, place)
    if not isinstance(value, Tree):
        raise ConfigurationError(f"{place}: {name!r}: give a mapping")
    return value


def _profiles(section: Tree | None) -> dict[str, Mapping[str, Any]]:
    """Requirements by name; each is read once here, so that a fault is found before anybody uses it."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, wanted in (section or {}).items():
        assert section is not None
        if not isinstance(wanted, Tree):
            raise ConfigurationError(f"{section.at(name)}: profile {name!r}: give a mapping of requirements")
        _check_profile(name, wanted)
        found[name] = dict(wanted)
    return found


def _check_profile(name: str, wanted: Tree) -> None:
    """Requirements, and beside them `objective` with its weights and `params` for the provider."""
    for part in ("objective", "params"):
        if not isinstance(wanted.get(part, wanted), Tree):
            raise ConfigurationError(f"{wanted.at(part)}: profile {name!r}: {part!r}: give a mapping")
    if "objective" in wanted:
        made(Objective, wanted["objective"], f"profile {name!r}")
    try:
        Requirements.of(**{key: value for key, value in wanted.items() if key not in ("objective", "params")})
    except (TypeError, ValueError, ConfigurationError) as error:
        told = str(error)
        at_fault = (key for key in wanted if repr(key) in told or f"{key}=" in told)
        raise ConfigurationError(f"{wanted.at(next(at_fault, ''))}: profile {name!r}: {error}") from None


def _keys(section: Tree | None) -> dict[str, SecretStr]:
    found = {}
    for name, key in (section or {}).items():
        assert section is not None
        if key is not None and not isinstance(key, str):
            raise ConfigurationError(f'{section.at(name)}: the key of {name!r} is a text, best as "${{NAME}}"')
        if key:
            found[PROVIDER_ALIASES.get(name.lower(), name.lower())] = SecretStr(key)
    return found


def _level(logging: Tree | None) -> str | None:
    if logging is None:
        return None
    level = logging.take("level", str)
    for key in logging:
        raise unknown_key(logging.at(key), key, ("level",), within="logging")
    if level is not None and level.upper() not in LEVELS:
        raise ConfigurationError(f"{logging.at('level')}: level={level!r}: use one of {', '.join(LEVELS)}")
    return None if level is None else level.upper()
