"""OpenAI Responses: typed items in, typed items out (api reference: /v1/responses)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.messages import Chunk, Message, Reply, Request, ToolCall
from orchestrator.core.usage import UsageStats
from orchestrator.errors import MalformedResponseError
from orchestrator.integrations.dialects.dialect import NO_CHUNKS, StreamReader, as_object, dicts, part, texts_of
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.dialects.wishes import renamed, system_text, tool_wish, turns

__all__ = ["OpenAIResponses"]

_NAMES = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}


class OpenAIResponses(OpenAIChat):
    """The dialect; embeddings and the list of models are those of the chat API."""

    __slots__ = ()

    def chat_path(self, model: str, *, stream: bool) -> str:  # noqa: ARG002 - the protocol's signature
        """Where a request goes."""
        return "responses"

    def encode(self, request: Request, model: str, *, stream: bool) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {"model": model, "input": [item for turn in turns(request) for item in _items(turn)]}
        instructions = system_text(request)
        if instructions:
            body["instructions"] = instructions
        body.update(renamed(request.params, _NAMES))
        if "reasoning_effort" in body:
            body["reasoning"] = {"effort": body.pop("reasoning_effort"), **body.get("reasoning", {})}
        if request.tools:
            body["tools"] = [{"type": "function", **_said(tool._asdict())} for tool in request.tools]
            wish = tool_wish(request.tool_choice)
            if wish is not None:
                body["tool_choice"] = {"type": "function", "name": wish[1]} if wish[1] else wish[0]
        form = _answer_form(request)
        if form is not None:
            body["text"] = {"format": form, **body.get("text", {})}
        if stream:
            body["stream"] = True
        return body

    def decode(self, body: Any) -> Reply:
        """The answer in a body: all output texts joined."""
        body = as_object(body)
        if not isinstance(body.get("output"), list):
            raise MalformedResponseError("the reply has no output")
        return _reply(body)

    def reader(self) -> StreamReader:
        """Reads the frames of one stream."""
        return ResponsesReader()


def _items(turn: Message) -> Iterator[dict[str, Any]]:
    """A turn as input items: its calls and a tool's result are items of their own."""
    if turn.role == "tool":
        yield {"type": "function_call_output", "call_id": turn.tool_call_id or "", "output": turn.text}
        return
    if turn.content:
        pieces = (turn.content,) if isinstance(turn.content, str) else turn.content
        yield {"role": turn.role, "content": [_piece(piece, turn.role) for piece in pieces]}
    for at, call in enumerate(turn.tool_calls):
        yield {
            "type": "function_call",
            "call_id": call.id or f"call_{at}",
            "name": call.name,
            "arguments": call.arguments_json,
        }


def _piece(piece: Any, role: str) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"type": "output_text" if role == "assistant" else "input_text", "text": piece}
    return {"type": "input_image", "image_url": piece.as_url}


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "")}


def _answer_form(request: Request) -> dict[str, Any] | None:
    schema = request.json_schema
    if schema is not None:
        name, definition, strict = schema
        return {"type": "json_schema", "name": name, "schema": definition, "strict": strict}
    return {"type": "json_object"} if request.wants_json else None


def _reply(body: dict[str, Any]) -> Reply:
    items = dicts(body.get("output"))
    parts = [piece for item in items if item.get("type") == "message" for piece in dicts(item.get("content"))]
    text = texts_of([piece for piece in parts if piece.get("type") == "output_text"])
    refusal = "".join(str(piece.get("refusal") or "") for piece in parts if piece.get("type") == "refusal")
    calls = tuple(
        ToolCall.read(str(item.get("name") or ""), item.get("arguments"), item.get("call_id"))
        for item in items
        if item.get("type") == "function_call"
    )
    status = body.get("status")
    why = part(body, "incomplete_details").get("reason") if status == "incomplete" else status
    return Reply(
        text,
        finish_reason(None if why is None else str(why), calls=calls, text=text, refusal=refusal),
        _usage(body.get("usage")),
        calls,
        _reasoning(items),
        refusal,
        None if status is None else str(status),
        body.get("model") or None,
        body,
    )


def _reasoning(items: list[dict[str, Any]]) -> str:
    """Summaries of the thinking, or the thinking itself where a model shows it."""
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    return "".join(texts_of(item.get("summary")) or texts_of(item.get("content")) for item in thoughts)


def _usage(usage: Any) -> UsageStats:
    if not isinstance(usage, Mapping):
        return UsageStats()
    reads, writes = part(usage, "input_tokens_details"), part(usage, "output_tokens_details")
    return UsageStats(
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        cache_read_tokens=reads.get("cached_tokens"),
        cache_write_tokens=reads.get("cache_write_tokens"),
        reasoning_tokens=writes.get("reasoning_tokens"),
        cost_usd=usage.get("cost"),
    )


_ENDS = ("response.completed", "response.incomplete", "response.failed")


class ResponsesReader(StreamReader):
    """Puts response.* events together; the last one repeats the whole response and settles everything."""

    def __init__(self) -> None:
        super().__init__()
        self._whole: Reply | None = None

    def feed(self, frame: bytes) -> Sequence[Chunk]:
        """The pieces of the answer in one frame; some compatible servers close with [DONE], which adds nothing."""
        return NO_CHUNKS if frame.strip() == b"[DONE]" else super().feed(frame)

    def take(self, event: dict[str, Any]) -> Sequence[Chunk]:
        """The pieces of the answer in one event."""
        kind, delta = event.get("type"), event.get("delta")
        if kind == "response.output_text.delta":
            return self.say(delta)
        if kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            return self.say(reasoning=delta)
        if kind == "response.refusal.delta" and isinstance(delta, str):
            self.refusals.append(delta)
        if kind == "error" or (kind is None and event.get("error")):
            raise self.failed(event.get("error") or event)
        if kind in _ENDS:
            self._settle(part(event, "response"))
        return NO_CHUNKS

    def _settle(self, response: dict[str, Any]) -> None:
        if response.get("error"):
            raise self.failed(response["error"])
        reply = self._whole = _reply(response)
        self.ended = self.done = True
        self.usage, self.raw_finish, self.upstream_model = reply.usage, reply.raw_finish, reply.upstream_model
        self.refusals = [reply.refusal]

    def finish(self) -> Chunk:
        """The closing chunk, with the reason taken from the whole response."""
        last = super().finish()
        return last if self._whole is None else last._replace(finish_reason=self._whole.finish_reason)

    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the whole answer."""
        return () if self._whole is None else self._whole.tool_calls
