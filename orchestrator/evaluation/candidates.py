"""The selector to be judged: made by name, class or recipe, with the objective it has to pursue."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.evaluation.peers import PEERS
from orchestrator.evaluation.reward import Reward
from orchestrator.selectors import DEFAULT, selector_named, selector_names
from orchestrator.selectors.pacing import Paced
from orchestrator.selectors.selector import ModelSelector

__all__ = ["Candidate", "candidate", "candidate_of", "name_of"]

Candidate = str | type[ModelSelector] | ModelSelector | Callable[[Objective], ModelSelector]


def candidate_of(selector: Candidate) -> tuple[Candidate, dict[str, Any]]:
    """A name apart from the options written behind it.

    >>> candidate_of("ucb:exploration_factor=0.25,min_trials=3")
    ('ucb', {'exploration_factor': 0.25, 'min_trials': 3})
    """
    if not isinstance(selector, str):
        return selector, {}
    name, _, tail = selector.partition(":")
    options = dict(_option(selector, part) for part in tail.split(",")) if tail else {}
    if name == "default":
        name = DEFAULT
    elif name not in PEERS and name not in selector_names():
        selector_named(name)  # says which names there are
    return name, options


def _option(spec: str, part: str) -> tuple[str, Any]:
    name, found, value = part.partition("=")
    if not found or not name.strip().isidentifier():
        raise ConfigurationError(f"selector {spec!r}: write options as NAME:option=value,option=value")
    try:
        return name.strip(), literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return name.strip(), value.strip()


def candidate(
    selector: Candidate, *, reward: Reward, budget_usd: float | None = None, options: Mapping[str, Any] | None = None
) -> ModelSelector:
    """A fresh selector; one given as an object is copied, a function is called with the objective.

    The budget is set where the selector keeps one.
    """
    made = _made(selector, reward, options or {})
    if budget_usd is not None and isinstance(made, Paced):
        made.set_budget(budget_usd)
    return made


def _made(selector: Candidate, reward: Reward, options: Mapping[str, Any]) -> ModelSelector:
    recipe, written = candidate_of(selector)
    if isinstance(recipe, ModelSelector):
        return deepcopy(recipe)
    if isinstance(recipe, str) and recipe in PEERS:
        return PEERS[recipe](reward)
    if not isinstance(recipe, str | type):
        return recipe(reward.objective)
    return selector_named(recipe, objective=reward.objective, **{**written, **options})


def name_of(selector: Candidate) -> str:
    """What to call it in a table."""
    if isinstance(selector, str):
        return selector
    own = getattr(selector, "name", None) or getattr(selector, "__name__", None)
    return str(own or type(selector).__name__)
