"""Which models can be asked from here: by the keys in the environment, a running Ollama, or a given address."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.cli.failing import UsageError
from orchestrator.errors import ModelNotFoundError, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.core.model import Model
    from orchestrator.integrations.dialects.listing import ListedModel
    from orchestrator.integrations.http_model import HTTPModel
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["WELL_KNOWN", "NoListError", "Where", "discover", "listing", "ollama_address"]

# asked when a key for their provider is there and no --model says otherwise
WELL_KNOWN = (
    "openai/gpt-5.2",
    "openai/gpt-5-mini",
    "anthropic/claude-opus-4-5",
    "anthropic/claude-sonnet-4-5",
    "anthropic/claude-haiku-4-5",
    "google/gemini-2.5-pro",
    "google/gemini-2.5-flash",
    "mistral/mistral-large-latest",
    "mistral/mistral-small-latest",
    "deepseek/deepseek-chat",
    "xai/grok-4",
    "groq/llama-3.3-70b-versatile",
    "cerebras/llama-3.3-70b",
    "together/meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "openrouter/openai/gpt-5-mini",
    "perplexity/sonar",
    "huggingface/meta-llama/Llama-3.3-70B-Instruct",
)
_KEYS = "OPENAI_API_KEY, ANTHROPIC_API_KEY, GOOGLE_API_KEY, MISTRAL_API_KEY, GROQ_API_KEY, OPENROUTER_API_KEY"
_PROBE_S = 0.5  # a server on this machine answers sooner, or is not there
_LISTING_S = 15.0


class NoListError(OrchestratorError):
    """A server does not say which models it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where the caller says to look; nothing given means everywhere."""

    names: Sequence[str] = ()
    base_url: str | None = None
    key_variable: str | None = None


async def discover(where: Where, *, selector: str) -> ModelRegistry:
    """A registry of the models found; a UsageError that says what to set when there are none."""
    from orchestrator.models.model_registry import ModelRegistry

    registry = ModelRegistry(selector, cache_responses=False)
    if where.base_url is not None:
        _register(registry, await _at(where))
    elif where.names:
        _adopt(registry, where.names)
    else:
        _register(registry, _with_keys(WELL_KNOWN))
        _register(registry, await _on_ollama(os.environ))
    if not registry:
        raise UsageError(
            f"no models found: set a key such as {_KEYS}, start Ollama, or give --base-url URL of a server that "
            f"speaks OpenAI's dialect"
        )
    return registry


def _register(registry: ModelRegistry, models: Iterable[Model]) -> None:
    for model in models:
        registry.register_model(model)


def _adopt(registry: ModelRegistry, names: Iterable[str]) -> None:
    """Register the models that the caller named."""
    from orchestrator.integrations.providers import known_providers

    for name in names:
        try:
            registry.get_model(name)
        except ModelNotFoundError:
            providers = ", ".join(known_providers())
            raise UsageError(f"--model {name!r}: write provider/name, with a provider among {providers}") from None


def _with_keys(names: Iterable[str]) -> list[Model]:
    """Those of the well-known models whose provider is set up."""
    from orchestrator.core.info import ModelInfo
    from orchestrator.integrations.providers import model_from

    models = (model_from(ModelInfo.model_validate({"id": name})) for name in names)
    return [model for model in models if model.setup_issue() is None]


async def _on_ollama(environ: Mapping[str, str]) -> list[Model]:
    """What a running Ollama has installed; none runs, none found."""
    from orchestrator.integrations.ollama_model import OllamaModel

    address = ollama_address(environ)
    try:
        listed = await _listed(OllamaModel("any", base_url=address), limit_s=_PROBE_S)
    except NoListError:
        return []
    return [OllamaModel(one.id, base_url=address, context_window=one.context_window) for one in _chatting(listed)]


def ollama_address(environ: Mapping[str, str]) -> str:
    """Where Ollama's own variable says it is.

    >>> ollama_address({}), ollama_address({"OLLAMA_HOST": "0.0.0.0:11434"})
    ('http://localhost:11434', 'http://localhost:11434')
    >>> ollama_address({"OLLAMA_HOST": "box"})
    'http://box:11434'
    """
    host = environ.get("OLLAMA_HOST", "").strip().rstrip("/") or "localhost"
    scheme, found, rest = host.partition("://")
    host, scheme = (rest, scheme) if found else (host, "http")
    host = host.replace("0.0.0.0", "localhost")  # noqa: S104 - Ollama's way to say "everywhere", which nobody can dial
    return f"{scheme}://{host}" if found or ":" in host else f"{scheme}://{host}:11434"


async def _at(where: Where) -> list[Model]:
    """The models of the given server: those that were named, or all that it lists and that chat."""
    if where.names:
        return [_elsewhere(where, name.removeprefix("compatible/")) for name in where.names]
    listed = _chatting(await _listed(_elsewhere(where, "any"), limit_s=_LISTING_S))
    if not listed:
        raise UsageError("the server at --base-url lists no chat models: name one with --model")
    return [_elsewhere(where, one.id, listed=one) for one in listed]


def _elsewhere(where: Where, name: str, *, listed: ListedModel | None = None) -> HTTPModel:
    from orchestrator.integrations.compatible import CompatibleModel

    key = None
    if where.key_variable is not None:
        key = os.environ.get(where.key_variable)
        if not key:
            raise UsageError(f"--key-env {where.key_variable!r}: this variable is not set")
    facts = _facts(listed) if listed is not None else {}
    return CompatibleModel(name, base_url=where.base_url, api_key=key, **facts)


def _facts(listed: ListedModel) -> dict[str, Any]:
    """What a list tells about a model, as its description has it."""
    facts: dict[str, Any] = {"context_window": listed.context_window}
    if listed.input_usd is not None and listed.output_usd is not None:
        facts["cost"] = {"input": listed.input_usd, "output": listed.output_usd}
    if listed.capabilities:
        facts["capabilities"] = dict.fromkeys(listed.capabilities, True)
    return {name: value for name, value in facts.items() if value is not None}


def _chatting(listed: Iterable[ListedModel]) -> list[ListedModel]:
    """Without those that are clearly for something else than chat."""
    from orchestrator.integrations.dialects.listing import seems_to_chat

    return [one for one in listed if seems_to_chat(one.id)]


async def listing(models: Iterable[Model]) -> dict[str, list[ListedModel] | str]:
    """What each provider of these models lists today, by provider; a text says why one does not."""
    from orchestrator.integrations.http_model import HTTPModel

    first = {model.provider: model for model in reversed(list(models)) if isinstance(model, HTTPModel)}

    async def ask(model: HTTPModel) -> list[ListedModel] | str:
        try:
            return await _listed(model, limit_s=_LISTING_S)
        except NoListError as error:
            return str(error)

    answers = await asyncio.gather(*map(ask, first.values()))
    return dict(zip(first, answers, strict=True))


async def _listed(model: HTTPModel, *, limit_s: float) -> list[ListedModel]:
    """The provider's list, or a NoListError that says why there is none."""
    from orchestrator.integrations.transport import close_sessions

    try:
        async with asyncio.timeout(limit_s):
            return await model.list_models()
    except TimeoutError:
        raise NoListError(f"{model.provider} did not list its models within {limit_s:g} s") from None
    except OrchestratorError as error:
        raise NoListError(f"{model.provider} does not list its models: {error}") from None
    finally:
        await close_sessions()
