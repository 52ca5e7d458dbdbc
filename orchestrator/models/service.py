"""A way in by the id of a model: `service("openai:gpt-4o", "Hello")`, for the process's registry or any other."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from orchestrator.core.messages import ChatResponse, Prompt, Request
from orchestrator.core.model import Model
from orchestrator.models.dispatcher import Dispatcher
from orchestrator.models.model_registry import ModelRegistry, default_registry
from orchestrator.models.portal import portal
from orchestrator.models.usage import UsageService

__all__ = ["ModelService"]

_USE_REGISTRY: Any = object()


class ModelService:
    """Answers requests with the models of a registry, by default the process's.

    `deadline_s`, `max_attempts`, `hedge` and `resume` are those of the registry's constructor, for the calls that come
    this way; `usage_service` counts for the whole registry from now on, None nothing. Callable as
    `service("openai:gpt-4o", "Hello")` or `service(model_id=..., prompt=...)`.
    """

    def __init__(
        self,
        registry: ModelRegistry | None = None,
        usage_service: UsageService | None = _USE_REGISTRY,
        *,
        deadline_s: float = 120.0,
        max_attempts: int = 3,
        hedge: bool = False,
        resume: bool = False,
    ) -> None:
        self.registry = default_registry() if registry is None else registry
        self._terms: dict[str, Any] = dict(deadline_s=deadline_s, max_attempts=max_attempts, hedge=hedge, resume=resume)
        self._usage = usage_service
        self._dispatcher = self._in_front_of_the_engine()

    def __call__(self, model_id: Any, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model, for code that cannot await."""
        return self.invoke_model(model_id, prompt, **params)

    def invoke_model(self, model_id: Any, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model, for code that cannot await; an id or an enum member whose value is one."""
        return portal.run(lambda: self.invoke_model_async(model_id, prompt, **params))

    async def invoke_model_async(self, model_id: Any, prompt: Prompt, **params: Any) -> ChatResponse:
        """The answer of one model."""
        return await self.dispatcher.call(self.get_model(model_id), Request.of(prompt, **params))

    def get_model(self, model_id: Any) -> Model:
        """The model of this id or enum member."""
        return self.registry.get_model(getattr(model_id, "value", model_id))

    @staticmethod
    def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of a coroutine function, from code that cannot await."""
        return portal.run(work)

    @property
    def dispatcher(self) -> Dispatcher:
        """Who carries the calls out."""
        if self._dispatcher.engine is not self.registry.engine:  # it was set up anew, before its first call
            self._dispatcher = self._in_front_of_the_engine()
        return self._dispatcher

    def _in_front_of_the_engine(self) -> Dispatcher:
        engine = self.registry.engine
        if self._usage is not _USE_REGISTRY:
            engine.settlement.usage = self._usage
        return Dispatcher(engine, **self._terms)
