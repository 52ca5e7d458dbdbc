"""The keywords of a call, sorted: what is wanted of a model, and what the provider is told."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from orchestrator.core.requirements import REQUIREMENT_NAMES

__all__ = ["split_wanted"]

_WANTED = frozenset(REQUIREMENT_NAMES)


def split_wanted(keywords: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Requirements apart from parameters; a misspelt requirement is refused rather than sent to a provider.

    >>> split_wanted({"max_cost": 0.01, "temperature": 0})
    ({'max_cost': 0.01}, {'temperature': 0})
    >>> split_wanted({"max_costs": 0.01})
    Traceback (most recent call last):
    TypeError: 'max_costs' is neither a requirement nor a parameter; did you mean 'max_cost'?
    """
    if not keywords:
        return keywords, {}
    wanted: dict[str, Any] = {}
    params: dict[str, Any] = {}
    for name, value in keywords.items():
        if name in _WANTED:
            wanted[name] = value
        elif meant := _meant(name):
            raise TypeError(f"{name!r} is neither a requirement nor a parameter; did you mean {meant!r}?")
        else:
            params[name] = value
    return wanted, params


@lru_cache(maxsize=1024)
def _meant(name: str) -> str | None:
    """The requirement that was probably meant by a name that is none."""
    near = get_close_matches(name, REQUIREMENT_NAMES, n=1, cutoff=0.8)
    return near[0] if near else None
