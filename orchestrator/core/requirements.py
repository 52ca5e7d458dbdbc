"""What a caller needs of a model, and why a model does not offer it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from orchestrator.core.info import CAPABILITIES, PROVIDER_ALIASES, capability_name
from orchestrator.errors import did_you_mean

if TYPE_CHECKING:
    from orchestrator.core.messages import Request
    from orchestrator.core.model import Model

__all__ = [
    "ANY",
    "ANY_CHAT",
    "REQUIREMENT_NAMES",
    "Requirements",
    "estimate_tokens",
    "expected_cost",
    "implied_by",
    "most_output_tokens",
    "prompt_tokens",
    "why_not",
]

_USUAL_TOKENS = 500  # of input and of output, where nothing better is known
_A_PAGE = 1_000  # tokens, or characters: every chat model takes that much
_TRUST_LIVE_FROM = 5  # calls before a measured mean replaces a declared figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """Hard limits: a model that misses one is never chosen. Hashable, so that answers to it can be kept.

    `max_cost` is USD for one request, `min_speed` output tokens a second, `context_length` tokens of window,
    `max_latency` seconds at the median. `strict` also refuses models for which a figure is not known; a price that
    is not known never meets a `max_cost`.

    >>> Requirements.of(capabilities=["vision"], max_cost=0.01).capabilities
    frozenset({'vision'})
    >>> Requirements.of(max_costs=1)
    Traceback (most recent call last):
    TypeError: unknown requirement 'max_costs'; did you mean 'max_cost'?
    """

    capabilities: frozenset[str] = frozenset()
    max_cost: float | None = None
    min_speed: float | None = None
    max_latency: float | None = None
    context_length: int | None = None
    exclude_models: frozenset[str] = frozenset()
    models: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()
    provider: frozenset[str] = frozenset()
    is_local: bool | None = None
    strict: bool = False
    custom_filter: Callable[[Model], bool] | None = None
    # what the request itself asks for: refused only where a model is known to lack it
    implied: frozenset[str] = field(default=frozenset())
    input_tokens: int | None = None
    output_tokens: int | None = None
    tried: frozenset[str] = frozenset()  # ids that have failed this request

    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        # worked out once: every choice looks its needs up by it
        object.__setattr__(self, "_hash", hash(_all_of(self)))

    def __hash__(self) -> int:
        return self._hash

    @classmethod
    def of(cls, **wanted: Any) -> Requirements:
        """Requirements from keywords; an unknown name or an absurd number is a TypeError or ValueError at once."""
        return cls(**_read(wanted))

    @classmethod
    def for_chat(cls, **wanted: Any) -> Requirements:
        """The same for a prompt: what is known to write no text is left out, unless embeddings are asked for."""
        if not wanted:
            return ANY_CHAT
        read = _read(wanted)
        return cls(**read, implied=frozenset() if "embeddings" in read.get("capabilities", ()) else _CHAT)

    @property
    def is_live(self) -> bool:
        """True when the answer depends on measured figures and so has to be looked at again."""
        return self.max_cost is not None or self.min_speed is not None or self.max_latency is not None


_CHAT = frozenset({"text_generation"})
_all_of = attrgetter(*(one.name for one in fields(Requirements) if one.compare))
ANY = Requirements()
ANY_CHAT = Requirements(implied=_CHAT)


def _read(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Each requirement in its own form; None asks for nothing."""
    for name in wanted:
        if name not in REQUIREMENT_NAMES:
            raise TypeError(f"unknown requirement {name!r}; {did_you_mean(name, REQUIREMENT_NAMES)}")
    return {name: _READERS[name](name, value) for name, value in wanted.items() if value is not None}


def _names(name: str, value: Any) -> frozenset[str]:
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(item, str) for item in names):
        raise TypeError(f"{name} is a name or a list of names, not {value!r}")
    return frozenset(names)


