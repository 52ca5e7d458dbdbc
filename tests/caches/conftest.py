"""A real Redis for the tests of the cache."""

from redis_server import own_redis, redis_server, shared_redis

__all__ = ["own_redis", "redis_server", "shared_redis"]
