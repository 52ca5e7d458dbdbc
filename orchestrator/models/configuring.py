"""From checked settings to a registry, and from new settings to the same registry without dropping a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.core.cache import ModelCache
from orchestrator.core.caching.settings import LevelOptions
from orchestrator.core.circuit import Rules
from orchestrator.core.info import ModelConstraints, ModelInfo
from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.integrations.providers import model_from
from orchestrator.models.budgets import Budgets
from orchestrator.models.fleet import Fleet
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.usage import UsageService
from orchestrator.selectors import ModelSelector, selector_named
from orchestrator.settings.calling import made
from orchestrator.settings.schema import Settings
from orchestrator.settings.tree import Tree, unknown_key

if TYPE_CHECKING:
    from orchestrator.models.journal import Journal
    from orchestrator.state.sharing import Sharing

__all__ = ["LIMITS", "Reloaded", "check", "configure", "reconfigured", "registry_of"]

R = TypeVar("R", bound=Fleet)
_Fits = Callable[[Any], bool]
_LIMIT_KINDS: dict[str, tuple[_Fits, str]] = {
    "deadline_s": (lambda value: type(value) in (int, float) and value > 0, "seconds above 0"),
    "max_attempts": (lambda value: type(value) is int and value > 0, "a whole number above 0"),
    "max_queue": (lambda value: type(value) is int and value >= 0, "a whole number from 0 up"),
    "wait_for_capacity": (lambda value: type(value) is bool, "true or false"),
    "hedge": (lambda value: type(value) is bool, "true or false"),
    "resume": (lambda value: type(value) is bool, "true or false"),
    "providers": (
        lambda value: isinstance(value, Tree) and all(isinstance(one, Tree) for one in value.values()),
        "a mapping of providers to their limits",
    ),
}
LIMITS = tuple(_LIMIT_KINDS)  # what the constructor takes and `limits` may set
_LIVE = {"limits", "keys", "profiles", "gateway"}  # sections that a reload applies, or that the registry does not read
_LIVE_LIMITS = ("deadline_s", "max_attempts")
_RULES = tuple(field.name for field in fields(Rules))
_SHORT_LIMITS = ("requests_per_minute", "tokens_per_minute")
_OBJECTS = ("clock", "rng", "semantic", "accounts")  # arguments that are no settings


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did: ids of models by what became of them, and sections that count from the next start only."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    at_next_start: tuple[str, ...] = ()


def registry_of(cls: type[R], settings: Settings, **given: Any) -> R:
    """A registry as the settings say; arguments that are given win."""
    registry = cls(**_parts(settings, given), **given)
    _fill(registry, settings)
    return registry


def configure(registry: Fleet, settings: Settings) -> Reloaded:
    """Set up a registry that is there already: anew while nobody has used it, else as far as it goes in use."""
    bound = registry.budgets is not None or registry.sharing is not None  # by hand, and to last
    if registry or bound or registry.settlement.outcomes:
        return reconfigured(registry, settings)
    before = registry.engine
    type(registry).__init__(registry, **_parts(settings, {}))  # whoever holds it holds the configured one
    registry.keep_listeners(before)
    _fill(registry, settings)
    return Reloaded(added=tuple(registry))


def _fill(registry: Fleet, settings: Settings) -> None:
    registry.provider_keys = dict(settings.keys)
    registry.register_models(_registered(settings))
    registry.settings = settings


def check(settings: Settings) -> None:
    """Build every part once and throw it away: what this finds nobody stumbles over later."""
    _parts(settings, {})
    for info in settings.models:
        model_from(info)


def _registered(settings: Settings) -> list[ModelInfo]:
    """The descriptions to register, with the key of their provider where they bring none of their own."""
    keys = settings.keys
    return [
        info.model_copy(update={"api_key": keys[info.provider]})
        if info.api_key is None and info.provider in keys
        else info
        for info in (settings.models if settings.auto_register else ())
    ]


def _parts(settings: Settings, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the constructor that the settings hold and the caller does not give."""
    sections = settings.sections
    parts: dict[str, Any] = {"storage_path": settings.storage_path, **_limits(sections.get("limits"))}
    objective = given.get("objective")
    if objective is None and "objective" in sections and "model_selector" not in given:
        objective = parts["objective"] = made(Objective, sections["objective"], "objective")
    if given.keys().isdisjoint(("model_selector", "selection_strategy")) and "selector" in sections:
        parts["model_selector"] = _selector(sections["selector"], objective)
        parts.pop("objective", None)  # the selector has it
    if given.keys().isdisjoint(("health_monitor", "health_check_interval")) and "health" in sections:
        parts["health_monitor"] = made(ModelHealthMonitor, sections["health"], "health", also=_RULES, never=_OBJECTS)
    if given.keys().isdisjoint(("cache", "cache_responses")) and "cache" in sections:
        parts["cache"] = _cache(sections["cache"])
    if "budgets" not in given and "budgets" in sections:
        parts["budgets"] = made(Budgets, sections["budgets"], "budgets", never=_OBJECTS)
    if "usage_service" not in given and "usage" in sections:
        parts["usage_service"] = made(UsageService, sections["usage"], "usage", never=_OBJECTS)
    if "journal" not in given and "journal" in sections:
        parts["journal"] = _journal(sections["journal"])
    if "state" not in given and "state" in sections:
        parts["state"] = _sharing(sections["state"])
    return {name: value for name, value in parts.items() if name not in given and value is not None}


