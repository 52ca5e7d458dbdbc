"""Policies that choose among models that fit: one a file, all behind one contract.

Each name is loaded when it is first asked for: the policies bring numpy, this package does not. `selectors/` at the
top of the repository tells how to add one.

>>> selector_named("ucb", exploration_factor=0.5).name
'ucb'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.core.plug_ins import PlugInGroup
from orchestrator.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from orchestrator.selectors.cascade import CascadeSelector
    from orchestrator.selectors.category import CategorySelector
    from orchestrator.selectors.context import Context, context_of
    from orchestrator.selectors.cost_based import CostBasedSelector
    from orchestrator.selectors.epsilon_greedy import EpsilonGreedySelector
    from orchestrator.selectors.gaussian import GaussianThompsonSelector
    from orchestrator.selectors.kl_ucb import KLUCBSelector
    from orchestrator.selectors.linear import LinTSSelector, LinUCBSelector
    from orchestrator.selectors.performance import PerformanceSelector
    from orchestrator.selectors.pool import PoolSelector
    from orchestrator.selectors.round_robin import RoundRobinSelector
    from orchestrator.selectors.selector import Choice, ModelSelector, Slate
    from orchestrator.selectors.thompson import ThompsonSelector
    from orchestrator.selectors.ucb import UCBModelSelector
    from orchestrator.selectors.weighted import WeightedSelector

__all__ = [
    "DEFAULT",
    "SELECTORS",
    "CascadeSelector",
    "CategorySelector",
    "Choice",
    "Context",
    "CostBasedSelector",
    "EpsilonGreedySelector",
    "GaussianThompsonSelector",
    "KLUCBSelector",
    "LinTSSelector",
    "LinUCBSelector",
    "ModelSelector",
    "PerformanceSelector",
    "PoolSelector",
    "RoundRobinSelector",
    "Slate",
    "ThompsonSelector",
    "UCBModelSelector",
    "WeightedSelector",
    "context_of",
    "selector_named",
    "selector_names",
]

DEFAULT = "pool"  # what "default" stands for: the policy with the least regret over all recorded outcomes

SELECTORS: dict[str, str] = {
    "cascade": "orchestrator.selectors.cascade:CascadeSelector",
    "category": "orchestrator.selectors.category:CategorySelector",
    "cost": "orchestrator.selectors.cost_based:CostBasedSelector",
    "epsilon-greedy": "orchestrator.selectors.epsilon_greedy:EpsilonGreedySelector",
    "gaussian": "orchestrator.selectors.gaussian:GaussianThompsonSelector",
    "kl-ucb": "orchestrator.selectors.kl_ucb:KLUCBSelector",
    "lints": "orchestrator.selectors.linear:LinTSSelector",
    "linucb": "orchestrator.selectors.linear:LinUCBSelector",
    "performance": "orchestrator.selectors.performance:PerformanceSelector",
    "pool": "orchestrator.selectors.pool:PoolSelector",
    "round-robin": "orchestrator.selectors.round_robin:RoundRobinSelector",
    "thompson": "orchestrator.selectors.thompson:ThompsonSelector",
    "ucb": "orchestrator.selectors.ucb:UCBModelSelector",
    "weighted": "orchestrator.selectors.weighted:WeightedSelector",
}


def _unfit(found: Any) -> str | None:
    from orchestrator.selectors.selector import ModelSelector

    is_one = isinstance(found, type) and issubclass(found, ModelSelector)
    return None if is_one else f"{found!r:.80} is no subclass of ModelSelector"


PLUG_INS = PlugInGroup("orchestrator.selectors", SELECTORS, unfit=_unfit)

_HOMES = {
    **{target.partition(":")[2]: target.partition(":")[0] for target in SELECTORS.values()},
    **dict.fromkeys(("Choice", "ModelSelector", "Slate"), "orchestrator.selectors.selector"),
    **dict.fromkeys(("Context", "context_of"), "orchestrator.selectors.context"),
}


def selector_names() -> list[str]:
    """Every name that `selector_named` accepts: the built-in ones, those of installed plug-ins, and "default"."""
    return sorted({"default", *PLUG_INS})


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


def _class_named(name: str) -> type[ModelSelector]:
    name = DEFAULT if name == "default" else name
    if name in PLUG_INS:
        found: type[ModelSelector] = PLUG_INS.load(name)
        return found
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
