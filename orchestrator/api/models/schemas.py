"""The values a provider of your own returns."""

from orchestrator.core.info import ModelInfo as ModelInfo
from orchestrator.core.messages import ChatResponse as ChatResponse
from orchestrator.core.usage import UsageStats as UsageStats

__all__ = ["ChatResponse", "ModelInfo", "UsageStats"]
