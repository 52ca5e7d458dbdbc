"""A model of Pydantic AI as ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from orchestrator.adapters.clients.wrapped import ClientModel
from orchestrator.adapters.extras import extra
from orchestrator.core.messages import Chunk, FinishReason, Image, Message, Reply, Request, ToolCall
from orchestrator.core.model import last_chunk
from orchestrator.core.usage import UsageStats
from orchestrator.errors import StreamTruncatedError
from orchestrator.integrations.dialects.wishes import as_list, renamed, tool_wish

with extra("pydantic-ai"):
    from pydantic_ai import messages as theirs
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

__all__ = ["PydanticAIModel"]

_NAMES = {"stop": "stop_sequences", "max_completion_tokens": "max_tokens", "max_output_tokens": "max_tokens"}
_ENDS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


class PydanticAIModel(ClientModel):
    """A model behind a `pydantic_ai.models.Model`; parameters become its settings, and its own retries are off."""

    def __init__(self, client: Any, *, name: str | None = None, **facts: Any) -> None:
        super().__init__(client, name=name or client.model_name, **{"provider": client.system, **facts})

    async def send(self, request: Request) -> Reply:
        """One answer."""
        with self._in_our_words(request):
            return _reply(await model_request(self.client, _history(request), **_asked(request)))

    async def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The answer in pieces; one that ends without the provider's word for it raises with `text_so_far`."""
        said: list[str] = []
        with self._in_our_words(request, said=lambda: "".join(said)):
            async with model_request_stream(self.client, _history(request), **_asked(request)) as stream:
                async for event in stream:
                    piece = _piece(event)
                    if piece is not None:
                        said.append(piece.text)
                        yield piece
                yield last_chunk(_ended(stream))


def _ended(stream: Any) -> Reply:
    """The whole reply, if it is whole: the summary says "stop" also where the provider has not said so."""
    reply = _reply(stream.get())
    if reply.raw_finish is None and stream.provider_url:  # fakes have no address, and say nothing
        raise StreamTruncatedError("the stream ended before the answer did; what came is in .text_so_far")
    return reply


def _asked(request: Request) -> dict[str, Any]:
    """Settings and parameters of the request in Pydantic AI's form."""
    settings = renamed(request.params, _NAMES) | {"max_retries": 0}
    if "stop_sequences" in settings:
        settings["stop_sequences"] = as_list(settings["stop_sequences"])
    wish = tool_wish(request.tool_choice) if request.tools else None
    if wish is not None:
        settings["tool_choice"] = [wish[1]] if wish[1] else wish[0]
    return {"model_settings": settings, "model_request_parameters": ModelRequestParameters(**_form(request))}


def _form(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {
        "function_tools": [
            ToolDefinition(
                name=tool.name,
                description=tool.description or None,
                parameters_json_schema=dict(tool.parameters),
                strict=tool.strict,
            )
            for tool in request.tools
        ]
    }
    if request.wants_json:
        name, schema, strict = request.json_schema or ("answer", {"type": "object"}, None)
        found["output_mode"] = "native" if request.json_schema else "prompted"
        found["output_object"] = OutputObjectDefinition(json_schema=dict(schema), name=name, strict=strict)
    return found


def _history(request: Request) -> list[Any]:
    """The turns; neighbours on the same side of the conversation share a message."""
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    history: list[Any] = []
    for message in request.messages:
        if message.role == "assistant":
            history.append(theirs.ModelResponse(parts=_said(message)))
        elif history and isinstance(history[-1], theirs.ModelRequest):
            history[-1].parts.append(_heard(message, names))
        else:
            history.append(theirs.ModelRequest(parts=[_heard(message, names)]))
    return history


def _said(message: Message) -> list[Any]:
    text = [theirs.TextPart(message.text)] if message.text else []
    return text + [
        theirs.ToolCallPart(call.name, call.arguments, tool_call_id=call.id or f"call_{at}")
        for at, call in enumerate(message.tool_calls)
    ]


def _heard(message: Message, names: dict[str | None, str]) -> Any:
    if message.role == "system":
        return theirs.SystemPromptPart(message.text)
    if message.role == "tool":
        name = message.name or names.get(message.tool_call_id) or "tool"
        return theirs.ToolReturnPart(name, message.text, tool_call_id=message.tool_call_id or "call_0")
    if isinstance(message.content, str):
        return theirs.UserPromptPart(message.content)
    return theirs.UserPromptPart([_shown(piece) if isinstance(piece, Image) else piece for piece in message.content])


def _shown(image: Image) -> Any:
    if image.url is not None:
        return theirs.ImageUrl(image.url)
    return theirs.BinaryContent(image.data or b"", media_type=image.media_type or "image/png")


def _piece(event: Any) -> Chunk | None:
    """What an event adds to the answer, if it adds words."""
    part = event.part if isinstance(event, theirs.PartStartEvent) else getattr(event, "delta", None)
    text = getattr(part, "content", None) or getattr(part, "content_delta", None)
    if not isinstance(text, str):
        return None
    if isinstance(part, theirs.ThinkingPart | theirs.ThinkingPartDelta):
        return Chunk(reasoning=text)
    return Chunk(text) if isinstance(part, theirs.TextPart | theirs.TextPartDelta) else None


def _reply(answer: Any) -> Reply:
    calls = tuple(
        ToolCall.read(part.tool_name, part.args, part.tool_call_id)
        for part in answer.parts
        if isinstance(part, theirs.ToolCallPart)
    )
    end = answer.finish_reason
    return Reply(
        "".join(part.content for part in answer.parts if isinstance(part, theirs.TextPart)),
        "tool_calls" if calls else _ENDS.get(end or "stop", "stop"),
        _usage(answer.usage),
        calls,
        "".join(part.content for part in answer.parts if isinstance(part, theirs.ThinkingPart)),
        raw_finish=(answer.provider_details or {}).get("finish_reason"),
        upstream_model=answer.model_name,
        raw=answer,
    )


def _usage(usage: Any) -> UsageStats:
    """Pydantic AI counts nothing as 0, whether nothing came or nothing was said: all zero is not known."""
    if not (usage.input_tokens or usage.output_tokens):
        return UsageStats()
    return UsageStats(
        usage.input_tokens,
        usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=getattr(usage, "output_reasoning_tokens", None) or usage.details.get("reasoning_tokens"),
    )
