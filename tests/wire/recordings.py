"""The recorded bodies, and how each is read: one dialect an API, one expectation an entry."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.core.messages import Chunk, Reply
from orchestrator.errors import MalformedResponseError, ProviderAPIError
from orchestrator.integrations.compatible import SERVICES
from orchestrator.integrations.dialects.anthropic import Anthropic
from orchestrator.integrations.dialects.dialect import Dialect, StreamReader
from orchestrator.integrations.dialects.google import Google
from orchestrator.integrations.dialects.ollama import Ollama
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.dialects.openai_responses import OpenAIResponses
from orchestrator.integrations.dialects.tgi import TextGeneration

DATA = Path(os.environ.get("ORCHESTRATOR_DATA", Path(__file__).parents[3] / "shared" / "data")) / "wire"

_DIALECTS: dict[str, type] = {
    "openai.responses": OpenAIResponses,
    "openai": OpenAIChat,
    "models": OpenAIChat,
    "openrouter": OpenAIChat,
    "anthropic": Anthropic,
    "google": Google,
    "ollama": Ollama,
    "tgi": TextGeneration,
}


@dataclass(frozen=True)
class Recording:
    """One body and what the index says of it."""

    facts: dict[str, Any]

    @property
    def expected(self) -> dict[str, Any]:
        return self.facts["expected"]

    @property
    def body(self) -> bytes:
        return (DATA / self.facts["file"]).read_bytes()

    @property
    def dialect(self) -> Dialect:
        api, provider = self.facts["api"], self.facts["provider"]
        if api == "openai.embeddings" and provider in SERVICES:
            return SERVICES[provider].dialect
        return _DIALECTS.get(api, _DIALECTS[api.split(".")[0]])()

    @property
    def is_stream(self) -> bool:
        return self.facts["stream"] and self.facts["kind"] != "error"


@cache
def recordings() -> tuple[Recording, ...]:
    """Every entry of the index; none when there are no recordings."""
    index = DATA / "index.json"
    return tuple(map(Recording, json.loads(index.read_text())["files"])) if index.exists() else ()


@dataclass
class Told:
    """What a stream came to: its pieces, and how it ended."""

    reader: StreamReader
    chunks: list[Chunk]
    error: ProviderAPIError | None = None

    @property
    def last(self) -> Chunk | None:
        return self.chunks[-1] if self.error is None else None

    @property
    def summary(self) -> tuple[Any, ...]:
        """All that two readings of one stream must agree on."""
        last = self.last
        text = "".join(chunk.text for chunk in self.chunks)
        thought = "".join(chunk.reasoning for chunk in self.chunks)
        ended = (
            None if last is None else (last.finish_reason, last.raw_finish, last.tool_calls, last.usage, last.refusal)
        )
        failed = None if self.error is None else (type(self.error), self.error.text_so_far)
        return text, thought, ended, failed


def tell(dialect: Dialect, pieces: Any) -> Told:
    """Read a stream that arrives in these pieces, the way a connection does."""
    framing, told = dialect.framing(), Told(dialect.reader(), [])
    try:
        for piece in pieces:
            for frame in framing.feed(piece):
                told.chunks += told.reader.feed(frame)
        for frame in framing.close():
            with suppress(MalformedResponseError):  # a last frame that was cut: finish() knows whether that matters
                told.chunks += told.reader.feed(frame)
        told.chunks.append(told.reader.finish())
    except ProviderAPIError as error:
        told.error = error
    return told


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def same_text(said: str, expected: dict[str, Any], name: str = "text") -> bool:
    """Whether a text is the one of the index, given whole or by length, hash and head."""
    if name in expected:
        return said == expected[name]
    if f"{name}_len" in expected:
        head = expected[f"{name}_head"]
        return (len(said), digest(said), said[: len(head)]) == (
            expected[f"{name}_len"],
            expected[f"{name}_sha256"],
            head,
        )
    return said == ""


def counts(reply: Reply | Chunk, api: str) -> dict[str, Any]:
    """Our buckets as the provider counts: OpenAI's wholes, Anthropic's uncached input, Gemini's visible output."""
    usage = reply.usage
    return {
        "input_tokens": usage.input_tokens if api.startswith("anthropic") else usage.prompt_tokens,
        "output_tokens": usage.output_tokens if api.startswith("google") else usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cached_input_tokens": usage.cache_read_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost": usage.cost_usd,
    }
