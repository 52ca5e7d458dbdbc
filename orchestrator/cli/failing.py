"""How a command ends when it cannot do what it was asked: one clear line, never a traceback, key or prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from orchestrator.errors import OrchestratorError, ProviderAPIError

__all__ = ["UsageError", "one_line", "plainly"]


class UsageError(OrchestratorError):
    """The call itself has to be different; exit code 2."""


@contextmanager
def plainly(*, debug: bool) -> Iterator[None]:
    """Turn errors into a line on stderr and an exit code: 2 where the call is wrong, else 1."""
    try:
        yield
    except (typer.Exit, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            raise
        typer.echo(f"orchestrator: {one_line(error)}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


def one_line(error: Exception) -> str:
    r"""What to tell about an error; the words of an unforeseen one may hold anything, so only its kind is told.

    >>> one_line(OrchestratorError("none of 2 models is eligible:\n  a: too dear\n  b: too small"))
    'none of 2 models is eligible: a: too dear; b: too small'
    >>> one_line(RuntimeError("sk-secret"))
    'internal error (RuntimeError); run it again with --debug to see where'
    """
    if not isinstance(error, OrchestratorError):
        return f"internal error ({type(error).__name__}); run it again with --debug to see where"
    text = re.sub(r"\s*\n\s*", "; ", str(error).strip()).replace(":; ", ": ")
    if isinstance(error, ProviderAPIError) and len(error.attempts) > 1:
        tried = ", ".join(f"{attempt.model_id} ({attempt.error_type})" for attempt in error.attempts)
        return f"{text} [tried {tried}]"
    return text
