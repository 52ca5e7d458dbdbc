"""What can be had by name: what ships with the engine, and what installed distributions add through entry points.

What ships is declared as an entry point like anybody's; a table of the same lines saves reading every installed
distribution for it. A plug-in that cannot be used is named and left out, and disturbs nobody else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.errors import ConfigurationError, ModelProviderError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["OURS", "PlugIn", "PlugInError", "PlugInGroup", "forget_plug_ins", "unreadable_distributions"]

OURS = "model-orchestrator"
_PREFIX = "orchestrator."  # of the groups that are read
_log = logging.getLogger(__name__)


class PlugInError(ModelProviderError, ConfigurationError):
    """An installed plug-in cannot be used; the message names it and its distribution."""


@dataclass(frozen=True, slots=True)
class PlugIn:
    """One entry point: `target` is `module:attribute`, `version` that of the distribution, if it has one."""

    group: str
    name: str
    target: str
    distribution: str
    version: str | None = None

    @property
    def is_built_in(self) -> bool:
        """True for what ships with the engine."""
        return self.distribution == OURS

    def load(self) -> Any:
        """What stands at the target; a module may fail in any way while it is imported, even by leaving."""
        module, colon, path = self.target.partition(":")
        if not (module.strip() and colon and path.strip()):
            raise self.fault(f"{self.target!r} is no module:attribute")
        try:
            found = import_module(module.strip())
            for name in path.partition("[")[0].strip().split("."):
                found = getattr(found, name)
        except (Exception, SystemExit) as fault:
            raise self.fault(f"{self.target} raised {_told(fault)}") from fault
        return found

    def fault(self, what: str) -> PlugInError:
        """The error that says so, and what to do."""
        who = f"{self.name!r} of {self.distribution}{f' {self.version}' if self.version else ''}"
        return PlugInError(
            f"plug-in {who} in {self.group} is left out: {what}; mend or uninstall {self.distribution}",
            context={"group": self.group, "plug_in": self.name, "distribution": self.distribution},
        )


class PlugInGroup:
    """Everything that one group of entry points offers; built-in names come first, then whoever was found first.

    `unfit` says what is wrong with a loaded object, or None; `known_as` brings a name to its usual spelling.

    >>> group = PlugInGroup("orchestrator.clocks", {"system": "orchestrator.core.clock:SYSTEM_CLOCK"})
    >>> sorted(group), type(group.load("system")).__name__, "sundial" in group
    (['system'], 'SystemClock', False)
    """

    def __init__(
        self,
        name: str,
        built_in: Mapping[str, str],
        *,
        unfit: Callable[[Any], str | None] = lambda _: None,
        known_as: Callable[[str], str] = str,
    ) -> None:
        self.name, self.built_in = name, built_in
        self._shipped = {known: PlugIn(name, known, target, OURS) for known, target in built_in.items()}
        self._unfit, self._known_as = unfit, known_as
        self._loaded: dict[PlugIn, Any] = {}
        self._faults: dict[PlugIn, PlugInError] = {}
        self._lock = threading.Lock()

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self._added()

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from self._added()

    def load(self, name: str) -> Any:
        """What has this name, loaded once; KeyError when nothing has it, PlugInError when it cannot be used."""
        shipped = self._shipped.get(name)
        return self.use(shipped if shipped is not None else self._added()[name])

    def use(self, plug_in: PlugIn) -> Any:
        """The same for a plug-in that was found, be it hidden behind another of its name."""
        if plug_in in self._loaded:
            return self._loaded[plug_in]
        with self._lock:
            known = self._faults.get(plug_in)
        if known is not None:
            raise PlugInError(str(known), context=known.context) from known.__cause__
        try:
            found = plug_in.load()
            if what := self._unfit(found):
                raise plug_in.fault(what)
        except PlugInError as fault:
            with self._lock:
                first = self._faults.setdefault(plug_in, fault) is fault
            if first:
                _log.warning("%s", fault)
            raise
        self._loaded[plug_in] = found
        return found

    def found(self) -> list[tuple[PlugIn, PlugIn | None]]:
        """Every plug-in, with the one that hides it if another has its name."""
        first = self._shipped | self._added()
        rows: list[tuple[PlugIn, PlugIn | None]] = [(plug_in, None) for plug_in in self._shipped.values()]
        for plug_in in self._others():
            winner = first[self._known_as(plug_in.name)]
            rows.append((plug_in, None if winner is plug_in else winner))
        return rows

    def _added(self) -> dict[str, PlugIn]:
        """What others add, by name; none of it is loaded by this."""
        added: dict[str, PlugIn] = {}
        for plug_in in self._others():
            if (name := self._known_as(plug_in.name)) not in self.built_in:
                added.setdefault(name, plug_in)
        return added

    def _others(self) -> list[PlugIn]:
        return [one for one in _installed()[0] if one.group == self.name and not one.is_built_in]


def unreadable_distributions() -> Mapping[str, str]:
    """Distributions whose list of entry points cannot be read, with what is wrong."""
    return _installed()[1]


def forget_plug_ins() -> None:
    """Look again at what is installed, which otherwise happens once in a process."""
    _installed.cache_clear()


@cache
def _installed() -> tuple[list[PlugIn], dict[str, str]]:
    """The entry points of all distributions in the order of the path, and the distributions that have none to read."""
    from importlib.metadata import distributions

    found: list[PlugIn] = []
    unreadable: dict[str, str] = {}
    read: set[str] = set()
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if _PREFIX in text:
                found += _of(distribution, read)
        except Exception as fault:  # noqa: BLE001 - what others have installed may be damaged in any way
            unreadable[_name_of(distribution)] = type(fault).__name__
    return found, unreadable


def _of(distribution: Distribution, read: set[str]) -> list[PlugIn]:
    name = _name_of(distribution)
    if name in read:  # installed twice: the first on the path is the one that is imported
        return []
    read.add(name)
    version = _fact(distribution, "Version")
    return [
        PlugIn(point.group, point.name, point.value, name, version)
        for point in distribution.entry_points
        if point.group.startswith(_PREFIX)
    ]


def _name_of(distribution: Distribution) -> str:
    """Its name; of one that does not tell it, the name of its folder."""
    try:
        name = _fact(distribution, "Name")
    except Exception:  # noqa: BLE001 - likewise
        name = None
    return name or str(getattr(distribution, "_path", "a distribution without a name")).rpartition("/")[2]


def _fact(distribution: Distribution, name: str) -> str | None:
    facts = distribution.metadata
    return facts[name] if name in facts else None  # noqa: SIM401 - metadata has no get


def _told(fault: BaseException) -> str:
    """Its kind; what the interpreter says about a missing module or name is worth telling too."""
    kind = type(fault).__name__
    return f"{kind} ({str(fault)[:200]})" if isinstance(fault, ImportError | AttributeError) else kind
