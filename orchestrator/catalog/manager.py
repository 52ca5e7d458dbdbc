"""One door to everything about models: where they are found, what is noted about them, how clients take them."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from orchestrator.catalog.annotations import Annotations
from orchestrator.catalog.connectors import ConnectorRegistry
from orchestrator.catalog.discovery import Discovery, DiscoveryError, DiscoveryWarning, Finding
from orchestrator.catalog.refreshing import refreshed, stamped
from orchestrator.catalog.source import ModelSource
from orchestrator.catalog.sources import CATALOGUES, LeftOutSource, source_named, source_names
from orchestrator.core.model import Model, ModelInfo
from orchestrator.errors import ConfigurationError, did_you_mean
from orchestrator.models.model_registry import ModelRegistry, default_registry
from orchestrator.models.portal import portal
from orchestrator.models.roster.entries import model_of
from orchestrator.models.roster.narrowing import narrowed

__all__ = ["ModelManager", "get_manager"]


class ModelManager(Annotations):
    """Discovers, annotates and describes the models of a registry; it keeps no second store.

    Sources are the built-in ones and every provider that the engine can call, unless `sources` are given; the same
    goes for `connectors`. `registry` is the one to work on, `storage_path` where a new one keeps its models.

    >>> manager = ModelManager()
    >>> manager.registry["mine"] = {"provider": "openai", "name": "gpt-4", "context_size": 8192}
    >>> manager.add_model_tag("mine", "production")
    >>> manager.list_models(tags=["production"]), manager.get_connector_metadata("mine", "openai")
    ([<OpenAIModel 'mine'>], {'model': 'gpt-4'})
    """

    def __init__(
        self,
        registry: ModelRegistry | None = None,
        *,
        storage_path: str | os.PathLike[str] | None = None,
        sources: Mapping[str, ModelSource] | None = None,
        connectors: ConnectorRegistry | None = None,
        discovery: Discovery | None = None,
    ) -> None:
        if registry is not None and storage_path is not None:
            raise TypeError("give registry or storage_path, not both: a registry has a storage_path of its own")
        super().__init__(ModelRegistry(storage_path=storage_path) if registry is None else registry)
        self.connectors = ConnectorRegistry.built_in() if connectors is None else connectors
        self.discovery = Discovery() if discovery is None else discovery
        self._sources: dict[str, ModelSource] = dict(sources or {})
        self._named: dict[str, ModelSource | None] = dict.fromkeys(source_names()) if sources is None else {}

    # where models are found

    def register_source(self, name: str, source: ModelSource) -> None:
        """Ask this source too; a source of that name steps back."""
        if not isinstance(source, ModelSource):
            raise TypeError(f"a source is a ModelSource, not {type(source).__name__}: subclass it")
        self._sources[name] = source
        self.discovery.forget(name)

    def list_sources(self) -> list[str]:
        """The names of all sources."""
        return sorted({*self._sources, *self._named})

    async def discover(
        self, *names: str, auto_register: bool = False, fresh: bool = False, **wanted: Any
    ) -> dict[str, Finding]:
        """Ask these sources side by side; a source that fails is named in its finding and left out.

        Lists are remembered for an hour unless `fresh`. With `auto_register`, new models are registered and known
        ones brought up to date; `wanted` (see `registry.filter`) picks those that count.
        """
        meant = narrowed(**wanted)
        findings = await self.discovery.ask({name: self._source(name) for name in names}, fresh=fresh)
        if auto_register:
            for finding in findings.values():
                await asyncio.to_thread(self._take, finding, meant)  # long lists hold up nobody else
        return findings

    def discover_from_source(
        self, name: str, *, auto_register: bool = False, fresh: bool = False, **wanted: Any
    ) -> list[Model]:
        """The models of one source; DiscoveryError when it fails and there is no earlier list to go by."""
        ask = partial(self.discover, name, fresh=fresh)
        finding = portal.run(ask)[name]
        if finding.problem is not None:
            if not finding.models:
                raise DiscoveryError(finding.problem, context={"source": name})
            warnings.warn(finding.problem, DiscoveryWarning, stacklevel=2)
        meant = narrowed(**wanted)
        if auto_register:
            return self._take(finding, meant)
        return [model for entry in finding.models if meant(model := model_of(None, entry))]

    def discover_all(self, *, auto_register: bool = False, fresh: bool = False, **wanted: Any) -> dict[str, Finding]:
        """Ask every source (see `discover`) but the built-in catalogues, which list what others serve."""
        names = [name for name in self.list_sources() if name in self._sources or name not in CATALOGUES]
        return portal.run(partial(self.discover, *names, auto_register=auto_register, fresh=fresh, **wanted))

    def _source(self, name: str) -> ModelSource:
        if name not in self._sources and name not in self._named:
            raise ConfigurationError(f"no source {name!r}; {did_you_mean(name, self.list_sources())}")
        source = self._sources.get(name) or self._named[name]
        if source is None:
            source = self._named[name] = _source_or_why_not(name)
        return source

    def _take(self, finding: Finding, meant: Any) -> list[Model]:
        """Bring the registry up to date with a list: known models get its facts, the others come in."""
        by_id = dict(self.registry.items())
        by_name = {(model.provider, model.name): model for model in by_id.values()}
        taken: list[Model] = []
        news: dict[str, Model] = {}
        with self._noting:
            for entry in finding.models:
                known = by_name.get((entry.provider, entry.name)) or by_id.get(entry.id)
                model = _new(entry) if known is None else known
                if meant(model):
                    taken.append(model)
                    if known is None or _brought_up_to_date(known, entry):
                        news[model.id] = model
            self.registry.update(news)
        return taken

    # how clients take them

    def register_connector(self, connector: Any) -> None:
        """Describe models for one more client."""
        self.connectors[connector.name] = connector

    def get_connector_metadata(self, model_id: str, connector_name: str) -> dict[str, Any]:
        """The keyword arguments by which that client calls this model."""
        return self.connectors[connector_name].format_metadata(self.get_model(model_id))


def _source_or_why_not(name: str) -> ModelSource:
    try:
        return source_named(name)
    except Exception as fault:  # noqa: BLE001 - a plug-in's constructor may raise anything; its finding tells
        return LeftOutSource(fault)


def _new(entry: Model | ModelInfo) -> Model:
    """A model that was not known, with a note of what its source said."""
    if isinstance(entry, ModelInfo):
        return model_of(None, stamped(entry))
    entry.info = stamped(entry.info)
    return entry


def _brought_up_to_date(known: Model, entry: Model | ModelInfo) -> bool:
    """Give a registered model the facts that are found now; False when there is nothing new."""
    if known is entry:
        return False
    before = known.info
    known.info = refreshed(before, entry if isinstance(entry, ModelInfo) else entry.info)
    if known.info.cost != before.cost:
        known.cost = known.info.cost
    return known.info is not before


def get_manager(
    storage_path: str | os.PathLike[str] | None = None, *, registry: ModelRegistry | None = None
) -> ModelManager:
    """A manager with all built-in sources and connectors.

    It works on a new registry that is kept in `storage_path`, on the one given, or on the process's own.
    """
    if storage_path is None and registry is None:
        registry = default_registry()
    return ModelManager(registry, storage_path=storage_path)


def discover_models(source: str, **options: Any) -> Iterable[Model]:
    """The models that a source lists, registered nowhere."""
    models: Iterable[Model] = source_named(source, **options).discover_models()
    return models
