"""A catalogue in one JSON document: read from a file or an address, bounded, and never followed further."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.catalog.source import Found, ModelSource
from orchestrator.core.model import ModelInfo
from orchestrator.errors import ConfigurationError, MalformedResponseError, OrchestratorError, ProviderConnectionError
from orchestrator.integrations import strict_json, transport
from orchestrator.integrations.addresses import checked_base_url
from orchestrator.integrations.failures import failure

__all__ = ["DocumentSource"]

_FIRST_BYTE_S = 30.0
_GAP_S = 30.0


class DocumentSource(ModelSource):
    """The models of a JSON document at `place`, a path or an https address; a subclass knows its shape.

    At most 16 MiB are read, redirects are not followed, and no address in the data is ever asked or kept.
    """

    place: str

    def __init__(self, place: str | Path | None = None, *, limit_s: float = 30.0) -> None:
        self.place = str(place) if place is not None else self.place
        self.limit_s = limit_s

    @abstractmethod
    def read(self, document: Any) -> Iterator[ModelInfo | None]:
        """The models in the document; None for an entry that is none."""

    async def fetch(self) -> Found:
        """The models of the document as it is now."""
        data = await self._loaded() if "://" in self.place else await asyncio.to_thread(_file, self.place)
        return await asyncio.to_thread(lambda: Found.of(self.read(self._parsed(data))))

    async def _loaded(self) -> bytes:
        from yarl import URL

        url, limits = URL(checked_base_url(self.place)), transport.Limits.of(first_byte_s=_FIRST_BYTE_S, gap_s=_GAP_S)
        name, headers = type(self).__name__, {"User-Agent": "orchestrator", "Accept": "application/json"}
        try:
            answer = await transport.exchange(url, headers, None, limits, provider=name)
        except transport.StaleConnection:
            raise ProviderConnectionError(f"{url.host} hung up without an answer") from None
        if answer.status != 200:
            raise failure(answer.status, answer.headers, answer.body, provider=name, private=())
        return answer.body

    def _parsed(self, data: bytes) -> Any:
        try:
            document = strict_json.loads(data)
        except OrchestratorError as fault:
            raise MalformedResponseError(f"{self.place!r} is no catalogue: {fault}") from None
        if not isinstance(document, dict):
            raise MalformedResponseError(f"{self.place!r} is no catalogue: it is no JSON object")
        return document

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.place!r}>"


def _file(place: str) -> bytes:
    """The bytes of a file of bounded size."""
    path = Path(place).expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(transport.MAX_BODY + 1)
    except OSError as fault:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {fault.strerror}") from None
    if len(data) > transport.MAX_BODY:
        raise ConfigurationError(f"{str(path)!r} is larger than {transport.MAX_BODY} bytes: no catalogue is")
    return data
