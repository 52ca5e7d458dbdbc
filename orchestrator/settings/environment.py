"""The settings that the environment holds: they win over files and yield to arguments."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.settings.schema import SECTIONS
from orchestrator.settings.tree import Branch, Place, Tree, unknown_key
from orchestrator.settings.yaml_file import scalar

__all__ = ["PREFIX", "from_environment"]

PREFIX = "ORCHESTRATOR_"
_PLAIN = {"SELECTOR": "selector", "STORAGE_PATH": "storage_path", "DEBUG": "debug", "STATE": "state"}


def from_environment(environ: Mapping[str, str]) -> Tree:
    """`ORCHESTRATOR_SELECTOR`, `_STORAGE_PATH`, `_STATE`, `_DEBUG`, `_MODELS` (with commas), `_<SECTION>__<KEY>`.

    >>> from_environment({"ORCHESTRATOR_CACHE__TTL": "60", "ORCHESTRATOR_MODELS": "openai/gpt-4o"})
    {'cache': {'ttl': 60}, 'models': [{'id': 'openai/gpt-4o'}]}
    """
    tree = Tree(place=Place("the environment"))
    for variable in sorted(environ):
        name, value = variable.removeprefix(PREFIX), environ[variable]
        if name == variable or not value.strip():
            continue
        place = Place(f"${variable}")
        if name in _PLAIN:
            tree.put(_PLAIN[name], scalar(value.strip()), place)
        elif name == "MODELS":
            ids = [Tree({"id": one.strip()}, place=place) for one in value.split(",") if one.strip()]
            tree.put("models", Branch(ids, place=place), place)
        elif "__" in name:
            _put(tree, name, value.strip(), place)
    return tree


def _put(tree: Tree, name: str, value: str, place: Place) -> None:
    section, _, key = name.lower().partition("__")
    if section not in SECTIONS:
        raise unknown_key(place, section, SECTIONS)
    if section not in tree:
        tree.put(section, Tree(place=place), place)
    tree[section].put(key, scalar(value), place)
