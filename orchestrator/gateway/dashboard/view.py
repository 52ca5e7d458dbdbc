"""What the pages are shown: one registry, or those of all workers behind the same address as if they were one."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.gateway.dashboard.news import News
from orchestrator.gateway.dashboard.snapshot import Watchman
from orchestrator.gateway.dashboard.together import one_history, one_look
from orchestrator.gateway.siblings import Siblings

__all__ = ["View"]


class View:
    """Looks at every worker at the same time; one that does not answer is missing, and the page says so."""

    def __init__(self, watchman: Watchman, siblings: Siblings) -> None:
        self.watchman = watchman
        self._siblings = siblings
        self._news = News()
        siblings.answer("look", self._own_look)
        siblings.answer("history", self._own_history)

    async def look(self) -> dict[str, Any]:
        """Every section but the history."""
        own = self.watchman.look()
        if self._siblings.number is None:
            return own
        others = await self._siblings.ask("look")
        return one_look({self._siblings.number: own, **others}, own=self._siblings.number, of=self._siblings.of)

    async def news(self) -> dict[str, Any]:
        """What has changed since this was asked last."""
        return self._news.of(await self.look())

    async def history(self, span: str) -> dict[str, Any]:
        """What has passed in a span."""
        own = self.watchman.history.series(span)
        return one_history([own, *(await self._siblings.ask("history", span)).values()])

    async def whole(self) -> dict[str, Any]:
        """Every section, and the history of the last minutes."""
        look, series = await asyncio.gather(self.look(), self.history("minutes"))  # a sibling that hangs is met once
        return {**look, "series": series}

    async def _own_look(self, _: Any) -> dict[str, Any]:
        self.watchman.turn_when_due()  # so that all tell of the same step
        return self.watchman.look()

    async def _own_history(self, span: str) -> dict[str, Any]:
        self.watchman.turn_when_due()
        return self.watchman.history.series(span)
