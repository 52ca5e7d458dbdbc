"""What several processes know together: sums that add, outages, allowances of money and of calls by the minute."""

from orchestrator.state.addresses import state_store_at
from orchestrator.state.store import StateStore, StateUnavailableError

__all__ = ["StateStore", "StateUnavailableError", "state_store_at"]
