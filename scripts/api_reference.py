"""The reference of public names: what to import, how it is called, and the first sentence of its docstring."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import orchestrator

__all__ = ["PRINCIPAL", "methods", "names"]

Table = tuple[Sequence[str], Iterator[Sequence[str]]]
PRINCIPAL = ("ModelRegistry", "Model", "ChatResponse", "ModelSelector", "ModelCache")


def names(kind: str) -> Table:
    """Public names of one kind: errors, classes that are no errors, or all else."""
    rows = ((f"`{name}`", _home(thing), _sentence(thing)) for name, thing in _public() if _kind(thing) == kind)
    return ("name", "home", "meaning"), rows


def methods(name: str) -> Table:
    """What an object of a principal class can be asked; its own and what it takes from its bases."""
    cls = getattr(orchestrator, name)
    members = sorted(name for name in dir(cls) if not name.startswith("_"))
    found = ((member, getattr(cls, member)) for member in members)
    rows = ((_called(member, it), _sentence(it)) for member, it in found if not _is_of_the_language(it))
    return ("member", "meaning"), (row for row in rows if row[1])


def _is_of_the_language(member: Any) -> bool:
    """True for what every mapping has."""
    return getattr(member, "__module__", "") == "collections.abc"


def _public() -> Iterator[tuple[str, Any]]:
    return ((name, getattr(orchestrator, name)) for name in orchestrator.__all__ if not name.startswith("__"))


def _kind(thing: Any) -> str:
    if not isinstance(thing, type):
        return "other"
    return "error" if issubclass(thing, BaseException) else "class"


def _home(thing: Any) -> str:
    return f"`{getattr(thing, '__module__', type(thing).__module__)}`"


def _sentence(thing: Any) -> str:
    """The docstring up to its first blank line, fit for a cell; empty where a value has none of its own."""
    if not (isinstance(thing, (type, property)) or callable(thing)):
        return ""
    said = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    return said.replace("|", "\\|")


def _called(name: str, member: Any) -> str:
    """The name with its parameters, without types and without whom it belongs to."""
    if not callable(member):
        return f"`{name}`"
    told = [_told(one) for one in inspect.signature(member).parameters.values() if one.name != "self"]
    wait = "await " if inspect.iscoroutinefunction(member) else ""
    given = str(inspect.Signature(told)).replace("|", "\\|")
    return f"`{wait}{name}{given}`"


def _told(one: inspect.Parameter) -> inspect.Parameter:
    """A parameter with its default, where that is a plain value; an object, the environment above all, is not shown."""
    plain = one.default is one.empty or one.default is None or isinstance(one.default, (bool, float, int, str))
    return one.replace(annotation=one.empty, default=one.default if plain else _Other())


class _Other:
    """Stands for a default that cannot be written down."""

    def __repr__(self) -> str:
        return "..."
