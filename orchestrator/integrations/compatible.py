"""Services that speak OpenAI's dialect: a row each, and one class for all of them."""

from __future__ import annotations

from typing import Any

from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.service import Service

__all__ = ["SERVICES", "CompatibleModel"]

_PLAIN = OpenAIChat()
_QUIET = OpenAIChat(stream_usage=False)  # usage comes in streams unasked, and asking is refused


def _cloud(provider: str, base_url: str, key_var: str, dialect: OpenAIChat = _PLAIN) -> Service:
    return Service(provider=provider, base_url=base_url, dialect=dialect, key_vars=(key_var,))


def _own(provider: str, base_url: str, key_var: str) -> Service:
    """A server that people run themselves: usually without a key."""
    return Service(
        provider=provider, base_url=base_url, dialect=_PLAIN, key_vars=(key_var,), key_needed=False, is_local=True
    )


SERVICES: dict[str, Service] = {
    service.provider: service
    for service in (
        _cloud("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        _cloud("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        _cloud("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", _QUIET),
        _cloud("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        _cloud("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
        _cloud("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        _cloud(
            "perplexity",
            "https://api.perplexity.ai",
            "PERPLEXITY_API_KEY",
            OpenAIChat(stream_usage=False, vector_encoding="base64_int8"),
        ),
        _cloud("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
        _cloud("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
        _own("vllm", "http://localhost:8000/v1", "VLLM_API_KEY"),
        _own("lmstudio", "http://localhost:1234/v1", "LMSTUDIO_API_KEY"),
        _own("llamacpp", "http://localhost:8080/v1", "LLAMACPP_API_KEY"),
    )
}


class CompatibleModel(HTTPModel):
    """A model of any service that speaks OpenAI's dialect: one of `SERVICES`, or any other by its `base_url`.

    >>> CompatibleModel("llama-3.3-70b", provider="groq").id
    'groq/llama-3.3-70b'
    >>> CompatibleModel("mine", base_url="http://localhost:9000/v1").id
    'compatible/mine'
    """

    def __init__(self, name: str | None = None, *, provider: str | None = None, **options: Any) -> None:
        info = options.get("info")
        provider = provider or (info.provider if info is not None else "compatible")
        super().__init__(name, service=SERVICES.get(provider) or _elsewhere(provider), **options)


def _elsewhere(provider: str) -> Service:
    """A service known by nothing but its address; its key is `<PROVIDER>_API_KEY`, if it wants one."""
    variable = "".join(letter if letter.isalnum() else "_" for letter in provider).upper()
    return Service(
        provider=provider, base_url=None, dialect=_PLAIN, key_vars=(f"{variable}_API_KEY",), key_needed=False
    )
