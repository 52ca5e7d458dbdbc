"""An `anthropic.AsyncAnthropic` as ours: messages through the user's own client."""

from __future__ import annotations

from typing import Any

from orchestrator.adapters.clients.sdk import SDKModel
from orchestrator.integrations.dialects.anthropic import Anthropic

__all__ = ["AnthropicClientModel"]


class AnthropicClientModel(SDKModel):
    """A model behind an `AsyncAnthropic`."""

    dialect = Anthropic()

    def __init__(self, client: Any, *, name: str | None = None, **facts: Any) -> None:
        super().__init__(client, name=name, **{"provider": "anthropic", **facts})

    def _calling(self, body: dict[str, Any]) -> Any:
        own = {key: body.pop(key) for key in ("model", "messages", "max_tokens", "stream") if key in body}
        asked = self.client.messages.with_streaming_response
        # given by name, the client does not refuse a long answer that is not streamed: the deadline is the engine's
        return asked.create(**own, extra_body=body, timeout=self.client.timeout)
