"""Each dialect reads one answer, whole and streamed, from bodies of our own."""

from __future__ import annotations

from pathlib import Path

import pytest
from recordings import tell

from orchestrator.errors import StreamTruncatedError
from orchestrator.integrations import strict_json
from orchestrator.integrations.dialects.anthropic import Anthropic
from orchestrator.integrations.dialects.google import Google
from orchestrator.integrations.dialects.ollama import Ollama
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.dialects.openai_responses import OpenAIResponses
from orchestrator.integrations.dialects.tgi import TextGeneration
from orchestrator.integrations.frames import ArrayFraming

BODIES = Path(__file__).parent / "bodies"
DIALECTS = {
    "openai_chat": OpenAIChat(),
    "openai_responses": OpenAIResponses(),
    "anthropic": Anthropic(),
    "google": Google(),
    "ollama": Ollama(),
    "tgi": TextGeneration(),
}
TEXT = "Two plus two is four."


class GoogleArray(Google):
    """Gemini's stream without alt=sse."""

    def framing(self):
        return ArrayFraming()


STREAMS = {
    **{name: (dialect, f"{name}.{'ndjson' if name == 'ollama' else 'sse'}") for name, dialect in DIALECTS.items()},
    "google_array": (GoogleArray(), "google_array.json"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_whole_answer_is_read(name):
    """Text, finish and usage."""
    reply = DIALECTS[name].decode(strict_json.loads((BODIES / f"{name}.json").read_bytes()))
    assert (reply.text, reply.finish_reason) == (TEXT, "stop")
    assert reply.usage.output_tokens == 7
    assert reply.usage.prompt_tokens == (None if name == "tgi" else 10)


@pytest.mark.parametrize("name", STREAMS)
def test_a_streamed_answer_is_the_same(name):
    """At once and byte by byte."""
    dialect, file = STREAMS[name]
    body = (BODIES / file).read_bytes()
    for pieces in ([body], [body[at : at + 1] for at in range(len(body))]):
        told = tell(dialect, pieces)
        assert told.error is None
        assert "".join(chunk.text for chunk in told.chunks) == TEXT
        assert told.last.finish_reason == "stop"
        assert told.last.usage.output_tokens == 7


@pytest.mark.parametrize("name", STREAMS)
def test_a_cut_answer_is_an_error_with_the_text_so_far(name):
    """Cut in the middle of its second half."""
    dialect, file = STREAMS[name]
    body = (BODIES / file).read_bytes()
    told = tell(dialect, [body[: body.index(b"is four.") + 4]])
    assert isinstance(told.error, StreamTruncatedError)
    assert told.error.text_so_far == "Two plus two "
