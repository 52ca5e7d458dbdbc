"""One call through a client made by OpenAI or Anthropic: their connections and keys, our reading of the bytes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, ClassVar

from pydantic import SecretStr

from orchestrator.adapters.clients.wrapped import ClientModel
from orchestrator.core.messages import Chunk, Reply, Request
from orchestrator.core.model import last_chunk
from orchestrator.errors import MalformedResponseError, ServerError
from orchestrator.integrations import strict_json
from orchestrator.integrations.credentials import key_digest
from orchestrator.integrations.dialects.bound import foreign_to
from orchestrator.integrations.dialects.dialect import Dialect, StreamReader

__all__ = ["SDKModel"]


class SDKModel(ClientModel):
    """A model behind such a client.

    The reply is read as it came over the wire, so that a stream without its end, which the client's own reader takes
    for an answer, is an error here too. The client's retries are off: each attempt is the engine's, and counted.
    """

    dialect: ClassVar[Dialect]

    def __init__(self, client: Any, *, name: str | None, **facts: Any) -> None:
        super().__init__(client.with_options(max_retries=0), name=name, **facts)

    @abstractmethod
    def _calling(self, body: dict[str, Any]) -> Any:
        """The client's context of one call: entering it sends `body`, and brings the response unread."""

    @property
    def key_id(self) -> str:
        """Equal for models whose clients have the same key for the same address."""
        key = getattr(self._client, "api_key", None)
        if not isinstance(key, str) or not key:
            return self.id
        return key_digest(self.provider, str(self._client.base_url), [SecretStr(key)])

    @property
    def foreign_params(self) -> frozenset[str]:
        """Parameters that the dialect does not know and another one does."""
        return foreign_to(type(self.dialect).__name__)

    async def send(self, request: Request) -> Reply:
        """One answer."""
        with self._in_our_words(request):
            async with self._calling(self.dialect.encode(request, self.name, stream=False)) as response:
                return self.dialect.decode(_value(await response.read()))

    async def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The answer in pieces; a stream that breaks raises with `text_so_far`."""
        reader = self.dialect.reader()
        with self._in_our_words(request, said=lambda: reader.text):
            async with self._calling(self.dialect.encode(request, self.name, stream=True)) as response:
                if "json" in response.headers.get("content-type", ""):  # a server that does not stream
                    reply = self.dialect.decode(_value(await response.read()))
                    yield last_chunk(reply, reply.text)
                    return
                async with aclosing(self._read(response, reader)) as pieces:
                    async for chunk in pieces:
                        yield chunk
            yield reader.finish()

    async def _read(self, response: Any, reader: StreamReader) -> AsyncGenerator[Chunk, None]:
        """The chunks in the bytes; a road that breaks after the answer's end does no harm."""
        framing = self.dialect.framing()
        try:
            async for data in response.iter_bytes():
                for frame in framing.feed(data):
                    for chunk in reader.feed(frame):
                        yield chunk
        except Exception:
            if not reader.ended:
                raise
        with suppress(MalformedResponseError):  # a frame that was cut: `finish` judges what is there
            for frame in framing.close():
                for chunk in reader.feed(frame):
                    yield chunk


def _value(body: bytes) -> Any:
    """The body as JSON; a page of HTML or nothing at all is a fault of the server."""
    start = body[:64].lstrip()
    if not start or start.startswith(b"<"):
        what = "a page of HTML: check base_url" if start else "an empty body"
        raise ServerError(f"the provider answered 200 with {what}", status=200)
    return strict_json.loads(body)
