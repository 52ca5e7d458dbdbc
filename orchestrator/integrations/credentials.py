"""The keys of a provider: given, or found in the environment at first use, and never shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from pydantic import SecretStr

from orchestrator.errors import ProviderConfigError

__all__ = [
    "GivenKeys",
    "address_from_environment",
    "as_secret",
    "as_secrets",
    "key_digest",
    "key_from_environment",
    "keys_from_environment",
    "missing_key",
]

GivenKeys = str | SecretStr | Sequence[str | SecretStr] | None


def as_secret(key: str | SecretStr | None) -> SecretStr | None:
    """The key behind a curtain; an empty one is none."""
    bare = (key.get_secret_value() if isinstance(key, SecretStr) else key or "").strip()
    if not bare.isprintable() or not bare.isascii():
        raise ProviderConfigError("the API key holds characters that no header can carry: copy it again")
    return SecretStr(bare) if bare else None


def as_secrets(keys: GivenKeys) -> tuple[SecretStr, ...]:
    """One key or several, behind curtains, each once; empty ones are none."""
    given = [keys] if keys is None or isinstance(keys, str | SecretStr) else keys
    return tuple(dict.fromkeys(secret for key in given if (secret := as_secret(key)) is not None))


def keys_from_environment(variables: Sequence[str]) -> tuple[SecretStr, ...]:
    """Those of `<VARIABLE>S`, with commas between them, else the one of the first variable that is set."""
    for name in variables:
        several = os.environ.get(f"{name}S")
        if several and (keys := as_secrets(several.split(","))):
            return keys
    return as_secrets(key_from_environment(variables))


def key_digest(provider: str, base_url: str | None, keys: Sequence[SecretStr]) -> str:
    """What tells keys apart and tells nothing else about them: 16 hexadecimal digits."""
    bare = "\n".join(key.get_secret_value() for key in keys)
    return blake2b(f"{provider}\n{base_url}\n{bare}".encode(), digest_size=8, person=b"key-id").hexdigest()


def key_from_environment(variables: Sequence[str]) -> SecretStr | None:
    """The first variable that is set and not empty."""
    return next((key for name in variables if (key := as_secret(os.environ.get(name)))), None)


def address_from_environment(provider: str) -> str | None:
    """Where else to find a provider: `<PROVIDER>_BASE_URL`, as the vendors' own clients read it."""
    return os.environ.get(_address_variable(provider)) or None


@lru_cache(maxsize=256)
def _address_variable(provider: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in provider).upper() + "_BASE_URL"


def missing_key(provider: str, variables: Sequence[str]) -> str:
    """What to do about a missing key.

    >>> missing_key("openai", ["OPENAI_API_KEY"])
    'no API key for openai: set OPENAI_API_KEY or pass api_key='
    """
    return f"no API key for {provider}: set {' or '.join(variables[:1])} or pass api_key="
