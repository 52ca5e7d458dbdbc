"""Ollama: models on this machine or network."""

from __future__ import annotations

from typing import Any

from orchestrator.integrations import strict_json
from orchestrator.integrations.dialects.listing import ListedModel
from orchestrator.integrations.dialects.ollama import Ollama, read_facts, read_version
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.service import Service

__all__ = ["OllamaModel"]


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
