"""What an adapter needs installed, said in one way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["extra"]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports inside that miss a package say which extra brings it.

    >>> with extra("langchain"):
    ...     import no_such_framework
    Traceback (most recent call last):
        ...
    ModuleNotFoundError: no_such_framework is not installed: pip install 'model-orchestrator[langchain]'
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"{missing.name} is not installed: pip install 'model-orchestrator[{name}]'", name=missing.name
        ) from missing
