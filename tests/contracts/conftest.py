"""The contract of the cache levels is checked with the same Redis and upstream as the cache itself."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "caches"))
