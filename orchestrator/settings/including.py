"""One tree from a file and the files it includes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import ConfigurationError
from orchestrator.settings.bounded import read_bounded
from orchestrator.settings.tree import Branch, Place, Tree, merged, planted
from orchestrator.settings.variables import filled
from orchestrator.settings.yaml_file import parse_yaml

__all__ = ["Files"]

_MOST_FILES = 64


class Files:
    """Reads settings files and what they include, each once, and remembers which."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._under_way: list[Path] = []
        self._done: set[Path] = set()
        self.sources: list[str] = []

    def read(self, path: Path) -> Tree:
        """The tree of a file, with its includes merged in: lists are joined, and the including file wins."""
        if not path.exists():
            raise ConfigurationError(f"{path} is not there: give the path of a settings file")
        if path.resolve() in self._under_way:
            chain = " -> ".join(one.name for one in (*self._under_way, path))
            raise ConfigurationError(f"{path} includes itself: {chain}")
        if path.resolve() in self._done:
            return Tree(place=Place(str(path)))  # two files may include the same third
        if len(self.sources) >= _MOST_FILES:
            raise ConfigurationError(f"{path}: more than {_MOST_FILES} settings files include each other")
        self.sources.append(str(path))
        text = read_bounded(path)
        tree = _parse_json(text, str(path)) if path.suffix == ".json" else parse_yaml(text, str(path))
        self._under_way.append(path.resolve())
        try:
            return self.complete(tree, path.parent)
        finally:
            self._done.add(self._under_way.pop())

    def complete(self, tree: Tree, folder: Path) -> Tree:
        """The tree with what stands under `registry` at its top, and its includes merged in."""
        tree = _flat(tree)
        included = tree.pop("included_configs", None)
        if included is None:
            return tree
        if not isinstance(included, Branch):
            raise ConfigurationError(f"{tree.at('included_configs')}: 'included_configs': give a list of paths")
        for name, place in included.placed():
            found = filled(name, place, self._environ, [])
            if not isinstance(found, str) or not found:
                raise ConfigurationError(f"{place}: an included file is named by its path")
            try:
                other = self.read(folder / Path(found).expanduser())
            except ConfigurationError as error:
                raise ConfigurationError(f"{error} (included at {place})") from None
            tree = merged(tree, other)
        return tree


def _flat(tree: Tree) -> Tree:
    """The same with the keys under `registry` beside the others, so that both ways of writing are one."""
    registry = tree.pop("registry", None)
    if registry is None:
        return tree
    if not isinstance(registry, Tree):
        raise ConfigurationError(f"{tree.at('registry')}: 'registry': give a mapping")
    return merged(tree, registry)


def _parse_json(text: str, source: str) -> Tree:
    def no_doubles(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            doubled = next(key for key, _ in items if sum(key == other for other, _ in items) > 1)
            raise ConfigurationError(f"{source}: the key {doubled[:80]!r} is here twice: remove one")
        return made

    try:
        value = json.loads(text, object_pairs_hook=no_doubles)
        tree = planted(value, Place(source))
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{source}:{error.lineno}: no JSON: {error.msg}") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: nested too deeply") from None
    if not isinstance(tree, Tree):
        raise ConfigurationError(f"{source}: settings are a mapping of keys")
    return tree
