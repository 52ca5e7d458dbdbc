"""Settings as they were written: mappings and lists that know the file and line of each of their parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["Branch", "Place", "Tree", "merged", "planted", "unknown_key"]


class Place(NamedTuple):
    """Where a setting was written: a file and its line, or the name of something that is no file.

    >>> str(Place("models.yaml", 3)), str(Place("$ORCHESTRATOR_CONFIG"))
    ('models.yaml:3', '$ORCHESTRATOR_CONFIG')
    """

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


class Tree(dict[str, Any]):
    """A mapping of settings; `at` tells where a key was written."""

    def __init__(self, items: Mapping[str, Any] | None = None, *, place: Place) -> None:
        super().__init__(items or {})
        self.place = place
        self.places: dict[str, Place] = {}

    def at(self, key: str) -> Place:
        """Where this key was written, or where the mapping begins."""
        return self.places.get(key, self.place)

    def put(self, key: str, value: Any, place: Place) -> None:
        """Set a key that was written there."""
        self[key] = value
        self.places[key] = place

    def take(self, key: str, kind: type[Any], default: Any = None) -> Any:
        """Take a key out; a ConfigurationError when its value is of another kind."""
        value, place = self.pop(key, None), self.at(key)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ConfigurationError(f"{place}: {key!r}: give {_KINDS[kind]}, not {_kind(value)}")
        return value


class Branch(list[Any]):
    """A list of settings."""

    def __init__(self, items: Any = (), *, place: Place) -> None:
        super().__init__(items)
        self.place = place
        self.places: list[Place] = [place] * len(self)

    def add(self, value: Any, place: Place) -> None:
        """Append what was written there."""
        self.append(value)
        self.places.append(place)

    def placed(self) -> Iterator[tuple[Any, Place]]:
        """Every element with its place."""
        return zip(self, self.places, strict=True)


_KINDS: dict[type[Any], str] = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number"}


def _kind(value: Any) -> str:
    return next((name for kind, name in reversed(_KINDS.items()) if isinstance(value, kind)), type(value).__name__)


def planted(value: Any, place: Place) -> Any:
    """Plain mappings and lists as trees and branches, all of one place."""
    if isinstance(value, Mapping):
        tree = Tree(place=place)
        for key, one in value.items():
            if not isinstance(key, str):
                raise ConfigurationError(f"{place}: the key {key!r} is no text")
            tree.put(key, planted(one, place), place)
        return tree
    if isinstance(value, list | tuple):
        return Branch([planted(one, place) for one in value], place=place)
    return value


def merged(first: Tree, second: Tree) -> Tree:
    """Both; mappings are merged key by key, lists are joined, and for the rest the first wins."""
    made = Tree(place=first.place)
    for key in {**first, **second}:
        if key not in second:
            made.put(key, first[key], first.at(key))
        elif key not in first or first[key] is None:
            made.put(key, second[key], second.at(key))
        else:
            made.put(key, _joined(first[key], second[key]), first.at(key))
    return made


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, Tree) and isinstance(second, Tree):
        return merged(first, second)
    if isinstance(first, Branch) and isinstance(second, Branch):
        both = Branch([*first, *second], place=first.place)
        both.places = [*first.places, *second.places]
        return both
    return first


def unknown_key(place: Place, key: str, known: tuple[str, ...] | list[str], *, within: str = "") -> ConfigurationError:
    """The refusal of a key that nobody reads."""
    where = f" in {within}" if within else ""
    return ConfigurationError(f"{place}: unknown key {key[:80]!r}{where}; {did_you_mean(key[:80], list(known))}")
