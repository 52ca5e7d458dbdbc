"""To whom a call is put down: the tenant who pays and the labels it is added up under."""

from __future__ import annotations

from typing import Any

__all__ = ["tenant_of", "usage_tags_of"]

_LONGEST_TENANT = 256
_MOST_TAGS, _LONGEST_TAG = 16, 64


def tenant_of(given: Any) -> str | None:
    """The name of the tenant who pays, or None where the caller names none.

    >>> tenant_of("acme")
    'acme'
    >>> tenant_of(7)
    Traceback (most recent call last):
    TypeError: tenant=7: give a name of 1 to 256 characters, or leave it out
    """
    if given is None or (isinstance(given, str) and _is_name(given, _LONGEST_TENANT)):
        return given
    shown = f"tenant of {len(given)} characters" if isinstance(given, str) else f"tenant={given!r:.40}"
    raise TypeError(f"{shown}: give a name of 1 to {_LONGEST_TENANT} characters, or leave it out")


def usage_tags_of(given: Any) -> tuple[str, ...]:
    """The labels under which a call is added up, in order and once each."""
    tags = (given,) if isinstance(given, str) else tuple(given or ())
    if len(tags) > _MOST_TAGS or not all(isinstance(tag, str) and _is_name(tag, _LONGEST_TAG) for tag in tags):
        raise TypeError(f"usage_tags: give up to {_MOST_TAGS} words of up to {_LONGEST_TAG} characters each")
    return tuple(sorted(set(tags)))


def _is_name(given: str, longest: int) -> bool:
    """True of a text that is neither empty nor long, and that files and other processes can keep as well."""
    return 0 < len(given) <= longest and (given.isascii() or not any("\ud800" <= char <= "\udfff" for char in given))
