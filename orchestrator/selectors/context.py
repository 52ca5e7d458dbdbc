"""What a selector may know of the request itself: its category, and features of its prompt."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Context"]


class Context(NamedTuple):
    """The category of a request, and numbers that describe its prompt; None where nobody said."""

    category: str | None = None
    features: tuple[float, ...] | None = None
