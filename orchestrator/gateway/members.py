"""The members of a body, by kind: one that is not what it should be is named, with what it is and what would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from orchestrator.gateway.refusals import RefusedError

__all__ = [
    "COUNT",
    "FLAG",
    "MODEL",
    "NUMBER",
    "OBJECT",
    "OBJECTS",
    "TEXT",
    "TEXTS",
    "WHOLE",
    "Kind",
    "checked",
    "count",
    "required",
    "text_in",
    "texts_in",
]


class Kind(NamedTuple):
    """What a member has to be: in words, and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


FLAG = Kind("true or false", lambda value: isinstance(value, bool))
NUMBER = Kind("a number", lambda value: type(value) in (int, float))
WHOLE = Kind("a whole number", _is_whole)
COUNT = Kind("a whole number above 0", lambda value: _is_whole(value) and value > 0)
TEXT = Kind("a text", lambda value: isinstance(value, str))
TEXTS = Kind("a text or a list of texts", lambda value: isinstance(value, str) or _are_texts(value))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
OBJECTS = Kind("a list of objects", lambda v: isinstance(v, list) and all(isinstance(one, dict) for one in v))
MODEL = "the id of a model, a profile's name or 'auto'"


def checked(body: Mapping[str, Any], kinds: Mapping[str, Kind], *, of: str = "") -> None:
    """RefusedError for the first member that is not of its kind; one that is null is as if it were not there.

    >>> checked({"stream": True, "seed": None}, {"stream": FLAG, "seed": WHOLE})
    >>> checked({"stream": "yes"}, {"stream": FLAG})
    Traceback (most recent call last):
    orchestrator.gateway.refusals.RefusedError: 'stream' must be true or false, not 'yes'
    """
    for name, value in body.items():
        kind = kinds.get(name)
        if kind is not None and value is not None and not kind.fits(value):
            shown = f"{value!r:.40}" if isinstance(value, str) else _shape(value)
            raise _wrong(name, of, kind.words, shown)


def required(body: Mapping[str, Any], name: str, kind: type | tuple[type, ...], *, words: str, of: str = "") -> Any:
    """A member that must be there, of its kind and not empty; as it may be a prompt, no word of it is told."""
    value = body.get(name)
    if value is None:
        why = f"{name!r}{_of(of)} is missing: give {words}"
        raise RefusedError(400, "invalid_request", why, param=name)
    if not isinstance(value, kind) or isinstance(value, bool) or (not value and value != 0):
        raise _wrong(name, of, words, _shape(value))
    return value


def count(body: Mapping[str, Any], name: str, *, default: int, most: int) -> int:
    """A whole number from 1 to `most`."""
    value = body.get(name)
    value = default if value is None else value
    if not COUNT.fits(value) or value > most:
        why = f"{name}={value!r:.40}: give a whole number from 1 to {most}"
        raise RefusedError(400, "invalid_request", why, param=name)
    return int(value)


def texts_in(body: Mapping[str, Any], name: str) -> list[str]:
    """One text or several, as several; there has to be one."""
    value = body.get(name)
    texts = [value] if isinstance(value, str) else value
    if not texts or not _are_texts(texts):
        raise _wrong(name, "", TEXTS.words, _shape(value))
    return list(texts)


def text_in(body: Mapping[str, Any], name: str, *, of: str) -> str:
    """A text, be it empty, that has to be there; `of` says of what it is a part."""
    value = body.get(name)
    if not isinstance(value, str):
        raise _wrong(name, of, TEXT.words, _shape(value))
    return value


def _wrong(name: str, of: str, words: str, told: str) -> RefusedError:
    return RefusedError(400, "invalid_request", f"{name!r}{_of(of)} must be {words}, not {told}", param=name)


def _of(of: str) -> str:
    return f" of {of}" if of else ""


def _shape(value: Any) -> str:
    """What a value is, without a word of what it says."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"{value!r:.40}"
    kind = "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"
    return f"an empty {kind}" if not value else f"an {kind}" if kind == "object" else f"a {kind}"
