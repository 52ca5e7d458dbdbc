"""Asking many sources at once: each within its own time, none able to spoil the others, no good list lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.catalog.source import Found, ModelSource
from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.model import Model, ModelInfo
from orchestrator.errors import OrchestratorError

__all__ = ["Discovery", "DiscoveryError", "DiscoveryWarning", "Finding"]

_AT_ONCE = 8
_LEAST_LEFT = 0.5  # of an earlier list: a shorter one is taken for a fault of the source


class DiscoveryError(OrchestratorError):
    """A source could not be asked, and there is no earlier list of it."""


class DiscoveryWarning(UserWarning):
    """A source failed or listed far less than before, and its earlier list stands."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Finding:
    """What came of asking one source; `problem` says what went wrong, and then `models` is its earlier list.

    `age_s` is how old the list is, 0 when it has just been fetched; `dropped` counts unusable entries by their flaw;
    `new` and `gone` are the ids that the earlier list did not have, and those that it had.
    """

    source: str
    models: tuple[Model | ModelInfo, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    age_s: float = 0.0
    problem: str | None = None

    def __repr__(self) -> str:
        return f"<Finding {self.source!r}: {len(self.models)} models{', ' + self.problem if self.problem else ''}>"


class Discovery:
    """Asks sources side by side and remembers their lists for `ttl_s` seconds.

    A source that fails, takes longer than its `limit_s`, or lists nothing or less than half of what it had keeps its
    earlier list and says why. `forget` makes the next answer count whatever it is.
    """

    def __init__(self, *, ttl_s: float = 3_600.0, at_once: int = _AT_ONCE, clock: Clock = SYSTEM_CLOCK) -> None:
        self._ttl_s, self._at_once, self._clock = ttl_s, at_once, clock
        self._kept: dict[str, tuple[float, Finding]] = {}

    async def ask(self, sources: Mapping[str, ModelSource], *, fresh: bool = False) -> dict[str, Finding]:
        """A finding for each source, in their order; `fresh` asks also those whose list is still young."""
        turns = asyncio.Semaphore(self._at_once)

        async def asked(name: str, source: ModelSource) -> Finding:
            async with turns:
                return await self._ask(name, source)

        async with asyncio.TaskGroup() as group:
            tasks = {
                name: known if (known := None if fresh else self._young(name)) else group.create_task(asked(name, one))
                for name, one in sources.items()
            }
        return {name: task if isinstance(task, Finding) else task.result() for name, task in tasks.items()}

    def forget(self, name: str | None = None) -> None:
        """Drop what is remembered of one source, or of all."""
        for known in [name] if name is not None else list(self._kept):
            self._kept.pop(known, None)

    def _young(self, name: str) -> Finding | None:
        since, finding = self._kept.get(name, (0.0, None))
        age_s = self._clock.monotonic() - since
        return None if finding is None or age_s >= self._ttl_s else replace(finding, age_s=age_s)

    async def _ask(self, name: str, source: ModelSource) -> Finding:
        try:
            with self._clock.timeout(source.limit_s):
                found = await source.fetch()
        except TimeoutError:
            return self._earlier(name, f"{name} did not answer within {source.limit_s:g} s")
        except OrchestratorError as error:
            return self._earlier(name, f"{name} could not be asked: {error}")
        except Exception as error:  # noqa: BLE001 - the boundary: a source of the user's may raise anything
            return self._earlier(name, f"{name} could not be asked: {type(error).__name__}")
        return self._weighed(name, found)

    def _weighed(self, name: str, found: Found) -> Finding:
        """The new list, unless it looks like a fault."""
        before = [model.id for model in self._kept[name][1].models] if name in self._kept else []
        now = [model.id for model in found.models]
        if len(now) < len(before) * _LEAST_LEFT:
            return self._earlier(name, f"{name} lists {len(now)} models where it had {len(before)}", found.dropped)
        new, gone = _missing_in(before, now), _missing_in(now, before)
        finding = Finding(source=name, models=found.models, dropped=found.dropped, new=new, gone=gone)
        if now:
            self._kept[name] = (self._clock.monotonic(), finding)
        return finding

    def _earlier(self, name: str, problem: str, dropped: Mapping[str, int] | None = None) -> Finding:
        """The earlier list, if there is one, with what is wrong with the new one."""
        if name not in self._kept:
            return Finding(source=name, dropped=dropped or {}, problem=problem)
        since, known = self._kept[name]
        age_s = self._clock.monotonic() - since
        stands = f"{problem}; the earlier list of {len(known.models)} stands"
        return replace(known, dropped=dropped or {}, new=(), gone=(), age_s=age_s, problem=stands)


def _missing_in(known: list[str], ids: list[str]) -> tuple[str, ...]:
    """Those ids that are not among the known ones."""
    seen = set(known)
    return tuple(model_id for model_id in ids if model_id not in seen)
