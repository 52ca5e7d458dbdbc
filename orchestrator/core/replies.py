"""What comes back: a chunk, a reply as the provider gave it, the answer the caller gets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from orchestrator.core.tools import ToolCall
from orchestrator.core.usage import UsageStats

if TYPE_CHECKING:
    from orchestrator.core.outcome import Attempt

__all__ = ["ChatResponse", "Chunk", "Embeddings", "FinishReason", "Reply"]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "paused", "error"]


class Chunk(NamedTuple):
    """A piece of a streamed answer.

    The last one has a `finish_reason` and carries `usage` and `tool_calls` for the whole; `model_id` of the first and
    the last says who speaks, `raw_finish` is the provider's own word, `upstream_model` the provider's own name for the
    model. Where another model goes on with a broken stream, its first chunk and the last one name it in `resumed_by`.
    `signature` is the provider's seal on the reasoning so far, `redacted` a thought that it gives in cipher only;
    `logprobs` are the likelihoods of this piece's tokens, as OpenAI's dialect tells them to who has asked for them.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    usage: UsageStats | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    model_id: str | None = None
    raw_finish: str | None = None
    upstream_model: str | None = None
    refusal: str = ""
    response: ChatResponse | None = None
    resumed_by: str | None = None
    signature: str = ""
    redacted: str = ""
    logprobs: Mapping[str, Any] | None = None

    @classmethod
    def closing(cls, response: ChatResponse) -> Chunk:
        """The last chunk of an answer: finish, usage with its cost, tool calls, and the whole of it."""
        return cls(
            finish_reason=response.finish_reason,
            usage=response.usage,
            tool_calls=response.tool_calls,
            model_id=response.model_id,
            raw_finish=response.raw_finish,
            upstream_model=response.upstream_model,
            refusal=response.refusal,
            response=response,
        )

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Reply:
    """What a provider said, before the engine adds who answered, how long it took and what it cost."""

    text: str = ""
    finish_reason: FinishReason = "stop"
    usage: UsageStats = field(default_factory=UsageStats)
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    raw_finish: str | None = None
    upstream_model: str | None = None
    raw: Any = field(default=None, repr=False)


Rater = Callable[[str, float], object]


class ChatResponse:
    """The answer. Prints as its text.

    `usage` has attributes and items (`usage["cost"]`, USD); `finish_reason` is one of stop, length, tool_calls,
    content_filter, paused, error; `latency_s` is wall time of the winning attempt; `cached` names the cache level
    that answered, or is None; `attempts` lists every try.

    >>> answer = ChatResponse("Paris", usage=UsageStats(12, 1), model_id="gpt-4")
    >>> print(answer), answer.data, answer.usage["total_tokens"]
    Paris
    (None, 'Paris', 13)
    """

    __slots__ = (
        "_rater",
        "attempts",
        "cached",
        "finish_reason",
        "id",
        "latency_s",
        "model_id",
        "provider",
        "raw",
        "raw_finish",
        "reasoning",
        "refusal",
        "text",
        "tool_calls",
        "upstream_model",
        "usage",
    )
    text: str
    usage: UsageStats
    model_id: str | None
    finish_reason: FinishReason
    tool_calls: tuple[ToolCall, ...]
    reasoning: str
    refusal: str
    latency_s: float | None
    cached: str | None
    attempts: tuple[Attempt, ...]
    id: str
    provider: str | None
    raw_finish: str | None
    upstream_model: str | None
    raw: Any
    _rater: Rater | None

    def __init__(
        self,
        text: str | None = None,
        *,
        data: str | None = None,
        usage: UsageStats | None = None,
        model_id: str | None = None,
        finish_reason: FinishReason = "stop",
        tool_calls: tuple[ToolCall, ...] = (),
        reasoning: str = "",
        refusal: str = "",
        latency_s: float | None = None,
        cached: str | None = None,
        attempts: tuple[Attempt, ...] = (),
        id: str = "",  # noqa: A002 - the name users expect
        provider: str | None = None,
        raw_finish: str | None = None,
        upstream_model: str | None = None,
        raw: Any = None,
        rater: Rater | None = None,
    ) -> None:
        _open(self)
        draft: Any = self
        draft.text = (data if text is None else text) or ""
        draft.usage = usage if usage is not None else UsageStats()
        draft.model_id = model_id
        draft.finish_reason = finish_reason
        draft.tool_calls = tool_calls
        draft.reasoning = reasoning
        draft.refusal = refusal
        draft.latency_s = latency_s
        draft.cached = cached
        draft.attempts = attempts
        draft.id = id
        draft.provider = provider
        draft.raw_finish = raw_finish
        draft.upstream_model = upstream_model
        draft.raw = raw
        draft._rater = rater  # noqa: SLF001 - our own, before it is frozen
        draft.__class__ = ChatResponse

    def __init_subclass__(cls) -> None:
        raise TypeError("ChatResponse is final: wrap it instead")

    @property
    def data(self) -> str:
        """The text, by its older name."""
        return self.text

    @property
    def cost_usd(self) -> float | None:
        """What this answer cost in USD; None when a price is unknown."""
        return self.usage.cost_usd

    @property
    def spent_usd(self) -> float | None:
        """What the request cost in USD with every attempt that was billed; None when a price is unknown."""
        billed = [one.cost_usd for one in self.attempts if one.cost_usd is not None or one.error_type is None]
        if self.cached or not billed:
            return self.cost_usd
        known = [cost for cost in billed if cost is not None]
        return sum(known) if len(known) == len(billed) else None

    def with_attempts(self, attempts: tuple[Attempt, ...]) -> ChatResponse:
        """The same answer, given after these attempts."""
        facts = {name: getattr(self, name) for name in self.__slots__ if name != "_rater"}
        return ChatResponse(**{**facts, "attempts": attempts}, rater=self._rater)

    def json(self) -> Any:
        """The text read as JSON; a Markdown fence around it is taken off."""
        body = self.text.strip()
        if body.startswith("```"):
            body = body.strip("`").removeprefix("json")
        return json.loads(body)

    def rate(self, quality: float) -> None:
        """Tell the engine how good this answer was, from 0 to 1; the last rating counts."""
        if self._rater is None:
            raise RuntimeError("this answer came from no registry, so nobody would learn from a rating")
        self._rater(self.id, quality)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a ChatResponse is frozen; {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a ChatResponse is frozen; {name!r} cannot be deleted")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return (
            f"<ChatResponse {self.id or '-'} from {self.model_id!r}: {len(self.text)} characters, {self.finish_reason}>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {n: getattr(self, n) for n in self.__slots__ if n not in ("_rater", "raw")}
        return (_restore, (facts,))


def _restore(facts: dict[str, Any]) -> ChatResponse:
    return ChatResponse(**facts)


class _Draft:
    """A ChatResponse before it is frozen: the same slots, open, and so five times as fast to fill."""

    __slots__ = ChatResponse.__slots__


def _open(response: ChatResponse) -> None:
    object.__setattr__(response, "__class__", _Draft)


class Embeddings(list[list[float]]):
    """One vector a text, in the order asked; also says who computed them and what it cost."""

    def __init__(
        self, vectors: Sequence[Sequence[float]], *, usage: UsageStats | None = None, model_id: str | None = None
    ) -> None:
        super().__init__(list(map(list, vectors)))
        self.usage = usage if usage is not None else UsageStats()
        self.model_id = model_id
