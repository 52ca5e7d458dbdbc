"""Ollama: models on this machine or network, and those that are fetched when they are first asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

from orchestrator.core.messages import Chunk, Reply, Request
from orchestrator.errors import UpstreamNotFoundError
from orchestrator.integrations import ollama_pull, strict_json
from orchestrator.integrations.dialects.listing import ListedModel
from orchestrator.integrations.dialects.ollama import Ollama, read_facts, read_version
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.service import Service

__all__ = ["LazyOllamaModel", "OllamaModel"]

_log = logging.getLogger(__name__)


class OllamaModel(HTTPModel):
    """A model served by Ollama; `model_path` is the name Ollama knows, `name` the one you use.

    Loading a model may take minutes, hence the patient `first_byte_s`.

    >>> model = OllamaModel(name="llama2", model_path="llama2:7b")
    >>> model.id, model.is_local
    ('ollama/llama2', True)
    """

    service = Service(
        provider="ollama",
        base_url="http://localhost:11434",
        dialect=Ollama(),
        key_vars=("OLLAMA_API_KEY",),
        key_needed=False,
        is_local=True,
    )

    def __init__(
        self,
        name: str | None = None,
        *,
        model_path: str | None = None,
        host: str | None = None,
        port: int = 11434,
        base_url: str | None = None,
        first_byte_s: float = 300.0,
        **options: Any,
    ) -> None:
        if base_url is None and (host is not None or port != 11434):
            base_url = f"http://{host or 'localhost'}:{port}"
        super().__init__(name or model_path, base_url=base_url, first_byte_s=first_byte_s, **options)
        self.model_path = model_path or self.name

    @property
    def wire_name(self) -> str:
        """The name Ollama knows."""
        return self.model_path

    async def facts_of(self, name: str) -> ListedModel | None:
        """What the server tells about one installed model: window and abilities, which its list leaves out."""
        line = self._line or self._connect()
        body = await line.ask(line.url("api/show"), strict_json.dumps({"model": name}), self._private)
        return read_facts(name, body)

    async def version(self) -> str:
        """The version of the server."""
        line = self._line or self._connect()
        return read_version(await line.ask(line.url("api/version"), None, self._private))


class LazyOllamaModel(OllamaModel):
    """A model that Ollama need not have yet: with `pull=True` the first call that misses it has it fetched.

    Models are gigabytes, so nothing is fetched unasked: without `pull=True` the error says how. Callers that race wait
    for one download. `progress(status, completed_bytes, total_bytes)` hears of it; both counts are None where Ollama
    tells none. A download that failed is tried again by the next call.

    >>> LazyOllamaModel("llama3.2", pull=True).id
    'ollama/llama3.2'
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        pull: bool = False,
        progress: Callable[[str, int | None, int | None], None] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self.pull, self.progress = pull, progress
        self._turn: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._pulls = 0  # that have ended well

    async def send(self, request: Request) -> Reply:
        """One answer, with a download before it if need be."""
        pulls = self._pulls
        try:
            return await super().send(request)
        except UpstreamNotFoundError as missing:
            await self._fetch(missing, pulls)
        return await super().send(request)

    async def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The same in pieces."""
        pulls = self._pulls
        try:
            async for chunk in super().open_stream(request):
                yield chunk
            return
        except UpstreamNotFoundError as missing:
            await self._fetch(missing, pulls)
        async for chunk in super().open_stream(request):
            yield chunk

    async def fetch(self) -> None:
        """Have Ollama download the model now, whatever `pull` says; ProviderAPIError when it cannot."""
        line = self._line or self._connect()
        await ollama_pull.pull(line, self.wire_name, self.id, self.progress)

    async def _fetch(self, missing: UpstreamNotFoundError, pulls: int) -> None:
        """Download, unless somebody else has done so since the call that missed it began."""
        if not self.pull:
            hint = f"Ollama does not have {self.wire_name!r}: run `ollama pull {self.wire_name}`, or give pull=True"
            raise UpstreamNotFoundError(hint, status=missing.status, model_id=self.id) from missing
        async with self._turn_of_this_loop():
            if self._pulls == pulls:
                _log.info("fetching %s, which Ollama does not have yet", self.wire_name)
                await self.fetch()
                self._pulls += 1

    def _turn_of_this_loop(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._turn is None or self._turn[0] is not loop:
            self._turn = (loop, asyncio.Lock())
        return self._turn[1]

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what belongs to this process."""
        return {**super().__getstate__(), "_turn": None, "progress": None}
