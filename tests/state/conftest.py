"""A real Redis, as in the tests of the cache."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "caches"))

from redis_server import own_redis, redis_server, shared_redis

__all__ = ["own_redis", "redis_server", "shared_redis"]
