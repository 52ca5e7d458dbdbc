"""The key of a provider: given, or found in the environment at first use, and never shown."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pydantic import SecretStr

from orchestrator.errors import ProviderConfigError

__all__ = ["address_from_environment", "as_secret", "key_from_environment", "missing_key"]


def as_secret(key: str | SecretStr | None) -> SecretStr | None:
    """The key behind a curtain; an empty one is none."""
    bare = (key.get_secret_value() if isinstance(key, SecretStr) else key or "").strip()
    if not bare.isprintable() or not bare.isascii():
        raise ProviderConfigError("the API key holds characters that no header can carry: copy it again")
    return SecretStr(bare) if bare else None


def key_from_environment(variables: Sequence[str]) -> SecretStr | None:
    """The first variable that is set and not empty."""
    return next((key for name in variables if (key := as_secret(os.environ.get(name)))), None)


def address_from_environment(provider: str) -> str | None:
    """Where else to find a provider: `<PROVIDER>_BASE_URL`, as the vendors' own clients read it."""
    variable = "".join(letter if letter.isalnum() else "_" for letter in provider).upper()
    return os.environ.get(f"{variable}_BASE_URL") or None


def missing_key(provider: str, variables: Sequence[str]) -> str:
    """What to do about a missing key.

    >>> missing_key("openai", ["OPENAI_API_KEY"])
    'no API key for openai: set OPENAI_API_KEY or pass api_key='
    """
    return f"no API key for {provider}: set {' or '.join(variables[:1])} or pass api_key="
