"""What a provider lists itself: one source for every provider the engine can call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from orchestrator.catalog.facts import found_on
from orchestrator.catalog.source import Found, ModelSource
from orchestrator.core.info import PROVIDER_ALIASES
from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.integrations.compatible import SERVICES, CompatibleModel
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.providers import known_providers, provider_class

__all__ = ["ProviderAPISource"]

_OPEN = frozenset({"openrouter", "huggingface"})  # they show their list to everybody


class ProviderAPISource(ModelSource):
    """The list of a provider's own API, all pages of it, with that provider's headers.

    Key and address come from the environment unless given. Azure lists what a resource may deploy, not its
    deployments; a server of your own needs `base_url=`.

    >>> ProviderAPISource("anthropic")
    <ProviderAPISource 'anthropic'>
    """

    def __init__(
        self, provider_name: str, *, api_key: str | None = None, base_url: str | None = None, limit_s: float = 30.0
    ) -> None:
        name = provider_name.strip().lower()
        self.provider = PROVIDER_ALIASES.get(name, name)
        self.limit_s = limit_s
        self._options: dict[str, Any] = {"api_key": api_key, "base_url": base_url}
        if self.provider not in known_providers() and base_url is None:
            raise ConfigurationError(f"no provider {provider_name!r}; {did_you_mean(name, known_providers())}")

    async def fetch(self) -> Found:
        """The provider's models."""
        model = self._someone()
        listing = await model.list_models()
        # a long list is described in a thread, so that it holds up nobody else
        return await asyncio.to_thread(found_on, self.provider, listing, is_local=model.is_local, **self._options)

    def setup_issue(self) -> str | None:
        """What to set before this provider can be asked, or None."""
        return self._someone().setup_issue()

    def _someone(self) -> HTTPModel:
        """A model to ask through: which one does not matter, a list is nobody's own."""
        cls = provider_class(self.provider) or CompatibleModel
        if not issubclass(cls, HTTPModel):
            raise ConfigurationError(f"{self.provider!r} is served by {cls.__name__}, which lists no models")
        options = self._options | ({"provider": self.provider} if issubclass(cls, CompatibleModel) else {})
        if self.provider in _OPEN:
            service = SERVICES.get(self.provider) or cls.service
            return HTTPModel("any", service=replace(service, key_needed=False), **self._options)
        return cls("any", **options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.provider!r}>"
