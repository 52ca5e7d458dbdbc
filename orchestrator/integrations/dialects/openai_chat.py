"""OpenAI Chat Completions, the way of speaking that most services share (api reference: /v1/chat/completions)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.messages import Chunk, Message, Reply, Request, ToolCall
from orchestrator.core.usage import UsageStats, token_count
from orchestrator.errors import MalformedResponseError
from orchestrator.integrations.dialects.dialect import (
    NO_CHUNKS,
    StreamReader,
    Vectors,
    as_object,
    dicts,
    part,
    texts_of,
)
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.listing import ListedModel, listed, openai_entry
from orchestrator.integrations.dialects.vectors import floats, whole
from orchestrator.integrations.dialects.wishes import renamed, tool_wish
from orchestrator.integrations.frames import EventFraming, Framing

__all__ = ["ChatReader", "OpenAIChat", "usage_of"]

_DONE = b"[DONE]"
# these reject max_tokens and know only max_completion_tokens
_COUNTS_REASONING = re.compile(r"(?:.*/)?(?:o[1-9](?:-|$)|gpt-5)")


@dataclass(frozen=True, slots=True)
class OpenAIChat:
    """The dialect with its local accents: how a service caps tokens, reports usage and packs vectors."""

    completion_cap: bool = False  # reasoning models take max_completion_tokens
    stream_usage: bool = True  # usage in streams has to be asked for
    strict_schema: bool = True  # response_format takes a JSON schema by name
    vector_encoding: str | None = "float"

    def framing(self) -> Framing:
        """Server-sent events."""
        return EventFraming()

    def chat_path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the protocol's signature
        """Where a request goes."""
        return "chat/completions"

    def encode(self, request: Request, model: str, *, stream: bool) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {"model": model, "messages": [_turn(message) for message in request.messages]}
        if request.params:
            capped = self.completion_cap and _COUNTS_REASONING.match(model)
            body.update(renamed(request.params, _REASONING_NAMES if capped else _NAMES))
        if request.tools:
            body["tools"] = [_tool(tool._asdict()) for tool in request.tools]
            wish = tool_wish(request.tool_choice)
            if wish is not None:
                body["tool_choice"] = {"type": "function", "function": {"name": wish[1]}} if wish[1] else wish[0]
        if request.response_format is not None:
            body.update(self._answer_form(request))
        if stream:
            body["stream"] = True
            if self.stream_usage:
                body.setdefault("stream_options", {"include_usage": True})
        return body

    def _answer_form(self, request: Request) -> dict[str, Any]:
        schema = request.json_schema
        if schema is not None and self.strict_schema:
            name, definition, strict = schema
            form = {"name": name, "schema": definition, "strict": strict}
            return {"response_format": {"type": "json_schema", "json_schema": form}}
        return {"response_format": {"type": "json_object"}} if request.wants_json else {}

    def decode(self, body: Any) -> Reply:
        """The answer in a body: its first choice."""
        choices = dicts(as_object(body).get("choices"))
        if not choices:
            raise MalformedResponseError("the reply has no choices")
        choice = choices[0]
        if choice.get("index") != 0:
            choice = next((other for other in choices if other.get("index") == 0), choice)
        message = part(choice, "message")
        calls = _calls(message) if "tool_calls" in message or "function_call" in message else ()
        text, thought = _spoken(message.get("content"))
        refusal = message.get("refusal")
        refusal = refusal if isinstance(refusal, str) else ""
        raw = choice.get("finish_reason")
        raw = None if raw is None else str(raw)
        return Reply(
            text,
            finish_reason(raw, calls=calls, text=text, refusal=refusal or ""),
            usage_of(body.get("usage")),
            calls,
            thought or _reasoning(message),
            refusal,
            raw,
            body.get("model") or None,
            body,
        )

    def reader(self) -> StreamReader:
        """Reads the frames of one stream."""
        return ChatReader()

    def embeddings_path(self, model: str) -> str:  # noqa: ARG002 - the protocol's signature
        """Where texts go to become vectors."""
        return "embeddings"

    def encode_embeddings(self, texts: Sequence[str], model: str, params: dict[str, Any]) -> dict[str, Any]:
        """The body of an embeddings request."""
        body: dict[str, Any] = {"model": model, "input": list(texts)}
        if self.vector_encoding is not None:
            body["encoding_format"] = self.vector_encoding
        return body | renamed(params, {})

    def decode_embeddings(self, body: Any) -> Vectors:
        """The vectors in a body, ordered by index."""
        entries = dicts(as_object(body).get("data"))
        if all(type(entry.get("index")) is int for entry in entries):
            entries.sort(key=lambda entry: entry["index"])
            if [entry["index"] for entry in entries] != list(range(len(entries))):
                raise MalformedResponseError("the indexes of the embeddings leave one out or name one twice")
        kind = "int8" if self.vector_encoding == "base64_int8" else "float32"
        vectors = whole([floats(entry.get("embedding"), kind) for entry in entries])
        return Vectors(vectors, usage_of(body.get("usage")), body.get("model") or None)

    def models_path(self, page: str | None) -> str:  # noqa: ARG002 - the list has one page
        """Where the list of models is."""
        return "models"

    def decode_models(self, body: Any) -> tuple[list[ListedModel], str | None]:
        """The models in a body."""
        entries = body if isinstance(body, list) else as_object(body).get("data")
        return listed(entries, openai_entry), None


_NAMES = {"stop_sequences": "stop", "max_output_tokens": "max_tokens"}
_REASONING_NAMES = _NAMES | {"max_tokens": "max_completion_tokens", "max_output_tokens": "max_completion_tokens"}


def _turn(message: Message) -> dict[str, Any]:
    content = message.content
    turn: dict[str, Any] = {
        "role": message.role,
        "content": content if isinstance(content, str) else [_piece(piece) for piece in content],
    }
    if message.tool_calls:
        turn["content"] = turn["content"] or None
        turn["tool_calls"] = [_call(call, at) for at, call in enumerate(message.tool_calls)]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        turn["name"] = message.name
    return turn


def _piece(piece: Any) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    return {"type": "image_url", "image_url": {"url": piece.as_url}}


def _call(call: ToolCall, at: int) -> dict[str, Any]:
    return {
        "id": call.id or f"call_{at}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments_json},
    }


def _tool(function: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {key: value for key, value in function.items() if value not in (None, "")}}


def usage_of(usage: Any) -> UsageStats:
    """Usage in OpenAI's form; what the total holds beyond prompt and completion is reasoning nobody listed.

    >>> usage_of({"prompt_tokens": 429, "completion_tokens": 44, "total_tokens": 975,
    ...           "completion_tokens_details": {"reasoning_tokens": 502}}).completion_tokens
    546
    """
    if not isinstance(usage, Mapping):
        return UsageStats()
    prompt: Any = usage.get("prompt_tokens")
    completion: Any = usage.get("completion_tokens")
    sent, made = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    sent, made = sent if isinstance(sent, dict) else {}, made if isinstance(made, dict) else {}
    reasoning, read = made.get("reasoning_tokens"), sent.get("cached_tokens")
    beyond = _unlisted(prompt, completion, usage.get("total_tokens"))
    if beyond and reasoning in (None, 0, beyond):
        completion, reasoning = completion + beyond, beyond
    cost = usage.get("cost")
    return UsageStats(
        prompt,
        completion,
        cache_read_tokens=usage.get("prompt_cache_hit_tokens") if read is None else read,
        cache_write_tokens=sent.get("cache_write_tokens"),
        reasoning_tokens=reasoning,
        cost_usd=cost.get("total_cost") if isinstance(cost, Mapping) else cost,
    )


def _unlisted(prompt: Any, completion: Any, total: Any) -> int:
    """How far the total exceeds its parts, where all three are counts."""
    if type(prompt) is int and type(completion) is int and type(total) is int and total > prompt + completion:
        return total - prompt - completion if None not in map(token_count, (prompt, completion, total)) else 0
    return 0


def _spoken(content: Any) -> tuple[str, str]:
    """Text and thinking of a content that may be a list of parts."""
    if isinstance(content, str):
        return content, ""
    parts = dicts(content)
    thought = "".join(texts_of(p.get("thinking")) for p in parts if p.get("type") == "thinking")
    return texts_of([p for p in parts if p.get("type") in ("text", None)]), thought


def _reasoning(message: Mapping[str, Any]) -> str:
    for key in ("reasoning_content", "reasoning"):
        if isinstance(message.get(key), str) and message[key]:
            return str(message[key])
    return ""


def _calls(message: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    found = [(call, part(call, "function")) for call in dicts(message.get("tool_calls"))]
    if message.get("function_call"):  # the form before tools
        found.append(({}, part(message, "function_call")))
    return tuple(
        ToolCall.read(str(function.get("name") or ""), function.get("arguments"), call.get("id"))
        for call, function in found
        if function
    )


_PLAIN = frozenset({"role", "content"})


class ChatReader(StreamReader):
    """Puts chat.completion.chunk events together; choice 0 is the answer, tool calls are assembled by index."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[Any, list[Any]] = {}  # index -> id, name, pieces of arguments

    def feed(self, frame: bytes) -> Sequence[Chunk]:
        """The pieces of the answer in one frame."""
        if frame.strip() == _DONE:
            self.ended = self.done = True
            return NO_CHUNKS
        return super().feed(frame)

    def take(self, event: dict[str, Any]) -> Sequence[Chunk]:
        """The pieces of the answer in one event."""
        if event.get("error"):
            raise self.failed(event["error"])
        self.upstream_model = event.get("model") or self.upstream_model
        usage = event.get("usage") or ("x_groq" in event and part(event, "x_groq").get("usage"))
        if usage:
            self.usage = usage_of(usage)
        for choice in dicts(event.get("choices")):
            if choice.get("index") in (0, None):
                return self._choice(choice)
        return NO_CHUNKS

    def _choice(self, choice: dict[str, Any]) -> Sequence[Chunk]:
        finish = choice.get("finish_reason")
        if finish is not None:
            self.raw_finish = str(finish)
            self.ended = True
        delta = choice.get("delta")
        chunks = self._delta(delta) if isinstance(delta, dict) else NO_CHUNKS
        likelihoods = choice.get("logprobs")
        return _with_likelihoods(chunks, likelihoods) if isinstance(likelihoods, dict) else chunks

    def _delta(self, delta: dict[str, Any]) -> Sequence[Chunk]:
        if delta.keys() <= _PLAIN and isinstance(delta.get("content", ""), str):  # most pieces are text and no more
            return self.say(delta.get("content"))
        for call in dicts(delta.get("tool_calls")):
            self._assemble(call, part(call, "function"))
        if delta.get("function_call"):
            self._assemble({"index": 0}, part(delta, "function_call"))
        if isinstance(delta.get("refusal"), str):
            self.refusals.append(delta["refusal"])
        content = delta.get("content")
        if isinstance(content, str) and content:
            return self.say(content, _reasoning(delta))
        text, thought = _spoken(content)
        return self.say(text, thought or _reasoning(delta))

    def _assemble(self, call: dict[str, Any], function: dict[str, Any]) -> None:
        key = call.get("index")
        if key is None:  # some servers leave the index out: a new id is a new call
            known = next((at for at, held in self._calls.items() if held[0] == call.get("id")), None)
            new = known is None and (call.get("id") or function.get("name"))
            key = len(self._calls) if new or not self._calls else known if known is not None else max(self._calls)
        held = self._calls.setdefault(key, [None, "", []])
        held[0] = held[0] or call.get("id")
        held[1] = held[1] or function.get("name") or ""
        if function.get("arguments"):
            held[2].append(function["arguments"])

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the whole answer."""
        return tuple(ToolCall.read(name, _joined(pieces), call_id) for call_id, name, pieces in self._calls.values())


def _with_likelihoods(chunks: Sequence[Chunk], likelihoods: dict[str, Any]) -> Sequence[Chunk]:
    """The piece with the likelihoods of its tokens, of which a piece without words may have some, too."""
    told = {name: value for name, value in likelihoods.items() if value}
    if not told:
        return chunks
    return (*chunks[:-1], (chunks[-1] if chunks else Chunk())._replace(logprobs=likelihoods))


def _joined(pieces: list[Any]) -> Any:
    return "".join(pieces) if all(isinstance(piece, str) for piece in pieces) else pieces[-1]
