"""Which arms wait to be brought up to date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.selectors.arm import Arm

__all__ = ["Backlog"]


class Backlog(dict[Arm, None]):
    """A set of arms to be taken out one by one with `popitem`, the last that came first.

    The pop of a true set looks through all the room that it has ever needed: where a thousand arms once waited, that
    takes longer than what there is to do for one.

    >>> backlog, arm = Backlog(), Arm("a", row=0)
    >>> backlog.add(arm)
    >>> backlog.extend([arm, arm])
    >>> backlog.popitem()[0] is arm, len(backlog)
    (True, 0)
    """

    __slots__ = ()

    add: Any = dict.setdefault  # a method of C, as it is called thrice a decision

    def extend(self, arms: Iterable[Arm]) -> None:
        """Many arms wait."""
        self.update(dict.fromkeys(arms))

    def discard(self, arm: Arm) -> None:
        """This arm waits no more, if it did."""
        self.pop(arm, None)
