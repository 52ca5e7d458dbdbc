"""Add a provider of your own."""

from orchestrator.integrations.base_provider import BaseProvider as BaseProvider
from orchestrator.integrations.providers import register_provider as register_provider
from orchestrator.integrations.providers import unregister_provider as unregister_provider

__all__ = ["BaseProvider", "register_provider", "unregister_provider"]
