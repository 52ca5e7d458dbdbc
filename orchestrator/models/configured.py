"""The doors between a registry and its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from orchestrator.errors import ConfigurationError
from orchestrator.models.budgets import Budgets
from orchestrator.models.fleet import Fleet

if TYPE_CHECKING:
    from orchestrator.models.configuring import Reloaded
    from orchestrator.settings import Settings

__all__ = ["Configured"]


class Configured(Fleet):
    """The part of a registry that comes from settings."""

    @classmethod
    def from_config(
        cls,
        config: str | os.PathLike[str] | Mapping[str, Any] | Settings,
        *,
        environ: Mapping[str, str] | None = None,
        **given: Any,
    ) -> Self:
        """A registry from a YAML or JSON file or a mapping; the environment wins over it, and arguments over both.

        >>> from orchestrator import ModelRegistry
        >>> registry = ModelRegistry.from_config({"models": ["openai/gpt-4o"], "selector": "cost"}, environ={})
        >>> registry.list_models(), registry.selector.name
        (['openai/gpt-4o'], 'cost')
        """
        from orchestrator.models.configuring import registry_of
        from orchestrator.settings import Settings, load_settings

        settings = config if isinstance(config, Settings) else load_settings(config, environ=environ)
        return registry_of(cls, settings, **given)

    @classmethod
    def from_env(cls, *, env_file: str | os.PathLike[str] | None = ".env", **given: Any) -> Self:
        """A registry from the environment alone, into which the variables of `env_file` are read first."""
        from orchestrator.settings import export_dotenv

        if env_file is not None:
            export_dotenv(env_file)
        return cls.from_config({}, **given)

    def reload(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> Reloaded:
        """Take over new settings, by default from the file they came from; when they are wrong, nothing changes.

        Calls in flight finish, also those of a model that has gone; models that were registered by hand stay.
        """
        from orchestrator.models.configuring import reconfigured
        from orchestrator.settings import load_settings

        if config is None:
            if self.settings is None or not self.settings.sources:
                raise ConfigurationError("this registry was not made from a file: give reload() the path of one")
            config = self.settings.sources[0]
        return reconfigured(self, load_settings(config, environ=environ))

    def limit_tenant(self, tenant: str, **limits: float) -> None:
        """Bind what one tenant may spend (`day_usd`, `month_usd`, ...), beside the budgets there are.

        >>> from orchestrator import ModelRegistry
        >>> registry = ModelRegistry()
        >>> registry.limit_tenant("acme", day_usd=5)
        >>> [(row["tenant"], row["limit_usd"]) for row in registry.budgets.snapshot()]
        [('acme', 5.0)]
        """
        self._kept_budgets().limit_tenant(tenant, limits)

    def limit_tenants(self, tenants: Mapping[str, Mapping[str, float]], *, by: object) -> None:
        """Bind what several tenants may spend, in the place of what was bound `by` the same before."""
        if tenants or self.budgets is not None:
            self._kept_budgets().limit_tenants(tenants, by=by)

    def _kept_budgets(self) -> Budgets:
        if self.budgets is None:
            accounts = self.usage.accounts if self.sharing is None else self.sharing.accounts
            self.engine.keep_to(Budgets.of({}, clock=self.clock, accounts=accounts))
        assert self.budgets is not None
        return self.budgets
