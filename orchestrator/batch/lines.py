"""A file of prompts, line by line: OpenAI's batch format, or shorter forms of the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from orchestrator.core.requirements import REQUIREMENT_NAMES, Requirements
from orchestrator.errors import ConfigurationError, OrchestratorError
from orchestrator.gateway.asking import CALL_OPTIONS, EXTENSION, Asked, completed
from orchestrator.gateway.dialects import openai_chat, openai_completions, openai_embeddings, openai_responses
from orchestrator.gateway.dialects.openai_parameters import MOST_CHOICES
from orchestrator.gateway.members import count
from orchestrator.gateway.refusals import Refusal, RefusedError, refusal_of
from orchestrator.gateway.settings import AUTO
from orchestrator.models.road.wanting import split_wanted

__all__ = ["Defaults", "Line", "Prompts", "count_lines", "read_lines"]

Prompts = str | os.PathLike[str] | Iterable[str | Mapping[str, Any]]

_DIALECTS: dict[str, ModuleType] = {
    "/v1/chat/completions": openai_chat,
    "/v1/completions": openai_completions,
    "/v1/responses": openai_responses,
    "/v1/embeddings": openai_embeddings,
}
_OF_VECTORS = ("dimensions", openai_embeddings.FORM)
_LONGEST_ID = 512
_SHORT = ("prompt", "messages")
_READ_HERE = ("custom_id", "id", "model", "n", "stream", "stream_options")  # a file has no use for streams
_PATIENT = {"wait_for_capacity": True, "deadline_s": 600.0}  # a batch has time


class Defaults(NamedTuple):
    """What holds for lines that do not say otherwise: what the engine is told, and parameters for providers."""

    wanted: Mapping[str, Any] = {}
    params: Mapping[str, Any] = {}

    def params_for(self, dialect: ModuleType) -> dict[str, Any]:
        """Those that are said to models which answer, or to those which turn texts into vectors."""
        for_vectors = dialect is openai_embeddings
        return {name: value for name, value in self.params.items() if (name in _OF_VECTORS) is for_vectors}


class Line(NamedTuple):
    """One prompt: `custom_id` and `digest` (of its bytes) tell it from others, `refused` why it cannot be asked.

    `dialect` is the way of speaking in which its answer is written.
    """

    number: int
    custom_id: str
    digest: str
    asked: Asked | None
    refused: Refusal | None
    dialect: ModuleType = openai_chat

    @property
    def wants_vectors(self) -> bool:
        """True for texts that shall become vectors, and not an answer."""
        return self.dialect is openai_embeddings

    @classmethod
    def of(cls, number: int, text: bytes, defaults: Defaults) -> Line:
        r"""A line of a file; what is wrong with it stands in `refused` and is nobody else's problem.

        >>> line = Line.of(3, b'{"prompt": "Hi", "temperature": 0}', Defaults({"max_cost": 0.01}))
        >>> line.custom_id, line.asked.params, line.asked.wanted, line.refused
        ('line-3', {'temperature': 0}, {'max_cost': 0.01}, None)
        >>> Line.of(4, b'{"prompt":', Defaults()).refused.message
        'line 4 is no JSON: Expecting value at character 11'
        """
        digest = blake2b(text.strip(), digest_size=8).hexdigest()
        custom_id = f"line-{number}"
        try:
            body = _json(number, text)
            custom_id = _id_of(body, number)
            dialect, asked = _read(body)
            asked = replace(asked, params={**defaults.params_for(dialect), **asked.params})
            asked = completed(asked, {}, {**defaults.wanted, **asked.wanted}, key=None, profiles={})
            asked.request()  # says now what is wrong with a message
        except (OrchestratorError, TypeError, ValueError, KeyError) as error:
            return cls(number, custom_id, digest, None, refusal_of(_told(error)))
        return cls(number, custom_id, digest, asked, None, dialect)


def read_lines(prompts: Prompts, defaults: Mapping[str, Any] | None = None) -> Iterator[Line]:
    """The lines of a JSONL file or the items of an iterable, one at a time; blank lines are none.

    `defaults` are requirements, call options and parameters of lines that do not say otherwise. An id that is used
    again is refused on its later line.
    """
    wanted, params = _split({**_PATIENT, **(defaults or {})})
    Requirements.for_chat(**{name: value for name, value in wanted.items() if name in REQUIREMENT_NAMES})
    return _lines(prompts, Defaults(wanted, params))


def _lines(prompts: Prompts, defaults: Defaults) -> Iterator[Line]:
    seen: dict[str, int] = {}
    for number, text in _texts(prompts):
        line = Line.of(number, text, defaults)
        first = seen.setdefault(line.custom_id, number)
        if first != number:
            why = f"custom_id {line.custom_id!r} stands on line {first} already: give each line its own"
            line = line._replace(custom_id=f"line-{number}", asked=None, refused=Refusal(400, "invalid_request", why))
        yield line


def count_lines(prompts: Prompts) -> int | None:
    """How many lines there are to answer; None where only reading would tell."""
    if isinstance(prompts, str | os.PathLike):
        return sum(1 for _ in _texts(prompts))
    return len(prompts) if isinstance(prompts, Sized) else None


def _texts(prompts: Prompts) -> Iterator[tuple[int, bytes]]:
    if isinstance(prompts, str | os.PathLike):
        try:
            with Path(prompts).open("rb") as file:
                yield from ((number, text) for number, text in enumerate(file, 1) if text.strip())
        except OSError as error:
            raise ConfigurationError(f"{os.fspath(prompts)!r} cannot be read ({error.strerror}): give a file") from None
        return
    for number, item in enumerate(prompts, 1):
        yield number, json.dumps(item, sort_keys=True, default=str).encode()


def _json(number: int, text: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(text.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number} is no JSON: {error.msg} at character {error.pos + 1}") from None
    except (UnicodeDecodeError, RecursionError):
        raise ValueError(f"line {number} is no JSON in UTF-8") from None
    if isinstance(body, str):
        return {"prompt": body}
    if not isinstance(body, Mapping):
        raise ValueError(f"line {number} is a {type(body).__name__}: give an object or a string")  # noqa: TRY004 - data, not code
    return body


def _id_of(body: Mapping[str, Any], number: int) -> str:
    given = body.get("custom_id", body.get("id"))
    if given is None:
        return f"line-{number}"
    if isinstance(given, bool) or not isinstance(given, str | int) or not 0 < len(str(given)) <= _LONGEST_ID:
        raise ValueError(f"custom_id is a text of up to {_LONGEST_ID} characters")
    return str(given)


def _read(body: Mapping[str, Any]) -> tuple[ModuleType, Asked]:
    """What is asked, in either form; `wanted` holds what is said to the engine."""
    if "body" in body or "url" in body:
        return _full(body)
    rest = {name: value for name, value in body.items() if name not in (*_SHORT, *_READ_HERE)}
    given = [name for name in _SHORT if name in body]
    if len(given) != 1:
        raise ValueError("give one of 'prompt', 'messages', or OpenAI's 'url' and 'body'")
    said = rest.pop(EXTENSION, None) or {}
    wanted, params = _split(rest)
    prompt = body[given[0]]
    if not prompt:
        raise ValueError(f"{given[0]!r} is empty")
    choices = count(body, "n", default=1, most=MOST_CHOICES)
    return openai_chat, Asked(body.get("model"), prompt, params, choices=choices, wanted={**wanted, **said})


def _full(line: Mapping[str, Any]) -> tuple[ModuleType, Asked]:
    url, body = line.get("url", "/v1/chat/completions"), line.get("body")
    if url not in _DIALECTS:
        raise ValueError(f"url {url!r} is not served: use {', '.join(_DIALECTS)}")
    if line.get("method", "POST") != "POST" or not isinstance(body, Mapping):
        raise ValueError("a line of OpenAI's format has a 'custom_id', method POST, a 'url' and an object 'body'")
    dialect = _DIALECTS[url]
    asked: Asked = dialect.read({"model": "auto", **body})
    if dialect is openai_embeddings and asked.model == AUTO:
        raise ValueError("'model' is missing: name one, for vectors of several models cannot be compared")
    said = body.get(EXTENSION) or {}
    if not isinstance(said, Mapping):
        raise RefusedError(400, "invalid_request", f"{EXTENSION!r} is an object of requirements and call options")
    return dialect, replace(asked, wanted=dict(said))


def _split(rest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    wanted, params = split_wanted(rest)
    options = {name: params.pop(name) for name in (*CALL_OPTIONS, "tenant") if name in params}
    return {**wanted, **options}, params


def _told(error: Exception) -> Exception:
    """A missing member says which."""
    return ValueError(f"{error.args[0]!r} is missing") if type(error) is KeyError else error
