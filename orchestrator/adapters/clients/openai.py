"""An `openai.AsyncOpenAI` as ours: chat completions and embeddings through the user's own client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from orchestrator.adapters.clients.sdk import SDKModel
from orchestrator.core.messages import Embeddings, Request
from orchestrator.errors import MalformedResponseError
from orchestrator.integrations import strict_json
from orchestrator.integrations.compatible import SERVICES
from orchestrator.integrations.dialects.openai_chat import OpenAIChat

__all__ = ["OpenAIClientModel"]


class OpenAIClientModel(SDKModel):
    """A model behind an `AsyncOpenAI` or `AsyncAzureOpenAI`; who serves it is read from the client's address."""

    dialect = OpenAIChat(completion_cap=True)

    def __init__(self, client: Any, *, name: str | None = None, **facts: Any) -> None:
        super().__init__(client, name=name, **{"provider": _served_by(client), **facts})

    def _calling(self, body: dict[str, Any]) -> Any:
        own = {key: body.pop(key) for key in ("model", "messages", "stream") if key in body}
        return self.client.chat.completions.with_streaming_response.create(**own, extra_body=body)

    async def send_embeddings(self, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """One vector a text, in order."""
        body = self.dialect.encode_embeddings(texts, self.name, params)
        own = {key: body.pop(key) for key in ("model", "input", "encoding_format") if key in body}
        with self._in_our_words(Request.of(list(texts))):
            async with self.client.embeddings.with_streaming_response.create(**own, extra_body=body) as response:
                found = self.dialect.decode_embeddings(strict_json.loads(await response.read()))
        if len(found.vectors) != len(texts):
            raise MalformedResponseError(f"{len(found.vectors)} embeddings came for {len(texts)} texts")
        return Embeddings(found.vectors, usage=found.usage, model_id=self.id)


def _served_by(client: Any) -> str:
    """The provider at the client's address, or `compatible` where nobody known lives."""
    if any("Azure" in kind.__name__ for kind in type(client).__mro__):
        return "azure"
    host = urlsplit(str(client.base_url)).hostname
    if host == "api.openai.com":
        return "openai"
    known = {urlsplit(service.base_url).hostname: name for name, service in SERVICES.items() if service.base_url}
    return "compatible" if host in (None, "127.0.0.1", "localhost") else known.get(host, "compatible")
