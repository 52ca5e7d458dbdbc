"""One attempt: ask one model once, within a time, and say what became of it."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.messages import ChatResponse, Chunk, Reply, Request
from orchestrator.core.outcome import Attempt, Outcome
from orchestrator.core.requirements import estimate_tokens, prompt_tokens
from orchestrator.core.usage import UsageStats
from orchestrator.errors import (
    OrchestratorError,
    ProviderAPIError,
    ProviderConnectionError,
    ProviderTimeoutError,
    StreamTruncatedError,
)

if TYPE_CHECKING:
    from orchestrator.core.model import Model

__all__ = [
    "AttemptCancelledError",
    "HurriedError",
    "StreamTally",
    "as_provider_error",
    "attempt",
    "called_off",
    "cost_of",
    "is_set_up_fault",
    "new_response_id",
    "response_of",
    "until",
]

_serial = itertools.count(1)
_process = os.urandom(4).hex()


def _rename_process() -> None:
    """A forked child counts on from the same number, so it needs another name."""
    global _process  # noqa: PLW0603 - the one name of this process
    _process = os.urandom(4).hex()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_rename_process)


class AttemptCancelledError(ProviderAPIError):
    """An attempt was called off by who had asked for it; never raised, it stands in outcomes and attempts."""

    error_type = "cancelled"


class HurriedError(ProviderTimeoutError):
    """The caller's time was over before the model's usual time was: too little for this model, and not its fault."""

    kind = "hurried"


def new_response_id() -> str:
    """An id that no other answer of this or any other process has."""
    return f"r-{_process}-{next(_serial):x}"


def as_provider_error(error: Exception, model: Model, *, hurried: bool = False) -> ProviderAPIError:
    """Any failure of a call as the class the caller can act on; foreign text stays in `__cause__`.

    The message of a foreign exception may hold the prompt, so only its class is named. `hurried` says that the model
    was given less time than it usually takes.
    """
    if isinstance(error, ProviderAPIError):
        error.model_id = error.model_id or model.id
        return error
    known = ProviderAPIError
    if isinstance(error, TimeoutError):
        known = HurriedError if hurried else ProviderTimeoutError
    elif isinstance(error, OSError):
        known = ProviderConnectionError
    failure = known(f"{model.id!r} failed with {type(error).__name__}", model_id=model.id)
    failure.__cause__ = error
    return failure


def is_set_up_fault(error: Exception) -> bool:
    """True for what the engine itself refuses before or around a call: nothing was asked, so nothing failed."""
    return isinstance(error, OrchestratorError) and not isinstance(error, ProviderAPIError)


def cost_of(model: Model, usage: Any, clock: Clock = SYSTEM_CLOCK) -> float | None:
    """USD of one answer given now: as the provider billed it, else by the price list, else unknown."""
    if usage.cost_usd is not None:
        billed: float = usage.cost_usd
        return billed
    if model.cost is None:
        return 0.0 if model.is_local else None
    return model.cost.price(usage, clock.time() if model.cost.changes else None)


async def attempt(
    model: Model,
    request: Request,
    *,
    clock: Clock = SYSTEM_CLOCK,
    limit_s: float | None = None,
    send: Callable[[], Awaitable[Any]] | None = None,
) -> tuple[Any, Outcome]:
    """Ask once; the outcome tells success from failure. Set-up faults and cancellation pass through.

    What comes back is the model's Reply, or what `send` brings (it has a `usage`); None after a failure.
    """
    started = clock.monotonic()
    try:
        with clock.timeout(limit_s):
            reply = await (model.send(request) if send is None else send())
    except Exception as error:
        if is_set_up_fault(error):
            raise
        return None, _failed(model, error, clock.monotonic() - started, request)
    return reply, Outcome(
        model_id=model.id,
        latency_s=clock.monotonic() - started,
        usage=reply.usage,
        cost_usd=cost_of(model, reply.usage, clock),
        response_id=new_response_id(),
        tenant=request.tenant,
        tags=request.usage_tags,
    )


def _failed(model: Model, error: Exception, latency_s: float, request: Request) -> Outcome:
    failure = as_provider_error(error, model, hurried=_is_less(latency_s, model.metrics.latency_p50))
    return Outcome(
        model_id=model.id, latency_s=latency_s, error=failure, tenant=request.tenant, tags=request.usage_tags
    )


def _is_less(latency_s: float, usual_s: float | None) -> bool:
    return usual_s is not None and latency_s < usual_s


def called_off(model: Model, request: Request, latency_s: float, usage: UsageStats | None = None) -> Outcome:
    """The outcome of an attempt that nobody waits for any more: no one's fault, but it may have cost something."""
    outcome = Outcome(
        model_id=model.id,
        latency_s=latency_s,
        error=AttemptCancelledError(f"the call to {model.id!r} was called off", model_id=model.id),
        tenant=request.tenant,
        tags=request.usage_tags,
    )
    if usage is not None:
        outcome.usage, outcome.cost_usd = usage, cost_of(model, usage)
    return outcome


