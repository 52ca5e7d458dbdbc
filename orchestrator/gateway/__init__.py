"""The engine as a server: the dialects of OpenAI and Anthropic in front, the road of a request behind."""

from orchestrator.gateway.app import Gateway
from orchestrator.gateway.settings import GatewayKey, GatewaySettings

__all__ = ["Gateway", "GatewayKey", "GatewaySettings"]