def _limits(section: Tree | None) -> dict[str, Any]:
    if section is None:
        return {}
    for key, value in section.items():
        if key not in LIMITS:
            raise unknown_key(section.at(key), key, LIMITS, within="limits")
        fits, words = _LIMIT_KINDS[key]
        if value is not None and not fits(value):
            raise ConfigurationError(f"{section.at(key)}: limits: {key}={value!r}: give {words}")
    found = dict(section)
    if found.get("providers") is not None:
        providers = found["limits"] = found["providers"]
        for name in providers:
            made(ModelConstraints, providers[name], f"limits of {name}", also=_SHORT_LIMITS)
    found.pop("providers", None)
    return found


def _selector(section: Tree, objective: Objective | None) -> ModelSelector:
    options = Tree(section, place=section.place)
    options.places = section.places
    name = options.take("name", str, "default")
    try:
        return selector_named(name, objective=objective, **options)
    except (ConfigurationError, TypeError, ValueError) as error:
        at_fault = next((key for key in section if repr(key) in str(error)), "name")
        raise ConfigurationError(f"{section.at(at_fault)}: selector: {error}") from None


def _sharing(section: Tree) -> Sharing:
    from orchestrator.state.sharing import Sharing

    return made(Sharing, section, "state", never=_OBJECTS)


def _journal(section: Tree) -> Journal:
    from orchestrator.models.journal import Journal

    return made(Journal, section, "journal", never=_OBJECTS)


def _cache(section: Tree) -> ModelCache | None:
    """The cache that is described; `cache: false` is none."""
    if section.get("backend") is False:
        return None
    wanted = Tree(section, place=section.place)
    wanted.places = section.places
    if wanted.get("backend") is True:
        del wanted["backend"]
    return made(ModelCache, wanted, "cache", also=LevelOptions.__annotations__, never=_OBJECTS)


def reconfigured(registry: Fleet, settings: Settings) -> Reloaded:
    """Bring the models and limits of a registry to new settings; models that are not from settings stay.

    Newcomers are there before anybody leaves, calls in flight finish, and a model whose description did not change
    is left alone; one that did keeps what was measured and learnt.
    """
    check(settings)
    old = registry.settings if registry.settings is not None else Settings()
    before = {info.id: info for info in _registered(old)}
    after = {info.id: info for info in _registered(settings)}
    added = [model_id for model_id in after if model_id not in registry]
    changed = [one for one in after if one in registry and before.get(one) != after[one]]
    removed = [one for one in before if one not in after and one in registry]
    registry.exchange([after[one] for one in (*added, *changed)], removed)
    registry.provider_keys = dict(settings.keys)
    limits = _limits(settings.sections.get("limits"))
    for name in _LIVE_LIMITS:
        if limits.get(name) is not None:
            setattr(registry.service, name, limits[name])
    registry.settings = settings
    return Reloaded(tuple(added), tuple(changed), tuple(removed), _at_next_start(old, settings))


def _at_next_start(old: Settings, new: Settings) -> tuple[str, ...]:
    names = {*old.sections, *new.sections} - _LIVE
    later = {name for name in names if old.sections.get(name) != new.sections.get(name)}
    if old.storage_path != new.storage_path:
        later.add("storage_path")
    return tuple(sorted(later))
