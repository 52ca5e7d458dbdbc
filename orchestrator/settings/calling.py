"""A section of settings is the keyword arguments of the part it sets up: nothing is written down twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import Parameter, signature
from typing import Any, TypeVar

from orchestrator.errors import ConfigurationError, OrchestratorError
from orchestrator.settings.tree import Tree, unknown_key

__all__ = ["keywords_of", "made"]

T = TypeVar("T")
_NAMED = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def keywords_of(maker: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the arguments that can be given by keyword."""
    return tuple(name for name, one in signature(maker).parameters.items() if one.kind in _NAMED)


def made(
    maker: Callable[..., T],
    section: Tree | None,
    name: str,
    *,
    also: Iterable[str] = (),
    never: Iterable[str] = (),
    **given: Any,
) -> T:
    """What the maker makes of a section and of what is given besides; faults name file, line and key.

    `also` are keywords that the signature does not tell, `never` those that are no settings. None leaves the default.
    """
    section = section if section is not None else Tree(place=_NOWHERE)
    known = sorted({*keywords_of(maker), *also} - {*never, *given})
    for key in section:
        if key not in known:
            raise unknown_key(section.at(key), key, known, within=name)
    wanted = {key: value for key, value in section.items() if value is not None}
    try:
        return maker(**wanted, **given)
    except OrchestratorError as error:
        raise ConfigurationError(f"{_place_of(error, section)}: {name}: {error}") from None
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{_place_of(error, section)}: {name}: {_plainly(error)}") from None


def _place_of(error: Exception, section: Tree) -> object:
    """The line of the key that the message begins with, where it does."""
    first = str(error).partition("=")[0].split(" ")[-1]
    return section.at(first) if first in section else section.place


def _plainly(error: Exception) -> str:
    if isinstance(error, TypeError):
        return "a value is of the wrong kind: give numbers as numbers, and text as text"
    return str(error)


_NOWHERE: Any = "settings"
