"""Is it them or is it us? When nobody can be reached, the fault is most likely on this side."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

__all__ = ["LocalNetwork"]

_WITHIN_S = 2.0  # failures so close to each other belong together
_log = logging.getLogger(__name__)


class LocalNetwork:
    """Notices that no provider can be reached at all.

    Told of every connection that failed and of every answer, it holds our own network to be down when each provider
    in use has failed to connect with at most 2 s between one failure's end and the next one's beginning, and nobody
    answered meanwhile. With one provider alone, each of two or more models in use must have failed.

    >>> network = LocalNetwork()
    >>> network.failed("a", {"a": "p", "b": "q"}, now=1.0, began=1.0), network.is_down
    (False, False)
    >>> network.failed("b", {"a": "p", "b": "q"}, now=1.5, began=1.5), network.is_down, network.since
    (True, True, 1.0)
    """

    __slots__ = ("is_down", "since", "suspects")

    def __init__(self) -> None:
        self.suspects: dict[str, float] = {}  # models that could not be reached since anyone answered, and when
        self.is_down = False
        self.since = math.inf

    def failed(self, model_id: str, in_use: Mapping[str, str], *, now: float, began: float) -> bool:
        """A model could not be reached; `in_use` gives the provider of each that is called over the network.

        True when this failure has shown that the fault is ours.
        """
        self.suspects = {one: at for one, at in self.suspects.items() if at >= began - _WITHIN_S}
        self.suspects[model_id] = now
        if self.is_down or not self._is_everybody(in_use):
            return False
        self.is_down, self.since = True, min(self.suspects.values())
        _log.warning("no provider can be reached: the local network seems to be down, and no model is blamed")
        return True

    def answered(self) -> None:
        """Somebody out there has answered."""
        self.suspects.clear()
        if self.is_down:
            self.is_down, self.since = False, math.inf
            _log.info("the local network is back")

    def _is_everybody(self, in_use: Mapping[str, str]) -> bool:
        providers = set(in_use.values())
        if len(providers) > 1:
            return providers == {provider for one, provider in in_use.items() if one in self.suspects}
        return len(in_use) > 1 and in_use.keys() <= self.suspects.keys()
