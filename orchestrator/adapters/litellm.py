"""The engine as the routing strategy of a LiteLLM router: LiteLLM makes the calls, the engine chooses and learns."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.adapters.clients.failures import failure_of
from orchestrator.adapters.extras import extra
from orchestrator.core.attempt import as_provider_error, cost_of
from orchestrator.core.info import ModelInfo
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.core.outcome import Outcome
from orchestrator.core.usage import UsageStats
from orchestrator.errors import ModelNotFoundError
from orchestrator.integrations.dialects.openai_chat import usage_of
from orchestrator.integrations.families import completed
from orchestrator.models.model_registry import ModelRegistry

with extra("litellm"):
    import litellm
    from litellm.integrations.custom_logger import CustomLogger
    from litellm.types.router import CustomRoutingStrategyBase

__all__ = ["OrchestratorRouting"]

_serial = itertools.count(1)


class OrchestratorRouting(CustomLogger, CustomRoutingStrategyBase):
    """Chooses among the deployments of a `litellm.Router`, and learns from what LiteLLM reports of each call.

    Each deployment is a model in `registry`, under its `model_info.id`: its health, figures, costs and the selector's
    state are there, and `wanted` holds the requirements of every choice (`max_cost`, `tags`, ...). A deployment that
    has failed a request is not chosen for it again while there is another. `install()` puts it in place, `remove()`
    takes it away.
    """

    def __init__(
        self, router: Any, *, registry: ModelRegistry | None = None, wanted: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.serial = next(_serial)  # LiteLLM takes two loggers of equal public numbers for one, and drops the second
        self.registry = ModelRegistry() if registry is None else registry
        self._router = router
        self._wanted = dict(wanted or {})

    def install(self) -> OrchestratorRouting:
        """From now on the router asks here, and LiteLLM reports here."""
        self._router.set_custom_routing_strategy(self)
        litellm.callbacks.append(self)
        return self

    def remove(self) -> None:
        """The router chooses by its own strategy again."""
        self._router._reset_custom_routing_strategy()  # noqa: SLF001 - the router has no other way back
        litellm.logging_callback_manager.remove_callback_from_all_lists(self)

    # what the router asks

    async def async_get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, Any]] | None = None,
        input: str | list[Any] | None = None,  # noqa: A002 - LiteLLM's signature
        specific_deployment: bool | None = False,  # noqa: ARG002, FBT001, FBT002 - likewise; a name says it too
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """The deployment to call: an element of the router's `model_list`."""
        return self._choose(model, messages, input, request_kwargs or {})

    def get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, Any]] | None = None,
        input: str | list[Any] | None = None,  # noqa: A002 - LiteLLM's signature
        specific_deployment: bool | None = False,  # noqa: ARG002, FBT001, FBT002 - likewise; a name says it too
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """The same for `router.completion`."""
        return self._choose(model, messages, input, request_kwargs or {})

    def _choose(self, group: str, messages: Any, texts: Any, asked: Mapping[str, Any]) -> Any:
        deployments = {_id_of(each): each for each in self._deployments(group)}
        for key, deployment in deployments.items():
            if key not in self.registry:
                self.registry[key] = _Deployment.of(key, deployment)
        failed = _failed_before(asked) & deployments.keys()
        left = frozenset(deployments) - failed or frozenset(deployments)
        request = _request_of(messages, texts, asked)
        needs = self.registry.service.needs_of(request, {**self._wanted, "models": left})
        chosen = self.registry.choose_model(needs)
        self.registry.settlement.reserve(chosen)
        return deployments[chosen.id]

    def _deployments(self, group: str) -> Sequence[Any]:
        found = [each for each in self._router.model_list if group in (each["model_name"], _id_of(each))]
        found = found or self._router.get_model_list(model_name=group)
        if not found:
            raise ModelNotFoundError.named(group, sorted({each["model_name"] for each in self._router.model_list}))
        return list(found)

    # what LiteLLM reports

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call was answered."""
        self._settle(kwargs, response_obj, None, start_time, end_time)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call failed."""
        self._settle(kwargs, response_obj, kwargs.get("exception"), start_time, end_time)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call from plain code was answered."""
        self._settle(kwargs, response_obj, None, start_time, end_time)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call from plain code failed."""
        self._settle(kwargs, response_obj, kwargs.get("exception"), start_time, end_time)

    def _settle(self, call: Any, answer: Any, error: Exception | None, began: datetime, ended: datetime) -> None:
        model = self.registry.get(_deployment_called(call))
        if model is None:  # a call outside of this router
            return
        outcome = _outcome(model, call, answer, error, began=began, ended=ended)
        request = _request_of(call.get("messages"), None, {})
        self.registry.settlement.begin(model, request)
        self.registry.settlement.settle(model, outcome)


class _Deployment(Model):
    """A deployment of the router: described here, called by LiteLLM."""

    @classmethod
    def of(cls, key: str, deployment: Mapping[str, Any]) -> _Deployment:
        asked = deployment["litellm_params"]
        name, provider, *_ = litellm.get_llm_provider(asked["model"], api_base=asked.get("api_base"))
        facts = dict(id=key, provider=provider, name=name, tags=set(asked.get("tags") or ()))
        return cls(completed(ModelInfo(**facts)))

    def setup_issue(self) -> str | None:
        return None  # LiteLLM knows how to call it


def _id_of(deployment: Mapping[str, Any]) -> str:
    return str((deployment.get("model_info") or {}).get("id") or deployment["model_name"])


def _failed_before(asked: Mapping[str, Any]) -> frozenset[str]:
    """The deployments that have failed this very request already, as the router notes them."""
    noted = asked.get("litellm_metadata") or asked.get("metadata") or {}
    records = noted.get("previous_models") or ()
    return frozenset(
        str(one["deployment_id"]) for one in records if isinstance(one, Mapping) and one.get("deployment_id")
    )


def _request_of(messages: Any, texts: Any, asked: Mapping[str, Any]) -> Request:
    """The request as far as the choice looks at it; what cannot be read requires nothing."""
    options = {name: asked[name] for name in ("tools", "response_format", "max_tokens") if asked.get(name)}
    for prompt in (messages, texts):
        if prompt:
            try:
                return Request.of(prompt, **options)
            except (TypeError, KeyError, ValueError):
                continue
    return Request("", (), {})


def _deployment_called(call: Mapping[str, Any]) -> str:
    noted = (call.get("litellm_params") or {}).get("metadata") or {}
    return str((noted.get("model_info") or {}).get("id") or "")


def _outcome(
    model: Model, call: Mapping[str, Any], answer: Any, error: Exception | None, *, began: datetime, ended: datetime
) -> Outcome:
    latency_s = (ended - began).total_seconds()
    if error is not None:
        found = failure_of(error, provider=model.provider, private=())
        return Outcome(model_id=model.id, latency_s=latency_s, error=as_provider_error(found, model))
    usage = _usage(answer)
    cost = cost_of(model, usage)
    first = call.get("completion_start_time") if call.get("stream") else None
    return Outcome(
        model_id=model.id,
        latency_s=latency_s,
        ttft_s=(first - began).total_seconds() if isinstance(first, datetime) else None,
        usage=usage,
        cost_usd=(call.get("response_cost") or None) if cost is None else cost,
        response_id=str(getattr(answer, "id", "") or ""),
        streamed=bool(call.get("stream")),
    )


def _usage(answer: Any) -> UsageStats:
    usage: Any = getattr(answer, "usage", None)
    if usage is None or not usage.prompt_tokens:  # no prompt is empty: 0 is what LiteLLM says when it was not told
        return UsageStats()
    return usage_of(usage.model_dump())
