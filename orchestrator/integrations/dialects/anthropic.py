"""Anthropic Messages: blocks in, blocks out (api reference: /v1/messages, version 2023-06-01)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.core.messages import Chunk, Image, Message, Reply, Request, ToolCall
from orchestrator.core.usage import UsageStats, token_count
from orchestrator.errors import MalformedResponseError, StreamTruncatedError
from orchestrator.integrations.dialects.dialect import (
    NO_CHUNKS,
    EventDialect,
    StreamReader,
    as_object,
    dicts,
    part,
    texts_of,
)
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.listing import ListedModel, listed, plain_text, tokens
from orchestrator.integrations.dialects.prompt_marks import MARKS, mark
from orchestrator.integrations.dialects.wishes import as_list, renamed, system_text, tool_wish, turns

__all__ = ["Anthropic", "read_token_count"]

DEFAULT_MAX_TOKENS = 4096  # the API wants a number; every model takes this one
_NAMES = {"stop": "stop_sequences", "max_completion_tokens": "max_tokens", "max_output_tokens": "max_tokens"}
# common elsewhere, refused here: they do not change what is asked
_UNKNOWN_HERE = ("seed", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs")
_MODES = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


class Anthropic(EventDialect):
    """The dialect."""

    def chat_path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the protocol's signature
        """Where a request goes."""
        return "messages"

    def encode(self, request: Request, model: str, *, stream: bool) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {"model": model, "max_tokens": DEFAULT_MAX_TOKENS, "messages": _messages(request)}
        if request.params:
            body.update(_params(request.params))
        system = system_text(request)
        if request.wants_json and request.json_schema is None:
            system = f"{system}\n\nAnswer with one JSON object and nothing else.".strip()
        if system:
            body["system"] = system
        if request.tools:
            body.update(_tools(request, parallel=body.pop("parallel_tool_calls", True)))
        if request.json_schema is not None:
            form = {"type": "json_schema", "schema": request.json_schema[1]}
            body["output_config"] = {**body.get("output_config", {}), "format": form}
        if stream:
            body["stream"] = True
        if MARKS in request.params:
            mark(body, request.params[MARKS])
        return body

    def decode(self, body: Any) -> Reply:
        """The answer in a body: its text blocks joined."""
        body = as_object(body)
        if not isinstance(body.get("content"), list):
            raise MalformedResponseError("the reply has no content")
        blocks = dicts(body["content"])
        calls = tuple(_call(block, block.get("input")) for block in blocks if block.get("type") == "tool_use")
        text = texts_of([block for block in blocks if block.get("type") == "text"])
        raw = body.get("stop_reason")
        return Reply(
            text,
            finish_reason(raw, calls=calls, text=text),
            _usage(part(body, "usage")),
            calls,
            "".join(str(block.get("thinking") or "") for block in blocks if block.get("type") == "thinking"),
            "",
            raw,
            body.get("model") or None,
            body,
        )

    def reader(self) -> StreamReader:
        """Reads the frames of one stream."""
        return MessagesReader()

    def models_path(self, page: str | None) -> str:
        """Where the list of models is."""
        return "models?limit=1000" + (f"&after_id={page}" if page else "")

    def decode_models(self, body: Any) -> tuple[list[ListedModel], str | None]:
        """The models in a body, and the id after which the next page starts."""
        body = as_object(body)
        last = body.get("last_id")
        more = bool(body.get("has_more")) and isinstance(last, str)
        return listed(body.get("data"), _entry), last if more else None


def read_token_count(body: Any) -> int | None:
    """The number of tokens that `count_tokens` found."""
    return token_count(as_object(body).get("input_tokens"))


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    thinking = params.get("thinking")
    unused = (*_UNKNOWN_HERE, "thinking", *(("reasoning_effort",) if _is_fixed(thinking) else ()))
    body = renamed({name: value for name, value in params.items() if name not in unused}, _NAMES)
    if thinking is not None:
        body["thinking"] = thinking
    if "stop_sequences" in body:
        body["stop_sequences"] = as_list(body["stop_sequences"])
    if "user" in body:
        body["metadata"] = {"user_id": body.pop("user")}
    if "reasoning_effort" in body:
        body["output_config"] = {"effort": body.pop("reasoning_effort"), **body.get("output_config", {})}
    return body


def _is_fixed(thinking: Any) -> bool:
    """True where a budget, or none at all, says how long to think, and no effort is asked for beside it."""
    return isinstance(thinking, Mapping) and thinking.get("type") != "adaptive"


def _tools(request: Request, *, parallel: Any) -> dict[str, Any]:
    tools = [
        {
            "name": tool.name,
            "input_schema": tool.parameters,
            **({"description": tool.description} if tool.description else {}),
        }
        for tool in request.tools
    ]
    mode, name = tool_wish(request.tool_choice) or ("auto", None)
    choice: dict[str, Any] = {"type": _MODES[mode]}
    if name is not None:
        choice["name"] = name
    if parallel is False and mode != "none":
        choice["disable_parallel_tool_use"] = True
    return {"tools": tools} if choice == {"type": "auto"} else {"tools": tools, "tool_choice": choice}


def _messages(request: Request) -> list[dict[str, Any]]:
    """The turns; results of several tools share one user turn, as the API wants it."""
    messages: list[dict[str, Any]] = []
    for turn in turns(request):
        if turn.role == "tool":
            result = {"type": "tool_result", "tool_use_id": turn.tool_call_id or "", "content": turn.text}
            if messages and messages[-1]["role"] == "user" and _holds_results(messages[-1]):
                messages[-1]["content"].append(result)
            else:
                messages.append({"role": "user", "content": [result]})
        else:
            messages.append({"role": turn.role, "content": _content(turn)})
    return messages


def _holds_results(message: dict[str, Any]) -> bool:
    content = message["content"]
    return isinstance(content, list) and bool(content) and content[-1]["type"] == "tool_result"


def _content(turn: Message) -> str | list[dict[str, Any]]:
    if isinstance(turn.content, str) and not turn.tool_calls and not turn.thoughts:
        return turn.content
    pieces = (turn.content,) if isinstance(turn.content, str) else turn.content
    blocks = [*map(dict, turn.thoughts), *(_block(piece) for piece in pieces if piece)]
    return blocks + [
        {
            "type": "tool_use",
            "id": call.id or f"toolu_{at}",
            "name": call.name,
            "input": call.arguments if isinstance(call.arguments, dict) else {},
        }
        for at, call in enumerate(turn.tool_calls)
    ]


def _block(piece: str | Image) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    if piece.url is not None:
        return {"type": "image", "source": {"type": "url", "url": piece.url}}
    media_type = piece.media_type or "image/png"
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": piece.base64}}


def _call(block: Mapping[str, Any], arguments: Any) -> ToolCall:
    return ToolCall.read(str(block.get("name") or ""), arguments, block.get("id"))


def _usage(usage: Mapping[str, Any]) -> UsageStats:
    """Anthropic's input leaves the cached parts out; the whole prompt is all three."""
    parts = [token_count(usage.get(key)) for key in ("input_tokens", *_CACHE)]
    prompt = None if parts[0] is None else sum(filter(None, parts))
    return UsageStats(
        prompt,
        usage.get("output_tokens"),
        cache_read_tokens=usage.get(_CACHE[0]),
        cache_write_tokens=usage.get(_CACHE[1]),
        reasoning_tokens=part(usage, "output_tokens_details").get("thinking_tokens"),
    )