def _capabilities(name: str, value: Any) -> frozenset[str]:
    return frozenset(map(capability_name, _names(name, value)))


def _providers(name: str, value: Any) -> frozenset[str]:
    return frozenset(PROVIDER_ALIASES.get(item.lower(), item.lower()) for item in _names(name, value))


def _amount(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {value!r}")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}={value!r}: give a finite number from 0 up")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return value


def _function(name: str, value: Any) -> Any:
    if not callable(value):
        raise TypeError(f"{name} is a function of a model, not {value!r}")
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "capabilities": _capabilities,
    "max_cost": _amount,
    "min_speed": _amount,
    "max_latency": _amount,
    "context_length": _amount,
    "exclude_models": _names,
    "models": _names,
    "tags": _names,
    "provider": _providers,
    "is_local": _flag,
    "strict": _flag,
    "custom_filter": _function,
}
REQUIREMENT_NAMES = tuple(f.name for f in fields(Requirements) if f.name in _READERS)


def estimate_tokens(text: str) -> int:
    """Tokens of a text, estimated on the high side: 3.6 Latin characters or 1.2 others each.

    >>> estimate_tokens("Hello, world!"), estimate_tokens("日本語"), estimate_tokens("")
    (4, 3, 1)
    """
    length = len(text)
    if text.isascii():
        return math.ceil(length / 3.6) or 1
    narrow = sum(char < "\u0250" for char in text)
    return max(1, math.ceil(narrow / 3.6 + (length - narrow) / 1.2))


