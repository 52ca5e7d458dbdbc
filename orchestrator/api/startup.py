"""The registry of the process, set up from settings once, whoever asks first."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.models.usage import UsageService

    GLOBAL_MODEL_REGISTRY: ModelRegistry
    GLOBAL_USAGE_SERVICE: UsageService

__all__ = ["GLOBAL_MODEL_REGISTRY", "GLOBAL_USAGE_SERVICE", "initialize_global_registry"]

_DEFAULT_CONFIG = "config.yaml"
_log = logging.getLogger(__name__)
_lock = threading.Lock()
_ready: ModelRegistry | None = None


def initialize_global_registry(
    path: str | os.PathLike[str] | None = None,
    *,
    env_file: str | os.PathLike[str] | None = ".env",
    auto_discover: bool | None = None,
) -> ModelRegistry:
    """Set up the process's registry from settings and return it; once, and any number of threads may race for it.

    Settings are read from `path`, else from the file that `ORCHESTRATOR_CONFIG` names, else from `config.yaml` in the
    working directory where there is one, and from the environment, into which `env_file` is read first. What is
    wrong is a ConfigurationError, after which the registry is as it was. `auto_discover=True` asks providers for their
    lists too.
    """
    global _ready  # noqa: PLW0603 - what was done for the process
    from orchestrator.models.configuring import configure
    from orchestrator.models.model_registry import default_registry

    with _lock:
        registry = default_registry()
        if _ready is not registry:
            settings = _settings(path, env_file)
            if later := configure(registry, settings).at_next_start:
                _log.warning("the registry is in use already: %s count from the next start", ", ".join(later))
            if settings.log_level is not None:
                logging.getLogger("orchestrator").setLevel(settings.log_level)
            _ready = registry
            if settings.auto_discover if auto_discover is None else auto_discover:
                _discover(registry)
        return registry


def _settings(path: str | os.PathLike[str] | None, env_file: str | os.PathLike[str] | None) -> Any:
    from orchestrator.settings import export_dotenv, load_settings

    if env_file is not None:
        export_dotenv(env_file)
    named = path if path is not None else os.environ.get("ORCHESTRATOR_CONFIG")
    if named is None and Path(_DEFAULT_CONFIG).is_file():
        named = _DEFAULT_CONFIG
    return load_settings(named or None)


def _discover(registry: ModelRegistry) -> None:
    """Register what the providers list whose key is set, and the servers on this machine; the rest is left out."""
    from functools import partial

    from orchestrator.catalog import get_manager
    from orchestrator.core.info import ModelInfo
    from orchestrator.integrations.providers import known_providers, model_from
    from orchestrator.models.portal import portal

    manager = get_manager(registry=registry)
    known = sorted({*known_providers()} & {*manager.list_sources()})
    ready = [
        name
        for name in known
        if model_from(ModelInfo(id=f"{name}/any", provider=name, name="any")).setup_issue() is None
    ]
    for name, finding in portal.run(partial(manager.discover, *ready, auto_register=True)).items():
        if finding.problem is not None:
            _log.info("%s was not discovered: %s", name, finding.problem)


def __getattr__(name: str) -> Any:
    from orchestrator.models.model_registry import default_registry

    if name == "GLOBAL_MODEL_REGISTRY":
        return default_registry()
    if name == "GLOBAL_USAGE_SERVICE":
        return default_registry().usage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
