"""Having Ollama download a model: `POST /api/pull`, a line of JSON a step (docs.ollama.com/api/pull)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

from orchestrator.errors import MalformedResponseError, ServerError, UpstreamNotFoundError
from orchestrator.integrations import strict_json
from orchestrator.integrations.line import Line

__all__ = ["Progress", "pull"]

Progress = Callable[[str, int | None, int | None], None]
_DONE = "success"


async def pull(line: Line, name: str, model_id: str, progress: Progress | None) -> None:
    """Download `name`, telling each step; raises where the last word is not that it worked."""
    body = strict_json.dumps({"model": name, "stream": True})
    status = ""
    async with aclosing(line.follow(line.url("api/pull"), body)) as steps:
        async for step in steps:
            status = _status(step, name, model_id)
            if progress is not None:
                progress(status, _bytes(step.get("completed")), _bytes(step.get("total")))
    if status != _DONE:
        raise ServerError(f"the download of {name!r} broke off at {status[:80]!r}; the next call tries again")


def _status(step: Any, name: str, model_id: str) -> str:
    if not isinstance(step, Mapping):
        raise MalformedResponseError(f"Ollama tells {type(step).__name__} about the download of {name!r}")
    error = step.get("error")
    if error is None:
        return str(step.get("status", ""))
    if "does not exist" in str(error) or "not found" in str(error):
        raise UpstreamNotFoundError(f"Ollama's library has no {name!r}: check the name", model_id=model_id)
    raise ServerError(f"Ollama could not download {name!r}: {str(error)[:200]}")


def _bytes(given: Any) -> int | None:
    """A count of bytes, or None where none is told."""
    return given if type(given) is int and given >= 0 else None
