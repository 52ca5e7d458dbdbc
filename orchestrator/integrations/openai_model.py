"""OpenAI: chat completions, or the Responses API on demand."""

from __future__ import annotations

from typing import Any, Literal

from orchestrator.errors import ProviderConfigError
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.dialects.openai_responses import OpenAIResponses
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.service import Service

__all__ = ["OpenAIModel"]

_CHAT = Service(
    provider="openai",
    base_url="https://api.openai.com/v1",
    dialect=OpenAIChat(completion_cap=True),
    key_vars=("OPENAI_API_KEY",),
)
_APIS = {
    "chat": _CHAT,
    "responses": Service(
        provider="openai", base_url=_CHAT.base_url, dialect=OpenAIResponses(), key_vars=_CHAT.key_vars
    ),
}


class OpenAIModel(HTTPModel):
    """A model of OpenAI; `api="responses"` speaks the newer API.

    >>> OpenAIModel("gpt-4o").capabilities.has("vision")
    True
    """

    service = _CHAT

    def __init__(
        self,
        name: str | None = None,
        *,
        api: Literal["chat", "responses"] = "chat",
        organization: str | None = None,
        project: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        if api not in _APIS:
            raise ProviderConfigError(f"api={api!r}: OpenAI is spoken to by {' or '.join(map(repr, _APIS))}")
        account = {"OpenAI-Organization": organization, "OpenAI-Project": project}
        own = {header: value for header, value in account.items() if value}
        super().__init__(name, service=_APIS[api], headers=own | (headers or {}), **options)
