"""One suite for every place where processes meet: `orchestrator.state.store.StateStore`."""

import pytest
from redis_server import redis_server, shared_redis

from orchestrator.state.memory import MemoryState
from orchestrator.state.redis import RedisState
from orchestrator.state.sqlite import SQLiteState
from orchestrator.testing.contracts import StateStoreContract

__all__ = ["redis_server", "shared_redis"]


class TestMemory(StateStoreContract):
    """The threads of one process."""

    make = MemoryState


class TestSQLite(StateStoreContract):
    """The processes of one machine."""

    @pytest.fixture
    def new_state(self, tmp_path, clock):
        return SQLiteState(tmp_path / "folder" / "state.db", clock=clock)


class TestRedis(StateStoreContract):
    """A real server."""

    @pytest.fixture
    def new_state(self, redis_server, clock):
        url = f"redis://127.0.0.1:{redis_server.port}/0"
        return RedisState(url, limit_s=5, draw_limit_s=5, server_time=False, clock=clock)
