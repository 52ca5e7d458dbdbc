"""Anthropic: Claude."""

from __future__ import annotations

from typing import Any

from orchestrator.core.messages import Prompt, Request
from orchestrator.errors import ProviderAPIError
from orchestrator.integrations import strict_json
from orchestrator.integrations.dialects.anthropic import Anthropic, read_token_count
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.line import signed
from orchestrator.integrations.service import Service

__all__ = ["AnthropicModel"]

_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking")


class AnthropicModel(HTTPModel):
    """A model of Anthropic.

    >>> AnthropicModel("claude-sonnet-4-5").id
    'anthropic/claude-sonnet-4-5'
    """

    service = Service(
        provider="anthropic",
        base_url="https://api.anthropic.com/v1",
        dialect=Anthropic(),
        key_vars=("ANTHROPIC_API_KEY",),
        key_header="x-api-key",
        key_prefix="",
        headers={"anthropic-version": "2023-06-01"},
    )

    async def count_tokens(self, prompt: Prompt, **params: Any) -> int | None:
        """How many tokens the prompt has for this model; asked of the provider, free of charge."""
        line = self._line or self._connect()
        request = Request.of(prompt, **params)
        url = line.url("messages/count_tokens")
        try:
            body = line.written(request)
            counted = {key: body[key] for key in _COUNTED if key in body}
            answer = await line.ask(url, strict_json.dumps(counted), lambda: self._private(request))
            return read_token_count(answer)
        except ProviderAPIError as error:
            raise signed(error, self.id, self._private(request))  # noqa: B904 - the very same error
