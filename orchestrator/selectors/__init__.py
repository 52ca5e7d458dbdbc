"""Policies that choose among models that fit: one a file, all behind one contract.

Each name is loaded when it is first asked for: the policies bring numpy, this package does not. `selectors/` at the
top of the repository tells how to add one.

>>> selector_named("ucb", exploration_factor=0.5).name
'ucb'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    from orchestrator.selectors.cost_based import CostBasedSelector
    from orchestrator.selectors.performance import PerformanceSelector
    from orchestrator.selectors.selector import Choice, ModelSelector, Slate
    from orchestrator.selectors.thompson import ThompsonSelector
    from orchestrator.selectors.ucb import UCBModelSelector

__all__ = [
    "SELECTORS",
    "Choice",
    "CostBasedSelector",
    "ModelSelector",
    "PerformanceSelector",
    "Slate",
    "ThompsonSelector",
    "UCBModelSelector",
    "selector_named",
    "selector_names",
]

GROUP = "orchestrator.selectors"  # the entry points of built-in selectors and of plug-ins

SELECTORS: dict[str, str] = {
    "cost": "orchestrator.selectors.cost_based:CostBasedSelector",
    "performance": "orchestrator.selectors.performance:PerformanceSelector",
    "thompson": "orchestrator.selectors.thompson:ThompsonSelector",
    "ucb": "orchestrator.selectors.ucb:UCBModelSelector",
}

_HOMES = {
    **{target.partition(":")[2]: target.partition(":")[0] for target in SELECTORS.values()},
    **dict.fromkeys(("Choice", "ModelSelector", "Slate"), "orchestrator.selectors.selector"),
}


def selector_names() -> list[str]:
    """Every name that `selector_named` accepts: the built-in ones and those of installed plug-ins."""
    return sorted({*SELECTORS, *(point.name for point in _plugged_in())})


def selector_named(selector: str | type[ModelSelector] | ModelSelector, **options: Any) -> ModelSelector:
    """A selector by its name, made from its class, or as it is; raises ConfigurationError for an unknown one.

    An option that is None leaves the selector's own default.
    """
    options = {name: value for name, value in options.items() if value is not None}
    policy = _class_named(selector) if isinstance(selector, str) else selector
    if isinstance(policy, type):
        return _made(policy, options)
    if options:
        raise ConfigurationError(f"{policy!r} is made already; set {', '.join(options)} where it is made")
    return policy


def _plugged_in() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _class_named(name: str) -> type[ModelSelector]:
    target = SELECTORS.get(name)
    if target is not None:
        home, _, attribute = target.partition(":")
        found: type[ModelSelector] = getattr(import_module(home), attribute)
        return found
    for point in _plugged_in().select(name=name):
        loaded: type[ModelSelector] = point.load()
        return loaded
    raise ConfigurationError(f"no selector {name!r}; {did_you_mean(name, selector_names())}")


def _made(policy: type[ModelSelector], options: dict[str, Any]) -> ModelSelector:
    from inspect import signature

    accepted = signature(policy).parameters
    unknown = sorted(options.keys() - accepted.keys())
    if unknown:
        raise ConfigurationError(
            f"{policy.__name__} has no option {unknown[0]!r}; {did_you_mean(unknown[0], list(accepted))}"
        )
    return policy(**options)


def __getattr__(name: str) -> Any:
    """Load a public name from its home, once (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
