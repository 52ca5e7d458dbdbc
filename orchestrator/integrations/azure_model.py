"""Azure OpenAI: the deployment is part of the address."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.service import Service

__all__ = ["AzureOpenAIModel"]

_ENDPOINT = "AZURE_OPENAI_ENDPOINT"


class AzureOpenAIModel(HTTPModel):
    """A deployment on Azure OpenAI; `base_url` is the resource's endpoint, `deployment` its name there.

    An endpoint ending in `/openai/v1` is spoken to in the newer form, without `api-version`.

    >>> AzureOpenAIModel("gpt-4o", base_url="https://mine.openai.azure.com", deployment="chat").id
    'azure/gpt-4o'
    """

    service = Service(
        provider="azure",
        base_url=None,
        dialect=OpenAIChat(completion_cap=True),
        key_vars=("AZURE_OPENAI_API_KEY",),
        key_header="api-key",
        key_prefix="",
    )

    def __init__(
        self,
        name: str | None = None,
        *,
        deployment: str | None = None,
        api_version: str = "2024-10-21",
        base_url: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name or deployment, base_url=base_url or os.environ.get(_ENDPOINT) or None, **options)
        self.deployment = deployment or self.name
        self.api_version = api_version

    @property
    def wire_name(self) -> str:
        """The name of the deployment."""
        return self.deployment

    def setup_issue(self) -> str | None:
        """Which variables to set."""
        if self._base_url is None:
            return f"no endpoint for azure: set {_ENDPOINT} or pass base_url="
        return super().setup_issue()

    def _address(self, path: str) -> str:
        if str(self._base_url).endswith("/v1"):
            return f"{self._base_url}/{path}"
        at = "" if path == "models" else f"deployments/{quote(self.deployment, safe='')}/"
        return f"{self._base_url}/openai/{at}{path}?api-version={quote(self.api_version, safe='')}"
