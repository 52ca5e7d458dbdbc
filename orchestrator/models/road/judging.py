"""How good an answer is, in the words of whoever can tell: what makes a cascade go on to a dearer model, or not."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from orchestrator.core.clock import Clock
from orchestrator.core.messages import ChatResponse, Prompt, Request
from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.selectors.slate import Slate

__all__ = ["Judge", "Rungs", "Verdict", "judge_of"]

Verdict = float | bool
_log = logging.getLogger(__name__)


@runtime_checkable
class Rungs(Protocol):
    """A policy whose models are rungs of a ladder: `next_rung` names whom to ask after a verdict, or None."""

    def next_rung(self, slate: Slate, arm: str, *, verdict: float) -> str | None:
        """Who comes after this arm; None when its answer stands."""


class Judge:
    """Says how good an answer is, from 0 to 1, by a function of prompt and answer, plain or async.

    True and False count as 1 and 0. A plain function runs in a thread, so that the loop goes on. One that fails,
    takes longer than `deadline_s`, or says what is no verdict has none, and the answer stands.
    """

    def __init__(
        self,
        judge: Callable[[Prompt, ChatResponse], Verdict | Awaitable[Verdict]],
        *,
        deadline_s: float = 10.0,
    ) -> None:
        if not callable(judge):
            raise TypeError(f"judge={judge!r}: give a function of prompt and answer")
        if not 0 < deadline_s < math.inf:
            raise ValueError(f"deadline_s={deadline_s!r}: give a number of seconds above 0")
        self.deadline_s = deadline_s
        self._judge: Callable[..., Any] = judge
        self._is_async = inspect.iscoroutinefunction(judge) or inspect.iscoroutinefunction(
            getattr(judge, "__call__", None)  # noqa: B004 - asked whether it is async, not whether it is there
        )

    async def verdict(self, request: Request, response: ChatResponse, clock: Clock) -> float | None:
        """How good the answer is; None where the judge does not say."""
        try:
            with clock.timeout(self.deadline_s):
                said = await self._ask(request.prompt, response)
        except Exception as error:  # noqa: BLE001 - the boundary: a judge of the user's may raise anything
            _log.warning("the judge of %r failed with %s: its answer stands", response.model_id, type(error).__name__)
            return None
        if not isinstance(said, int | float) or not 0 <= said <= 1:
            _log.warning("the judge of %r said a %s that is no number from 0 to 1: its answer stands",
                         response.model_id, type(said).__name__)  # fmt: skip
            return None
        return float(said)

    async def _ask(self, prompt: Prompt, response: ChatResponse) -> Any:
        if self._is_async:
            return await self._judge(prompt, response)
        said = await asyncio.to_thread(self._judge, prompt, response)
        return await said if inspect.isawaitable(said) else said


def judge_of(judge: Judge | Callable[..., Any] | None, selector: object) -> Judge | None:
    """The judge of a registry; ConfigurationError where the policy would not listen to one."""
    if judge is None:
        return None
    if not isinstance(selector, Rungs):
        raise ConfigurationError(
            "judge= decides whether a cascade asks a dearer model, and this policy asks one model only: "
            "take selection_strategy='cascade', or rate answers with response.rate(quality)"
        )
    return judge if isinstance(judge, Judge) else Judge(judge)
