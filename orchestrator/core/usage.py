"""What one answer consumed, in buckets that never overlap."""

from __future__ import annotations

from typing import Any

__all__ = ["UsageStats", "token_count"]

MAX_TOKENS = 1_000_000_000  # more than any model's window: such a figure is a fault of the sender
MAX_USD = 1_000_000.0  # likewise for the price of one answer


def token_count(value: Any) -> int | None:
    """A count of tokens as outsiders report it, or None where it is no count at all.

    >>> token_count(12), token_count(12.0), token_count("12"), token_count(-1), token_count(1e999)
    (12, 12, None, None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= MAX_TOKENS:
        return None
    return value


def _money(value: Any) -> float | None:
    """A cost in USD as outsiders report it, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_USD else None


class UsageStats:
    """Tokens in five disjoint buckets; `prompt_tokens` and `completion_tokens` are their sums.

    `input_tokens` excludes what was read from or written to the provider's prompt cache; `output_tokens`
    excludes reasoning. Counts are tokens, `cost_usd` is US dollars, and None means unknown, never zero.
    The constructor takes wholes and their parts, as most providers report them:

    >>> usage = UsageStats(prompt_tokens=100, cache_read_tokens=40, completion_tokens=50, reasoning_tokens=20)
    >>> usage.input_tokens, usage.output_tokens, usage.total_tokens
    (60, 30, 150)
    >>> usage["prompt_tokens"], usage["cost"]
    (100, None)
    >>> UsageStats().total_tokens is None
    True
    """

    __slots__ = (
        "cache_read_tokens",
        "cache_write_tokens",
        "cost_usd",
        "estimated",
        "input_tokens",
        "output_tokens",
        "reasoning_tokens",
    )

    def __init__(
        self,
        prompt_tokens: Any = None,
        completion_tokens: Any = None,
        *,
        cache_read_tokens: Any = None,
        cache_write_tokens: Any = None,
        reasoning_tokens: Any = None,
        cost_usd: Any = None,
        estimated: bool = False,
    ) -> None:
        prompt, completion = token_count(prompt_tokens), token_count(completion_tokens)
        read = None if cache_read_tokens is None else _part(cache_read_tokens, prompt)
        rest = prompt if read is None else _less(prompt, read)
        written = None if cache_write_tokens is None else _part(cache_write_tokens, rest)
        hidden = None if reasoning_tokens is None else _part(reasoning_tokens, completion)
        self.cache_read_tokens, self.cache_write_tokens, self.reasoning_tokens = read, written, hidden
        self.input_tokens = rest if written is None else _less(rest, written)
        self.output_tokens = completion if hidden is None else _less(completion, hidden)
        self.cost_usd = None if cost_usd is None else _money(cost_usd)
        self.estimated = estimated

    @property
    def prompt_tokens(self) -> int | None:
        """All tokens sent, cached ones included."""
        read, written = self.cache_read_tokens, self.cache_write_tokens
        if read is None and written is None:
            return self.input_tokens
        total: int | None = _sum(self.input_tokens, read, written)
        return total

    @property
    def completion_tokens(self) -> int | None:
        """All tokens produced, reasoning included: what is billed as output."""
        visible, hidden = self.output_tokens, self.reasoning_tokens
        return visible if hidden is None else hidden if visible is None else visible + hidden

    @property
    def total_tokens(self) -> int | None:
        """Sent and produced; None when neither is known."""
        total: int | None = _sum(self.prompt_tokens, self.completion_tokens)
        return total

    def with_cost(self, cost_usd: float | None) -> UsageStats:
        """The same counts with a cost."""
        twin = UsageStats.__new__(UsageStats)
        twin.input_tokens, twin.output_tokens = self.input_tokens, self.output_tokens
        twin.cache_read_tokens, twin.cache_write_tokens = self.cache_read_tokens, self.cache_write_tokens
        twin.reasoning_tokens, twin.estimated = self.reasoning_tokens, self.estimated
        twin.cost_usd = cost_usd
        return twin

    def __add__(self, other: UsageStats) -> UsageStats:
        """Bucket by bucket; unknown plus known is what is known."""
        total = UsageStats.__new__(UsageStats)
        for bucket in _BUCKETS:
            setattr(total, bucket, _sum(getattr(self, bucket), getattr(other, bucket)))
        total.cost_usd = _sum(self.cost_usd, other.cost_usd)
        total.estimated = self.estimated or other.estimated
        return total

    def __getitem__(self, name: str) -> Any:
        if name == "cost":
            return self.cost_usd
        if name in _NAMES:
            return getattr(self, name)
        raise KeyError(f"usage has no {name!r}; known: {', '.join(_NAMES)}, cost")

    def to_dict(self) -> dict[str, Any]:
        """Every bucket and sum by name, `cost` included; unknown stays None."""
        return {name: getattr(self, name) for name in _NAMES} | {"cost": self.cost_usd}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UsageStats) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # equal by value and mutable: not a key

    def __repr__(self) -> str:
        known = (f"{name}={getattr(self, name)!r}" for name in (*_BUCKETS, "cost_usd"))
        return f"UsageStats({', '.join(known)})"


_BUCKETS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_NAMES = ("prompt_tokens", "completion_tokens", "total_tokens", *_BUCKETS, "cost_usd")


def _part(value: Any, whole: int | None) -> int | None:
    """A part of a known whole; a part larger than its whole is refused."""
    if value is None:
        return None
    part = token_count(value)
    return None if part is None or (whole is not None and part > whole) else part


def _less(whole: int | None, part: int | None) -> int | None:
    return whole if whole is None or part is None else whole - part


def _sum(*parts: Any) -> Any:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
