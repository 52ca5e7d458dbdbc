"""A broken stream goes on: the next model gets the text so far and continues it, without saying it again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from orchestrator.core.attempt import StreamTally
from orchestrator.core.messages import Chunk, Message, Reply, Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats

if TYPE_CHECKING:
    from orchestrator.models.road.route import Route

__all__ = ["Continuation", "may_resume", "overlap"]

_LEAST_OVERLAP = 8  # characters; fewer in common are a coincidence
_GO_ON = (
    "Your answer was cut off. Go on exactly where it stops, in the middle of a word if need be. "
    "Do not repeat anything, do not comment, do not start over."
)


def may_resume(route: Route, outcome: Outcome) -> bool:
    """True when the caller has asked for it and a text can be gone on with.

    Half a JSON document cannot: models begin it anew. Half a tool call is never shown, so nothing of it is resumed.
    """
    error = outcome.error
    if not route.resume or error is None or not error.text_so_far or route.request.wants_json:
        return False
    return error.conduct.elsewhere and route.may_go_on()


class Continuation:
    """What earlier models have said of an answer, and the request that has the next one go on."""

    def __init__(self, request: Request, said: str, thought: str, usage: UsageStats, cost_usd: float | None) -> None:
        self.said, self.thought, self.usage, self.cost_usd = said, thought, usage, cost_usd
        turns = (*request.messages, Message("assistant", said), Message("user", _GO_ON))
        self.request = Request(
            list(turns),
            turns,
            request.params,
            tools=request.tools,
            tool_choice=request.tool_choice,
            response_format=request.response_format,
            tenant=request.tenant,
            usage_tags=request.usage_tags,
        )

    @classmethod
    def after(cls, told: Continuation | None, request: Request, tally: StreamTally, outcome: Outcome) -> Continuation:
        """The continuation of a stream that has just broken, itself perhaps a continuation."""
        said, thought, usage, cost_usd = tally.text, "".join(tally.reasoning), outcome.usage, outcome.cost_usd
        if told is not None:
            said, thought = told.said + said, told.thought + thought
            usage = together(told.usage, usage)
            cost_usd = together_usd(told.cost_usd, cost_usd)
        return cls(request, said, thought, usage, cost_usd)

    async def spliced(self, pieces: AsyncGenerator[Chunk, None], *, by: Model) -> AsyncGenerator[Chunk, None]:
        """The pieces without what they say again, the first one signed by who goes on."""
        held, open_ = "", True
        async with aclosing(pieces):
            async for chunk in pieces:
                if open_ and (chunk.text or chunk.finish_reason is not None):
                    held += chunk.text
                    if held in self.said and chunk.finish_reason is None:
                        chunk = chunk._replace(text="")  # noqa: PLW2901 - perhaps a repetition: wait and see
                        if not chunk.reasoning:
                            continue
                    else:
                        open_ = False
                        chunk = chunk._replace(text=held[overlap(self.said, held) :], resumed_by=by.id)  # noqa: PLW2901 - now we know
                yield chunk

    def whole(self, reply: Reply, outcome: Outcome) -> tuple[Reply, Outcome]:
        """The last part's reply and outcome as those of the whole answer, for its reader; the part is settled."""
        reply.text, reply.reasoning = self.said + reply.text, self.thought + reply.reasoning
        reply.usage = together(self.usage, reply.usage)
        cost_usd = together_usd(self.cost_usd, outcome.cost_usd)
        return reply, Outcome(
            model_id=outcome.model_id,
            latency_s=outcome.latency_s,
            cost_usd=cost_usd,
            response_id=outcome.response_id,
        )


def overlap(said: str, more: str) -> int:
    """How many characters at the beginning of `more` repeat the end of `said`.

    >>> overlap("the quick brown", "quick brown fox"), overlap("hel", "lo"), overlap("abc", "abc")
    (11, 0, 3)
    """
    if said == more:
        return len(said)
    longest = min(len(said), len(more))
    return next((size for size in range(longest, _LEAST_OVERLAP - 1, -1) if said.endswith(more[:size])), 0)


def together(one: UsageStats, other: UsageStats) -> UsageStats:
    """Two usages as one; estimated when either is."""
    return UsageStats(
        _sum(one.prompt_tokens, other.prompt_tokens),
        _sum(one.completion_tokens, other.completion_tokens),
        estimated=one.estimated or other.estimated,
    )


def together_usd(one: float | None, other: float | None) -> float | None:
    """Two costs as one; unknown when either is."""
    return None if one is None or other is None else one + other


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
