"""Ollama's own API: one JSON object, or one a line, from /api/chat and /api/generate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import Chunk, Image, Message, Reply, Request, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.errors import InvalidRequestError, MalformedResponseError
from orchestrator.integrations.dialects.dialect import NO_CHUNKS, StreamReader, Vectors, as_object, dicts, part
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.listing import ListedModel, listed, tokens
from orchestrator.integrations.dialects.vectors import floats, whole
from orchestrator.integrations.dialects.wishes import as_list, renamed
from orchestrator.integrations.frames import Framing, LineFraming

__all__ = ["Ollama", "read_version"]

_OPTION_NAMES = {
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    "max_output_tokens": "num_predict",
    "stop_sequences": "stop",
}
_TOP_LEVEL = ("think", "keep_alive", "logprobs", "top_logprobs", "options")


class Ollama:
    """The dialect."""

    def framing(self) -> Framing:
        """One object a line."""
        return LineFraming()

    def chat_path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the protocol's signature
        """Where a request goes."""
        return "api/chat"

    def encode(self, request: Request, model: str, *, stream: bool) -> dict[str, Any]:
        """The body of a request; sampling goes into `options`, and streaming is on unless refused."""
        body: dict[str, Any] = {"model": model, "messages": _messages(request), "stream": stream}
        params = renamed(request.params, _OPTION_NAMES | {"reasoning_effort": "think"})
        body.update({name: params.pop(name) for name in _TOP_LEVEL if name in params})
        if "stop" in params:
            params["stop"] = as_list(params["stop"])
        if params:
            body["options"] = params | body.get("options", {})
        if request.tools and request.tool_choice != "none":
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                }
                for tool in request.tools
            ]
        if request.wants_json:
            schema = request.json_schema
            body["format"] = "json" if schema is None else schema[1]
        return body

    def decode(self, body: Any) -> Reply:
        """The answer in a body of either endpoint."""
        body = as_object(body)
        if not isinstance(body.get("message"), dict) and not isinstance(body.get("response"), str):
            raise MalformedResponseError("the reply has neither message nor response")
        if body.get("done") is False:
            raise MalformedResponseError("the reply is the beginning of a stream, not an answer")
        text, thought, calls = _said(body)
        raw = body.get("done_reason")
        return Reply(
            text,
            finish_reason(raw, calls=calls, text=text),
            _usage(body),
            calls,
            thought,
            "",
            raw,
            body.get("model") or None,
            body,
        )

    def reader(self) -> StreamReader:
        """Reads the frames of one stream."""
        return OllamaReader()

    def embeddings_path(self, model: str) -> str:  # noqa: ARG002 - the protocol's signature
        """Where texts go to become vectors."""
        return "api/embed"

    def encode_embeddings(self, texts: Sequence[str], model: str, params: dict[str, Any]) -> dict[str, Any]:
        """The body of an embeddings request."""
        return {"model": model, "input": list(texts)} | renamed(params, {})

    def decode_embeddings(self, body: Any) -> Vectors:
        """The vectors in a body, of the present endpoint or of the older one for a single text."""
        body = as_object(body)
        rows = body.get("embeddings") or ([body["embedding"]] if body.get("embedding") else [])
        usage = UsageStats(body.get("prompt_eval_count"))
        return Vectors(whole([floats(row) for row in rows]), usage, body.get("model") or None)

    def models_path(self, page: str | None) -> str:  # noqa: ARG002 - the list has one page
        """Where the list of models is."""
        return "api/tags"

    def decode_models(self, body: Any) -> tuple[list[ListedModel], str | None]:
        """The models in a body of /api/tags or /api/ps."""
        return listed(as_object(body).get("models"), _entry), None


def read_facts(name: str, body: Any) -> ListedModel | None:
    """What /api/show tells about an installed model: its window is among the figures of its architecture."""
    body = as_object(body)
    figures = part(body, "model_info")
    window = figures.get(f"{figures.get('general.architecture')}.context_length")
    return _entry({**body, "name": name, "context_length": window})


def read_version(body: Any) -> str:
    """The version of the server."""
    version = as_object(body).get("version")
    if not isinstance(version, str):
        raise MalformedResponseError("the reply has no version")
    return version


def _messages(request: Request) -> list[dict[str, Any]]:
    names = {call.id: call.name for turn in request.messages for call in turn.tool_calls if call.id}
    return [_message(turn, names) for turn in request.messages]


def _message(turn: Message, names: Mapping[str, str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.text}
    if turn.images:
        message["images"] = [_content_of(image) for image in turn.images]
    if turn.tool_calls:
        message["tool_calls"] = [
            {"function": {"name": call.name, "arguments": call.arguments if isinstance(call.arguments, dict) else {}}}
            for call in turn.tool_calls
        ]
    name = turn.name or names.get(turn.tool_call_id or "")
    if turn.role == "tool" and name:
        message["tool_name"] = name
    return message


def _content_of(image: Image) -> str:
    if image.data is None:
        raise InvalidRequestError("Ollama takes an image's bytes, not its address: read the file first")
    return image.base64


def _said(body: dict[str, Any]) -> tuple[str, str, tuple[ToolCall, ...]]:
    """Text, thinking and calls of one object."""
    message = part(body, "message")
    text = message.get("content") if message else body.get("response")
    thought = message.get("thinking") if message else body.get("thinking")
    calls = tuple(
        ToolCall.read(str(function.get("name") or ""), function.get("arguments"), call.get("id"))
        for call in dicts(message.get("tool_calls"))
        if (function := part(call, "function"))
    )
    return text if isinstance(text, str) else "", thought if isinstance(thought, str) else "", calls


def _usage(body: dict[str, Any]) -> UsageStats:
    return UsageStats(body.get("prompt_eval_count"), body.get("eval_count"))


_FEATURES = {
    "completion": "text_generation",
    "tools": "function_calling",
    "vision": "vision",
    "embedding": "embeddings",
    "thinking": "reasoning",
}


def _entry(entry: dict[str, Any]) -> ListedModel | None:
    name = entry.get("name") or entry.get("model")
    if not isinstance(name, str):
        return None
    features = entry.get("capabilities")
    return ListedModel(
        name,
        context_window=tokens(entry.get("context_length"), part(entry, "details").get("context_length")),
        input_usd=None if entry.get("remote_host") else 0.0,
        output_usd=None if entry.get("remote_host") else 0.0,
        capabilities=frozenset(
            ours for theirs, ours in _FEATURES.items() if isinstance(features, list) and theirs in features
        ),
    )


class OllamaReader(StreamReader):
    """Puts the objects of a stream together; the one with `done` is the last."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[ToolCall] = []

    def take(self, event: dict[str, Any]) -> Sequence[Chunk]:
        """The pieces of the answer in one event."""
        if event.get("error"):
            raise self.failed(event)
        self.upstream_model = event.get("model") or self.upstream_model
        text, thought, calls = _said(event)
        self._calls += calls
        if event.get("done") is True:
            self.ended = self.done = True
            self.raw_finish, self.usage = event.get("done_reason"), _usage(event)
        return self.say(text, thought) if text or thought else NO_CHUNKS

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the whole answer."""
        return tuple(self._calls)
