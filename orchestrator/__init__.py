"""An in-process engine that decides which model answers a prompt, and makes sure that one does.

Each public name is loaded when it is first asked for, so that `import orchestrator` costs next to nothing.

>>> import orchestrator
>>> orchestrator.Cost(input=2.5, output=10).estimate(1_000, 100)
0.0035
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import init
    from orchestrator.api.startup import initialize_global_registry
    from orchestrator.core.cache import ModelCache
    from orchestrator.core.cost import Cost, CostUnitWarning
    from orchestrator.core.messages import ChatResponse, Chunk, Embeddings, Image, Message, Request, Tool, ToolCall
    from orchestrator.core.model import Model, ModelCapabilities, ModelConstraints, ModelInfo, ModelMetrics
    from orchestrator.core.outcome import Objective, Outcome
    from orchestrator.core.prices import PriceBook
    from orchestrator.core.requirements import Requirements
    from orchestrator.core.usage import UsageStats
    from orchestrator.errors import (
        AmbiguousModelError,
        AuthenticationError,
        Blame,
        BudgetExceededError,
        CapacityError,
        ConfigurationError,
        ContentFilterError,
        ContextLengthError,
        DrainingError,
        DuplicateModelError,
        InvalidRequestError,
        MalformedResponseError,
        ModelError,
        ModelNotFoundError,
        ModelProviderError,
        NoEligibleModelsError,
        OrchestratorError,
        OverloadedError,
        PermissionDeniedError,
        ProviderAPIError,
        ProviderConfigError,
        ProviderConnectionError,
        ProviderTimeoutError,
        QuotaError,
        RateLimitError,
        ServerError,
        StreamTruncatedError,
        UpstreamNotFoundError,
    )
    from orchestrator.integrations import (
        AnthropicModel,
        AzureOpenAIModel,
        BaseProvider,
        CompatibleModel,
        GoogleModel,
        HuggingFaceModel,
        LazyHuggingFaceModel,
        LazyOllamaModel,
        OllamaModel,
        OpenAIModel,
        register_provider,
    )
    from orchestrator.models.budgets import Budgets
    from orchestrator.models.draining import drain_on_signal
    from orchestrator.models.health_monitor import HealthStatus, ModelHealthMonitor
    from orchestrator.models.journal import Journal
    from orchestrator.models.lm_module import LMModule, LMModuleConfig
    from orchestrator.models.model_registry import ModelRegistry
    from orchestrator.models.road.judging import Judge
    from orchestrator.models.roster.deprecation import DeprecatedModelWarning
    from orchestrator.models.roster.selection import Selection
    from orchestrator.models.service import ModelService
    from orchestrator.models.usage import UsageService, UsageSummary
    from orchestrator.selectors import (
        CostBasedSelector,
        ModelSelector,
        PerformanceSelector,
        ThompsonSelector,
        UCBModelSelector,
    )

    __version__: str

__all__ = [
    "AmbiguousModelError",
    "AnthropicModel",
    "AuthenticationError",
    "AzureOpenAIModel",
    "BaseProvider",
    "Blame",
    "BudgetExceededError",
    "Budgets",
    "CapacityError",
    "ChatResponse",
    "Chunk",
    "CompatibleModel",
    "ConfigurationError",
    "ContentFilterError",
    "ContextLengthError",
    "Cost",
    "CostBasedSelector",
    "CostUnitWarning",
    "DeprecatedModelWarning",
    "DrainingError",
    "DuplicateModelError",
    "Embeddings",
    "GoogleModel",
    "HealthStatus",
    "HuggingFaceModel",
    "Image",
    "InvalidRequestError",
    "Journal",
    "Judge",
    "LMModule",
    "LMModuleConfig",
    "LazyHuggingFaceModel",
    "LazyOllamaModel",
    "MalformedResponseError",
    "Message",
    "Model",
    "ModelCache",
    "ModelCapabilities",
    "ModelConstraints",
    "ModelError",
    "ModelHealthMonitor",
    "ModelInfo",
    "ModelMetrics",
    "ModelNotFoundError",
    "ModelProviderError",
    "ModelRegistry",
    "ModelSelector",
    "ModelService",
    "NoEligibleModelsError",
    "Objective",
    "OllamaModel",
    "OpenAIModel",
    "OrchestratorError",
    "Outcome",
    "OverloadedError",
    "PerformanceSelector",
    "PermissionDeniedError",
    "PriceBook",
    "ProviderAPIError",
    "ProviderConfigError",
    "ProviderConnectionError",
    "ProviderTimeoutError",
    "QuotaError",
    "RateLimitError",
    "Request",
    "Requirements",
    "Selection",
    "ServerError",
    "StreamTruncatedError",
    "ThompsonSelector",
    "Tool",
    "ToolCall",
    "UCBModelSelector",
    "UpstreamNotFoundError",
    "UsageService",
    "UsageStats",
    "UsageSummary",
    "__version__",
    "drain_on_signal",
    "init",
    "initialize_global_registry",
    "register_provider",
]

_HOMES = {
    "orchestrator.api": "init",
    "orchestrator.api.startup": "initialize_global_registry",
    "orchestrator.core.cache": "ModelCache",
    "orchestrator.core.cost": "Cost CostUnitWarning",
    "orchestrator.core.messages": "ChatResponse Chunk Embeddings Image Message Request Tool ToolCall",
    "orchestrator.core.model": "Model ModelCapabilities ModelConstraints ModelInfo ModelMetrics",
    "orchestrator.core.outcome": "Objective Outcome",
    "orchestrator.core.prices": "PriceBook",
    "orchestrator.core.requirements": "Requirements",
    "orchestrator.core.usage": "UsageStats",
    "orchestrator.errors": (
        "AmbiguousModelError AuthenticationError Blame BudgetExceededError CapacityError ConfigurationError "
        "ContentFilterError ContextLengthError DrainingError DuplicateModelError InvalidRequestError "
        "MalformedResponseError "
        "ModelError ModelNotFoundError ModelProviderError NoEligibleModelsError OrchestratorError "
        "OverloadedError PermissionDeniedError ProviderAPIError ProviderConfigError ProviderConnectionError "
        "ProviderTimeoutError QuotaError RateLimitError ServerError StreamTruncatedError "
        "UpstreamNotFoundError"
    ),
    "orchestrator.integrations": (
        "AnthropicModel AzureOpenAIModel BaseProvider CompatibleModel GoogleModel HuggingFaceModel "
        "LazyHuggingFaceModel LazyOllamaModel OllamaModel OpenAIModel register_provider"
    ),
    "orchestrator.models.budgets": "Budgets",
    "orchestrator.models.draining": "drain_on_signal",
    "orchestrator.models.roster.deprecation": "DeprecatedModelWarning",
    "orchestrator.models.health_monitor": "HealthStatus ModelHealthMonitor",
    "orchestrator.models.journal": "Journal",
    "orchestrator.models.lm_module": "LMModule LMModuleConfig",
    "orchestrator.models.model_registry": "ModelRegistry",
    "orchestrator.models.road.judging": "Judge",
    "orchestrator.models.roster.selection": "Selection",
    "orchestrator.models.service": "ModelService",
    "orchestrator.models.usage": "UsageService UsageSummary",
    "orchestrator.selectors": "CostBasedSelector ModelSelector PerformanceSelector ThompsonSelector UCBModelSelector",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a public name from its home, once (PEP 562)."""
    if name == "__version__":
        value = _version()
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("model-orchestrator")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
