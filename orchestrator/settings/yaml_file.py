"""YAML, the part of it that settings need: no aliases, no tags, no duplicate keys, and no surprises.

Scalars follow the core schema of YAML 1.2: `no` is text and `true` is not, dates stay text, `012` is twelve.
"""

from __future__ import annotations

import re
from typing import Any

from orchestrator.errors import ConfigurationError
from orchestrator.settings.tree import Branch, Place, Tree

__all__ = ["parse_yaml", "scalar"]

_MOST_VALUES = 100_000
_MOST_DEPTH = 32
_MOST_CHARACTERS = 65_536  # in one text
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_FLAGS = {name: name.lower() == "true" for name in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")


def scalar(text: str) -> Any:
    """What a plain word stands for.

    >>> [scalar(word) for word in ("no", "true", "~", "5e3", "12", "1.10.2", "2026-01-01")]
    ['no', True, None, 5000.0, 12, '1.10.2', '2026-01-01']
    """
    if text in _NULLS:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def parse_yaml(text: str, source: str) -> Tree:
    """The mapping in a text; a ConfigurationError names the line of what is refused."""
    yaml = _library()
    reader = _Reader(source)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            reader.take(type(event).__name__, event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, None if mark is None else mark.line + 1)
        raise ConfigurationError(f"{place}: no YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:  # characters that no YAML may hold
        raise ConfigurationError(f"{source}: no YAML: {getattr(error, 'reason', type(error).__name__)}") from None
    return reader.root


def _library() -> Any:
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(
            "reading YAML needs PyYAML: pip install 'model-orchestrator[yaml]', or give a .json file or a dict"
        ) from None
    return yaml


class _Reader:
    """Builds the tree, event by event, and counts as it goes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._open: list[Tree | Branch] = []
        self._keys: list[tuple[str, Place] | None] = []  # of each open mapping: the key that waits for its value
        self._values = self._documents = 0
        self.root = Tree(place=Place(source))

    def take(self, kind: str, event: Any) -> None:
        """The next event of the parser."""
        if kind in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
            return
        place = Place(self._source, event.start_mark.line + 1)
        if kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                raise ConfigurationError(f"{place}: a second document begins here: settings are one")
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._keys.pop()
            self._open.pop()
        else:
            self._check(kind, event, place)
            self._begin(kind, event, place)

    def _check(self, kind: str, event: Any, place: Place) -> None:
        self._values += 1
        if kind == "AliasEvent" or event.anchor is not None:
            raise ConfigurationError(f"{place}: anchors and aliases are not allowed here: write it out")
        if event.tag is not None and event.tag != "!":
            raise ConfigurationError(f"{place}: tags such as {event.tag[:40]!r} are not allowed here")
        if self._values > _MOST_VALUES:
            raise ConfigurationError(f"{place}: more than {_MOST_VALUES:,} values: keep so many in a storage_path")
        if len(self._open) >= _MOST_DEPTH:
            raise ConfigurationError(f"{place}: nested deeper than {_MOST_DEPTH} levels")

    def _begin(self, kind: str, event: Any, place: Place) -> None:
        if kind == "ScalarEvent":
            self._scalar(event, place)
            return
        made: Tree | Branch = Tree(place=place) if kind == "MappingStartEvent" else Branch(place=place)
        if self._open:
            self._add(made, place)
        elif isinstance(made, Tree):
            self.root = made
        else:
            raise ConfigurationError(f"{place}: settings are a mapping of keys, not a list")
        self._open.append(made)
        self._keys.append(None)

    def _scalar(self, event: Any, place: Place) -> None:
        text = event.value
        if len(text) > _MOST_CHARACTERS:
            raise ConfigurationError(f"{place}: a text of more than {_MOST_CHARACTERS:,} characters")
        if not self._open:
            if text.strip():
                raise ConfigurationError(f"{place}: settings are a mapping of keys, not a text")
        elif isinstance(self._open[-1], Tree) and self._keys[-1] is None:
            self._key(text, place)
        else:
            self._add(scalar(text) if event.implicit[0] else text, place)

    def _key(self, text: str, place: Place) -> None:
        tree = self._open[-1]
        if text in tree:
            raise ConfigurationError(f"{place}: the key {text[:80]!r} is here twice: remove one")
        self._keys[-1] = (text, place)

    def _add(self, value: Any, place: Place) -> None:
        holder = self._open[-1]
        if isinstance(holder, Branch):
            holder.add(value, place)
            return
        waiting = self._keys[-1]
        if waiting is None:
            raise ConfigurationError(f"{place}: a key is a text, not a list or a mapping")
        holder.put(waiting[0], value, waiting[1])
        self._keys[-1] = None
