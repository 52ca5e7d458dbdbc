"""The facade: `models("gpt-4", "Hello")`, and nothing to set up before it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# by name, so that `orchestrator.api.models` is the callable and its sub-modules stay importable
from orchestrator.api.models import models as models

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.models.service import ModelService

__all__ = ["init", "models"]


def init(registry: ModelRegistry | None = None, *, config: str | os.PathLike[str] | None = None) -> ModelService:
    """A service ready to answer `service("openai:gpt-4o", "Hello")`.

    It serves the registry given, or that of the process, set up from settings as `initialize_global_registry(config)`
    does. Keys come from the environment when the first call needs them.
    """
    from orchestrator.models.service import ModelService

    if registry is None:
        from orchestrator.api.startup import initialize_global_registry

        registry = initialize_global_registry(config)
    return ModelService(registry)
