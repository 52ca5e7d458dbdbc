"""How the keys of a cache are called in a Redis that others use too."""

from __future__ import annotations

import re
from hashlib import blake2b
from urllib.parse import urlsplit

from orchestrator.core.caching.keys import label
from orchestrator.core.caching.levels import Which

__all__ = ["address_of", "lease_of", "pattern_of", "place_of", "tag_set_of", "tag_sets_of"]

_OURS = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{16}\.[0-9a-f]{64}")

_ANY_LABEL = "?" * 16  # as long as a label, which neither "tag" nor "lease" is


def _hashed(key: str) -> str:
    """A key of three hexadecimal parts: ours as it is, a foreign one by its hash, so that none can forge a pattern."""
    if _OURS.fullmatch(key):
        return key
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
    return f"{digest[:16]}.{label(None)}.{digest}"


def address_of(namespace: str, key: str) -> str:
    r"""`namespace:{model}:tenant:digest`; the braces keep the entries of a model on one node of a Cluster.

    >>> address_of("app", "a*\n{}")[:13]
    'app:{faf402c4'
    """
    model, tenant, digest = _hashed(key).split(".")
    return f"{namespace}:{{{model}}}:{tenant}:{digest}"


def lease_of(namespace: str, key: str) -> str:
    """Where the lease on a key is held."""
    model, tenant, digest = _hashed(key).split(".")
    return f"{namespace}:{{{model}}}:lease:{tenant}:{digest}"


def tag_set_of(namespace: str, key: str, tag: str) -> str:
    """The set of the keys of one model that bear a tag, on the same node as they."""
    return f"{namespace}:{{{_hashed(key)[:16]}}}:tag:{tag}"


def tag_sets_of(namespace: str, which: Which) -> str:
    """The pattern of all sets of a tag."""
    return f"{namespace}:{{{which.model or '*'}}}:tag:{which.tag}"


def pattern_of(namespace: str, which: Which | None = None) -> str:
    """The pattern of all entries of a model or a tenant, or of everything in the namespace."""
    if which is None:
        return f"{namespace}:{{*"
    return f"{namespace}:{{{which.model or '*'}}}:{which.tenant or _ANY_LABEL}:*"


def place_of(url: str) -> str:
    """An address that can be shown: without user, password and options, which may hold them too.

    >>> place_of("rediss://app:secret@cache.internal:6380/2?password=secret"), place_of("unix://:secret@/run/redis.sock")
    ('rediss://cache.internal:6380/2', 'unix:///run/redis.sock')
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