def _round_up(tokens: int) -> int:
    """Up to the next eighth of a power of two, so that like requests share one answer to "who fits"."""
    if tokens <= 64:  # below this one step serves all
        return 64
    step = 1 << max(0, tokens.bit_length() - 4)
    return -(-tokens // step) * step


def implied_by(request: Request, wanted: Requirements) -> dict[str, Any]:
    """What the request itself requires: features by its content, room by its length."""
    prompt = request.prompt
    plain = isinstance(prompt, str) and len(request.messages) == 1 and not request.tools
    if plain and request.response_format is None and wanted.max_cost is None and len(prompt) < _A_PAGE:
        return {}  # most requests: a short text that any chat model takes
    return _features(request, wanted) | _room(request, wanted)


def _features(request: Request, wanted: Requirements) -> dict[str, Any]:
    implied = set()
    if request.tools:
        implied.add("function_calling")
    if request.response_format is not None and request.wants_json:
        implied.add("structured_output")
    if not isinstance(request.prompt, str) and request.has_images:
        implied.add("vision")
    return {"implied": wanted.implied | implied} if implied else {}


def _room(request: Request, wanted: Requirements) -> dict[str, Any]:
    tokens = prompt_tokens(request)
    if wanted.max_cost is None and tokens <= _A_PAGE:
        return {}
    room = {"input_tokens": _round_up(tokens)}
    most = most_output_tokens(request)
    if most is not None:
        room["output_tokens"] = _round_up(most)
    return room


def prompt_tokens(request: Request) -> int:
    """Tokens of everything that is asked, estimated."""
    messages = request.messages
    if len(messages) == 1 and isinstance(words := messages[0].content, str):
        return estimate_tokens(words)
    return sum(estimate_tokens(message.text) for message in messages)


def most_output_tokens(request: Request) -> int | None:
    """The caller's own bound on the answer, if there is one."""
    params = request.params
    if not params:
        return None
    most = params.get("max_tokens") or params.get("max_completion_tokens")
    return most if isinstance(most, int) and most > 0 else None


def expected_cost(model: Model, wanted: Requirements) -> float | None:
    """USD one such request should cost: by its own length if known, else as measured, else for 500 + 500 tokens."""
    cost = model.cost
    if cost is None:
        return 0.0 if model.is_local else model.metrics.cost_per_call_usd
    if wanted.input_tokens is None and model.metrics.calls >= _TRUST_LIVE_FROM:
        live = model.metrics.cost_per_call_usd
        if live is not None:
            return live
    return cost.estimate(wanted.input_tokens or _USUAL_TOKENS, wanted.output_tokens or _USUAL_TOKENS)


def why_not(model: Model, wanted: Requirements) -> str | None:
    """The first requirement this model misses, in words, or None when it fits.

    >>> from orchestrator.core.model import Model
    >>> blind = Model(id="a", provider="custom", capabilities={"vision": False})
    >>> why_not(blind, Requirements.of(capabilities=["vision"]))
    "lacks capability 'vision'"
    """
    return _unwanted(model, wanted) or _lacks(model, wanted) or _misses_a_limit(model, wanted)


def _unwanted(model: Model, wanted: Requirements) -> str | None:
    """Left out by name, place or label."""
    if model.id in wanted.tried:
        return "already tried for this request"
    if wanted.exclude_models and not wanted.exclude_models.isdisjoint(model.info.names):
        return "excluded by name"
    if wanted.models is not None and wanted.models.isdisjoint(model.info.names):
        return "not among the models asked for"
    if wanted.provider and model.provider not in wanted.provider:
        return f"provider {model.provider!r} is not among {sorted(wanted.provider)}"
    if wanted.is_local is not None and model.is_local is not wanted.is_local:
        return "is local" if model.is_local else "is not local"
    missing = wanted.tags - model.tags
    if missing:
        return f"lacks tag {min(missing)!r}"
    if wanted.custom_filter is not None and not wanted.custom_filter(model):
        return str(getattr(wanted.custom_filter, "refusal", "refused by custom_filter"))  # a filter of ours has words
    return None


def _lacks(model: Model, wanted: Requirements) -> str | None:
    """Cannot do what is asked."""
    able = model.capabilities
    for name in sorted(wanted.capabilities):
        if not able.has(name):
            known = name in CAPABILITIES or name in (able.model_extra or {})
            return f"lacks capability {name!r}" + ("" if known else f" ({did_you_mean(name, CAPABILITIES)})")
    for name in sorted(wanted.implied):
        if able.denies(name):
            return f"lacks capability {name!r}, which this request uses"
    return None


def _misses_a_limit(model: Model, wanted: Requirements) -> str | None:
    """Too small, too slow or too dear."""
    return _too_small(model, wanted) or _too_slow(model, wanted) or _too_dear(model, wanted)


def _too_small(model: Model, wanted: Requirements) -> str | None:
    window = model.info.context_window
    need = max(wanted.context_length or 0, (wanted.input_tokens or 0) + (wanted.output_tokens or 0))
    if window is None:
        return "context window unknown (strict)" if wanted.strict and need else None
    return f"context window {window} is below {need}" if window < need else None


def _too_slow(model: Model, wanted: Requirements) -> str | None:
    if wanted.min_speed is not None:
        speed = model.metrics.throughput or model.info.speed_tokens_per_s
        if speed is None and wanted.strict:
            return "speed unknown (strict)"
        if speed is not None and speed < wanted.min_speed:
            return f"{speed:.0f} tokens/s is below {wanted.min_speed:g}"
    if wanted.max_latency is not None:
        latency_s = model.metrics.latency_p50
        if latency_s is None and wanted.strict:
            return "latency unknown (strict)"
        if latency_s is not None and latency_s > wanted.max_latency:
            return f"median latency {latency_s:.2f} s is above {wanted.max_latency:g}"
    return None


def _too_dear(model: Model, wanted: Requirements) -> str | None:
    if wanted.max_cost is None:
        return None
    cost_usd = expected_cost(model, wanted)
    if cost_usd is None:
        return "price unknown, so max_cost cannot be promised; set its cost"
    return f"about ${cost_usd:.6f} a request is above {wanted.max_cost:g}" if cost_usd > wanted.max_cost else None
