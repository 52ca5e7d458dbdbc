"""The levels of a cache, one a file: `memory`, `disk`, `redis`; `levels` shows them as aiocache caches."""
