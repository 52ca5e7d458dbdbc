"""Batches over a Ray cluster (extra `ray`): the door where integrations are looked for.

The work is in `orchestrator.batch.over_ray`, which stands above the registry; this module only leads there.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["run"]  # noqa: F822 - loaded when it is asked for

_HOME = "orchestrator.batch.over_ray"


def __getattr__(name: str) -> Any:
    """Load a name from its home, once (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME), name)
    globals()[name] = value
    return value
