"""A seal around stored bytes: what a disk or a network has changed is noticed, and is then a miss."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["sealed", "unsealed"]

_DIGEST_BYTES = 16


def sealed(key: str, value: bytes) -> bytes:
    """The bytes with a digest over them and the key they belong to in front."""
    return _digest(key, value) + value


def _digest(key: str, value: bytes) -> bytes:
    digest = blake2b(key.encode("utf-8", "surrogatepass") + b"\0", digest_size=_DIGEST_BYTES)
    digest.update(value)
    return digest.digest()


def unsealed(key: str, raw: object) -> bytes | None:
    """The bytes, or None when they are not what was stored under this key.

    >>> unsealed("k", sealed("k", b"value")), unsealed("other", sealed("k", b"value")), unsealed("k", b"garbage")
    (b'value', None, None)
    """
    if not isinstance(raw, bytes) or len(raw) < _DIGEST_BYTES:
        return None
    value = raw[_DIGEST_BYTES:]
    return value if _digest(key, value) == raw[:_DIGEST_BYTES] else None
