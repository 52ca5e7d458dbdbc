"""What distinguishes one provider's service from another that speaks the same dialect: a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.integrations.dialects.dialect import Dialect

__all__ = ["Service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where a provider is, how it is spoken to and which environment variables hold its key.

    `key_header` is the header of the key, and `key_prefix` what stands before it there.
    """

    provider: str
    base_url: str | None
    dialect: Dialect
    key_vars: tuple[str, ...] = ()
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    key_needed: bool = True
    is_local: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