def response_of(
    model: Model,
    reply: Reply,
    outcome: Outcome,
    *,
    attempts: tuple[Attempt, ...] = (),
    rater: Callable[[str, float], object] | None = None,
) -> ChatResponse:
    """The answer the caller gets: the provider's words with who, how long and how much."""
    return ChatResponse(
        reply.text,
        usage=reply.usage if outcome.cost_usd is None else reply.usage.with_cost(outcome.cost_usd),
        model_id=model.id,
        finish_reason=reply.finish_reason,
        tool_calls=reply.tool_calls,
        reasoning=reply.reasoning,
        refusal=reply.refusal,
        latency_s=outcome.latency_s,
        attempts=attempts or (outcome.attempt,),
        id=outcome.response_id,
        provider=model.provider,
        raw_finish=reply.raw_finish,
        upstream_model=reply.upstream_model,
        raw=reply.raw,
        rater=rater,
    )


class StreamTally:
    """What a stream has said so far, and when it began to speak."""

    __slots__ = ("clock", "last", "pieces", "reasoning", "request", "started", "ttft_s")

    def __init__(self, request: Request, clock: Clock) -> None:
        self.request = request
        self.clock = clock
        self.started = clock.monotonic()
        self.ttft_s: float | None = None
        self.pieces: list[str] = []
        self.reasoning: list[str] = []
        self.last: Chunk | None = None

    @property
    def text(self) -> str:
        """The words so far."""
        return "".join(self.pieces)

    def take(self, chunk: Chunk) -> Chunk | None:
        """Count one chunk in; what of it may be shown now, since the last one waits until its cost is known."""
        text, reasoning, finish = chunk.text, chunk.reasoning, chunk.finish_reason
        if text:
            self.pieces.append(text)
        if reasoning:
            self.reasoning.append(reasoning)
        if self.ttft_s is None and (text or reasoning or chunk.tool_calls):
            self.ttft_s = self.clock.monotonic() - self.started
        if finish is None:
            return chunk
        self.last = chunk
        return chunk._replace(finish_reason=None, usage=None, tool_calls=()) if text or reasoning else None

    @property
    def usage(self) -> UsageStats | None:
        """What a stream that did not come to its end has consumed, estimated; None before its first content."""
        if self.last is not None and self.last.usage is not None:
            return self.last.usage
        if self.ttft_s is None:
            return None
        said = estimate_tokens(self.text + "".join(self.reasoning))
        return UsageStats(prompt_tokens(self.request), said, estimated=True)

    def reply(self) -> Reply:
        """The whole answer, once the last chunk is in; before that it is a StreamTruncatedError."""
        last = self.last
        if last is None or last.finish_reason is None:
            raise StreamTruncatedError("the stream ended without its end marker", text_so_far=self.text)
        reply = Reply(
            self.text,
            last.finish_reason,
            tool_calls=last.tool_calls,
            reasoning="".join(self.reasoning),
            refusal=last.refusal,
            raw_finish=last.raw_finish,
            upstream_model=last.upstream_model,
        )
        if last.usage is not None:
            reply.usage = last.usage
        return reply

    def outcome(self, model: Model, *, reply: Reply | None = None, error: Exception | None = None) -> Outcome:
        """The settled attempt; of one that broke off, what it has consumed is estimated."""
        latency_s = self.clock.monotonic() - self.started
        failure = None
        if error is not None:
            usual_s = model.metrics.ttft_p50 if self.ttft_s is None else model.metrics.latency_p50
            failure = as_provider_error(error, model, hurried=_is_less(latency_s, usual_s))
        if failure is not None and not failure.text_so_far:
            failure.text_so_far = self.text
        outcome = Outcome(
            model_id=model.id,
            latency_s=latency_s,
            error=failure,
            ttft_s=self.ttft_s,
            response_id=new_response_id(),
            tenant=self.request.tenant,
            tags=self.request.usage_tags,
            streamed=True,
        )
        usage = self.usage if reply is None else reply.usage
        if usage is not None:
            outcome.usage, outcome.cost_usd = usage, cost_of(model, usage, self.clock)
        return outcome


async def until(pieces: AsyncGenerator[Chunk, None], clock: Clock, ends_at: float) -> AsyncGenerator[Chunk, None]:
    """The pieces as they come, until a moment on the clock's `monotonic`; then TimeoutError."""
    while True:
        with clock.timeout(max(0.0, ends_at - clock.monotonic())):
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece
