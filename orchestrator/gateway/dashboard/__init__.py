"""What an operator sees: the page at `/`, the feed that keeps it live, and the buttons."""

from orchestrator.gateway.dashboard.dashboard import Dashboard
from orchestrator.gateway.dashboard.feed import merged

__all__ = ["Dashboard", "merged"]
