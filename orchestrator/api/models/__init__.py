"""One function: `models(model, prompt)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.core.messages import ChatResponse, Chunk, Prompt
    from orchestrator.core.model import Model
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["ModelBinding", "ModelRegistry", "Models", "models"]


class Models:
    """Ask a model by its name; the provider is inferred, or said as in `openai/gpt-4`.

    Works in plain scripts and, blocking the caller, inside a running event loop too. Any keyword goes to the
    provider. Set-up faults are ModelProviderError, failed calls ProviderAPIError.
    """

    def __init__(self, registry: ModelRegistry | None = None) -> None:
        self._given = registry

    @property
    def registry(self) -> ModelRegistry:
        """Where the models live: the process-wide registry unless another was given."""
        if self._given is None:
            from orchestrator.models.model_registry import default_registry

            return default_registry()
        return self._given

    def __call__(self, model: str, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer, with `.text` and `.usage`."""
        return self.registry.get_model(model)(prompt, **params)

    def instance(self, model: str, **params: Any) -> ModelBinding:
        """The model with preset parameters; an unknown name fails here, not at the first call."""
        return ModelBinding(self.registry.get_model(model), params)

    def stream(self, model: str, prompt: Prompt, **params: Any) -> Iterator[Chunk]:
        """The answer in pieces, each with `.text`; the last one has `.usage` and `.finish_reason`."""
        return ModelBinding(self.registry.get_model(model), params).stream(prompt)


class ModelBinding:
    """A model with preset parameters; what a call overrides holds for that call only."""

    def __init__(self, model: Model, params: dict[str, Any]) -> None:
        self.model = model
        self.params = dict(params)

    def __call__(self, prompt: Prompt, **override: Any) -> ChatResponse:
        """The answer."""
        return self.model(prompt, **{**self.params, **override})

    def stream(self, prompt: Prompt, **override: Any) -> Iterator[Chunk]:
        """The answer in pieces."""
        from orchestrator.models.portal import portal

        return portal.iterate(self.model.stream_response(prompt, **{**self.params, **override}))

    def __repr__(self) -> str:
        return f"<ModelBinding of {self.model.id!r} with {sorted(self.params)}>"


def __getattr__(name: str) -> Any:
    if name == "ModelRegistry":
        from orchestrator.models.model_registry import ModelRegistry

        return ModelRegistry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


models = Models()
