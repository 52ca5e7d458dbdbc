"""The engine: the registry that knows the models, the service that calls them, and all that learns from it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.models.model_registry import ModelRegistry as ModelRegistry
    from orchestrator.models.service import ModelService as ModelService

__all__ = ["ModelRegistry", "ModelService"]


def __getattr__(name: str) -> Any:
    if name == "ModelRegistry":
        from orchestrator.models.model_registry import ModelRegistry

        return ModelRegistry
    if name == "ModelService":
        from orchestrator.models.service import ModelService

        return ModelService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