_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")
_FEATURES = {"image_input": "vision", "structured_outputs": "structured_output", "thinking": "reasoning"}


def _entry(entry: dict[str, Any]) -> ListedModel | None:
    name, features = entry.get("id"), part(entry, "capabilities")
    if not isinstance(name, str):
        return None
    return ListedModel(
        name,
        context_window=tokens(entry.get("max_input_tokens")),
        max_output_tokens=tokens(entry.get("max_tokens")),
        capabilities=frozenset(ours for key, ours in _FEATURES.items() if part(features, key).get("supported") is True),
        display_name=plain_text(entry.get("display_name")),
    )


class MessagesReader(StreamReader):
    """Puts message events together; usage is cumulative, so later figures replace earlier ones."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[Any, tuple[dict[str, Any], list[str]]] = {}  # blocks of tool use by index
        self._counts: dict[str, Any] = {}

    def take(self, event: dict[str, Any]) -> Sequence[Chunk]:
        """The pieces of the answer in one event."""
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event.get("index"), part(event, "delta"))
        if kind == "content_block_start":
            return self._block(event.get("index"), part(event, "content_block"))
        if kind == "message_start":
            self._start(part(event, "message"))
        elif kind == "message_delta":
            self.raw_finish = part(event, "delta").get("stop_reason") or self.raw_finish
            self._count(part(event, "usage"))
        elif kind == "message_stop":
            self.ended = self.done = True
        elif kind == "error" or event.get("error"):
            raise self.failed(event)
        return NO_CHUNKS

    def _start(self, message: dict[str, Any]) -> None:
        """A message begins, or begins again: what was unfinished before does not belong to it."""
        if self.texts:
            raise StreamTruncatedError("the stream started over in the middle of its text", text_so_far=self.text)
        self.reasonings.clear()
        self._open.clear()
        self._counts.clear()
        self.upstream_model = message.get("model") or self.upstream_model
        self._count(part(message, "usage"))

    def _count(self, usage: dict[str, Any]) -> None:
        self._counts.update({key: value for key, value in usage.items() if value is not None})
        self.usage = _usage(self._counts)

    def _block(self, index: Any, block: dict[str, Any]) -> Sequence[Chunk]:
        if block.get("type") == "tool_use":
            self._open[index] = (block, [])
        if block.get("type") == "redacted_thinking" and block.get("data"):
            return (Chunk(redacted=str(block["data"])),)
        return self.say(block.get("text"), block.get("thinking")) if block.get("type") in ("text", "thinking") else ()

    def _delta(self, index: Any, delta: dict[str, Any]) -> Sequence[Chunk]:
        kind = delta.get("type")
        if kind == "text_delta":
            return self.say(delta.get("text"))
        if kind == "thinking_delta":
            return self.say(reasoning=delta.get("thinking"))
        if kind == "signature_delta":
            return (Chunk(signature=str(delta.get("signature") or "")),)
        if kind == "input_json_delta" and index in self._open:
            self._open[index][1].append(str(delta.get("partial_json") or ""))
        return NO_CHUNKS

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the whole answer."""
        return tuple(_call(block, "".join(pieces) or block.get("input")) for block, pieces in self._open.values())
