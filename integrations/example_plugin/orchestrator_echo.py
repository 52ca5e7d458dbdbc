"""A provider to copy: it repeats what it hears, whole or word by word."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from orchestrator.core.messages import Chunk, Reply, Request
from orchestrator.core.model import Model
from orchestrator.core.usage import UsageStats
from orchestrator.errors import InvalidRequestError

__all__ = ["EchoModel"]


class EchoModel(Model):
    """Any name will do; a word is a token.

    >>> import asyncio
    >>> print(asyncio.run(EchoModel(name="any", provider="echo").generate_response("Hello there")))
    Hello there
    """

    async def send(self, request: Request) -> Reply:
        """The last turn, as it was."""
        words = _heard(request)
        return Reply(" ".join(words), usage=_usage(words))

    async def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The same word by word; the closing chunk speaks for the whole."""
        words = _heard(request)
        for number, word in enumerate(words):
            yield Chunk(f" {word}" if number else word)
        yield Chunk(finish_reason="stop", usage=_usage(words))

    async def health_check(self) -> bool:
        """Nothing can be wrong with it."""
        return True


def _heard(request: Request) -> list[str]:
    words = request.messages[-1].text.split()
    if not words:
        raise InvalidRequestError("there is nothing to repeat: give a prompt with words in it")
    return words


def _usage(words: list[str]) -> UsageStats:
    return UsageStats(prompt_tokens=len(words), completion_tokens=len(words))
