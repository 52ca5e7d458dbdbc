"""What is known about a model: the description that is registered, shown and persisted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from orchestrator.core.cost import Cost

__all__ = ["CAPABILITIES", "ModelCapabilities", "ModelConstraints", "ModelInfo", "capability_name"]

_ALIASES = {
    "chat": "text_generation",
    "code": "code_generation",
    "function_call": "function_calling",
    "functions": "function_calling",
    "tools": "function_calling",
    "tool_use": "function_calling",
    "json_schema": "structured_output",
    "json_mode": "structured_output",
    "vision_capable": "vision",
    "images": "vision",
    "embedding": "embeddings",
}


def capability_name(name: str) -> str:
    """The one name of a capability among its spellings.

    >>> capability_name("supports_functions"), capability_name("streaming"), capability_name("translation")
    ('function_calling', 'streaming', 'translation')
    """
    bare = name.lower().removeprefix("supports_")
    return _ALIASES.get(bare, bare)


class ModelCapabilities(BaseModel):
    """What a model can do: named flags (any further name is kept too) and the most tokens it can produce.

    A flag that was never declared is False for those who ask for it by name, and no obstacle for those who do not.

    >>> caps = ModelCapabilities(text_generation=True, max_tokens=4096, supports_streaming=True, translation=True)
    >>> caps.has("streaming"), caps.has("translation"), caps.has("vision"), caps.denies("vision")
    (True, True, False, False)
    >>> caps.get("supports_streaming")
    True
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True, allow_inf_nan=False)

    text_generation: bool = True
    code_generation: bool = False
    function_calling: bool = False
    structured_output: bool = False
    vision: bool = False
    audio: bool = False
    streaming: bool = False
    embeddings: bool = False
    reasoning: bool = False
    max_tokens: int | None = Field(default=None, gt=0, description="most output tokens in one answer")

    @model_validator(mode="before")
    @classmethod
    def _one_name_each(cls, raw: Any) -> Any:
        if isinstance(raw, list | tuple | set | frozenset):
            raw = dict.fromkeys(raw, True)
        if not isinstance(raw, Mapping):
            return raw
        return {capability_name(key): value for key, value in raw.items()}

    def has(self, name: str) -> bool:
        """True when the capability is declared and not off."""
        return bool(self.get(name))

    def denies(self, name: str) -> bool:
        """True when the capability is declared to be missing."""
        name = capability_name(name)
        return name in self.model_fields_set and not self.has(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The value under any spelling of the name."""
        return getattr(self, capability_name(name), default)

    def __getitem__(self, name: str) -> Any:
        value = self.get(name, _MISSING)
        if value is _MISSING:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.has(name)

    @property
    def names(self) -> frozenset[str]:
        """The capabilities this model has."""
        return frozenset(name for name, value in self if value is True)


_MISSING = object()
CAPABILITIES = tuple(name for name in ModelCapabilities.model_fields if name != "max_tokens")


class ModelConstraints(BaseModel):
    """Limits that are enforced before a call leaves: None means none.

    `burst_s` is how many seconds' worth of a limit by the minute may leave at once after a pause. The memory is what a
    model in this process may take for its weights: larger ones are not loaded.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    max_requests_per_minute: float | None = Field(default=None, gt=0)
    max_tokens_per_minute: float | None = Field(default=None, gt=0)
    max_concurrent_requests: int | None = Field(default=None, gt=0)
    burst_s: float = Field(default=60.0, gt=0, le=3600)
    required_memory_gb: float | None = Field(default=None, ge=0)
    required_gpu_memory_gb: float | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _rate_limit_names(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            return raw
        renamed = {"requests_per_minute": "max_requests_per_minute", "tokens_per_minute": "max_tokens_per_minute"}
        return {renamed.get(key, key): value for key, value in raw.items()}


class ModelInfo(BaseModel):
    """The description of one model; keys of the provider are held but never shown or saved.

    `id` is what you call it (default `provider/name`), `name` what its provider calls it. `context_window` is in
    tokens, `cost` in USD per million tokens; None means unknown.

    >>> info = ModelInfo(id="openai/gpt-4o", context_size=128_000, capabilities={"vision": True})
    >>> info.provider, info.name, info.context_window, info.capabilities.has("vision")
    ('openai', 'gpt-4o', 128000, True)
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, allow_inf_nan=False, validate_assignment=True)

    id: str = Field(min_length=1, max_length=512)
    provider: str = Field(min_length=1, max_length=128)
    name: str = Field(min_length=1, max_length=512)
    display_name: str | None = None
    version: str | None = None
    aliases: tuple[str, ...] = ()
    context_window: int | None = Field(default=None, gt=0)
    is_local: bool = False
    capabilities: ModelCapabilities = Field(default_factory=ModelCapabilities)
    constraints: ModelConstraints = Field(default_factory=ModelConstraints)
    cost: Cost | None = None
    speed_tokens_per_s: float | None = Field(default=None, gt=0, description="declared; measured speed wins")
    tags: set[str] = Field(default_factory=set)
    connector_metadata: dict[str, dict[str, Any]] = Field(default_factory=dict)
    custom_metadata: dict[str, Any] = Field(default_factory=dict)
    deprecation_date: date | None = Field(default=None, description="from this day on (UTC) it is not chosen any more")
    discovered: dict[str, Any] = Field(default_factory=dict, description="what a source said last, by field")
    base_url: str | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _other_shapes(cls, raw: Any) -> Any:
        return _plain_shape(dict(raw)) if isinstance(raw, Mapping) else raw

    @field_validator("cost", mode="before")
    @classmethod
    def _cost_shapes(cls, raw: Any) -> Any:
        return Cost.of(raw) if isinstance(raw, Mapping) else raw

    def __getstate__(self) -> dict[Any, Any]:
        """What a pickle holds: everything but the key."""
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "api_key": None}}

    @property
    def context_size(self) -> int | None:
        """The context window, by its older name."""
        return self.context_window

    @property
    def model_id(self) -> str:
        """The id, by its older name."""
        return self.id

    @property
    def names(self) -> Iterator[str]:
        """Every name this model answers to, the id first."""
        yield self.id
        yield from self.aliases
        yield self.name
        yield f"{self.provider}/{self.name}"
        yield f"{self.provider}:{self.name}"


def _plain_shape(raw: dict[str, Any]) -> dict[str, Any]:
    """Older and nested spellings brought to the fields above."""
    for old, new in (("model_id", "id"), ("model_name", "display_name"), ("rate_limit", "constraints")):
        if old in raw:
            raw[new] = raw.pop(old)
    for old in ("context_size", "context_length"):
        if old in raw:
            raw["context_window"] = raw.pop(old)
    if "cost_per_token" in raw and raw.get("cost") is None:
        raw["cost"] = {"cost_per_token": raw.pop("cost_per_token")} if raw["cost_per_token"] else None
    raw.pop("cost_per_token", None)
    _flatten_provider(raw)
    _complete_identity(raw)
    return {key: value for key, value in raw.items() if value is not None}


def _flatten_provider(raw: dict[str, Any]) -> None:
    provider = raw.get("provider")
    if isinstance(provider, Mapping):
        raw["provider"] = provider.get("name")
        raw.setdefault("base_url", provider.get("base_url"))
        raw["api_key"] = raw.get("api_key") or provider.get("default_api_key")
    if isinstance(raw.get("provider"), str):
        raw["provider"] = PROVIDER_ALIASES.get(raw["provider"].lower(), raw["provider"].lower())


def _complete_identity(raw: dict[str, Any]) -> None:
    """Any two of id, provider and name give the third."""
    model_id = raw.get("id")
    if isinstance(model_id, str):
        head, found, tail = _split_id(model_id)
        if raw.get("provider") is None and found:
            raw["provider"] = PROVIDER_ALIASES.get(head.lower(), head.lower())
        belongs = found and PROVIDER_ALIASES.get(head.lower(), head.lower()) == raw.get("provider")
        raw.setdefault("name", tail if belongs else model_id)
    elif isinstance(raw.get("name"), str) and raw.get("provider"):
        raw["id"] = f"{raw['provider']}/{raw['name']}"


def _split_id(model_id: str) -> tuple[str, bool, str]:
    """`provider/rest` or `provider:rest`, whichever mark comes first."""
    cut = min((i for i in (model_id.find("/"), model_id.find(":")) if i > 0), default=-1)
    return (model_id[:cut], True, model_id[cut + 1 :]) if cut > 0 else ("", False, model_id)


PROVIDER_ALIASES = {"deepmind": "google", "gemini": "google", "hf": "huggingface", "azure_openai": "azure"}
