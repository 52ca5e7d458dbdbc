"""A chat model of LangChain as ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from orchestrator.adapters.clients.wrapped import ClientModel
from orchestrator.core.messages import Chunk, Reply, Request, ToolCall
from orchestrator.core.model import last_chunk
from orchestrator.core.usage import UsageStats
from orchestrator.errors import StreamTruncatedError
from orchestrator.integrations.dialects.finish import finish_reason
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.dialects.wishes import renamed

__all__ = ["LangChainModel"]

_OPENAI = OpenAIChat()  # LangChain reads turns and tools in OpenAI's form, whoever the model is of
_FINISH = ("finish_reason", "stop_reason", "done_reason")


class LangChainModel(ClientModel):
    """A model behind a `BaseChatModel`; parameters go to its `ainvoke` as they are.

    LangChain gives no way to switch off the retries of a client that is made already: make it with `max_retries=0`, or
    the engine sees several attempts as one.
    """

    def __init__(self, client: Any, *, name: str | None = None, **facts: Any) -> None:
        name = name or getattr(client, "model_name", None) or getattr(client, "model", None) or type(client).__name__
        super().__init__(client, name=name, **{"provider": _provider_of(client), **facts})

    async def send(self, request: Request) -> Reply:
        """One answer."""
        with self._in_our_words(request):
            return _reply(await self._bound(request).ainvoke(_turns(request), **_params(request)))

    async def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The answer in pieces; one that ends without the provider's word for it raises with `text_so_far`."""
        said: list[str] = []
        with self._in_our_words(request, said=lambda: "".join(said)):
            whole: Any = None
            async with aclosing(self._bound(request).astream(_turns(request), **_params(request))) as pieces:
                async for piece in pieces:
                    whole = piece if whole is None else whole + piece
                    if text := str(piece.text):
                        said.append(text)
                        yield Chunk(text)
            yield last_chunk(_ended(whole))

    def _bound(self, request: Request) -> Any:
        if not request.tools:
            return self.client
        tools = _OPENAI.encode(request, "", stream=False)["tools"]
        wish = {} if request.tool_choice is None else {"tool_choice": request.tool_choice}
        return self.client.bind_tools(tools, **wish)


def _provider_of(client: Any) -> str:
    """Who serves it, as LangChain's tracing names them."""
    try:
        return str(client._get_ls_params().get("ls_provider") or "langchain")  # noqa: SLF001 - a hook that packages fill
    except Exception:  # noqa: BLE001 - a model of the user's own, whatever it does: its provider is then not known
        return "langchain"


def _turns(request: Request) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = _OPENAI.encode(request, "", stream=False)["messages"]
    return [turn | {"content": turn["content"] or ""} for turn in turns]


def _params(request: Request) -> dict[str, Any]:
    form = _OPENAI.encode(request, "", stream=False).get("response_format")
    return {**renamed(request.params, {}), **({} if form is None else {"response_format": form})}


def _ended(whole: Any) -> Reply:
    """The reply that the pieces make, if it is whole: providers say how an answer ended, fakes say nothing at all."""
    if whole is None or (whole.response_metadata and not _raw_finish(whole)):
        text = "" if whole is None else str(whole.text)
        raise StreamTruncatedError(
            "the stream ended before the answer did; what came is in .text_so_far", text_so_far=text
        )
    return _reply(whole)


def _raw_finish(message: Any) -> str | None:
    return next((str(message.response_metadata[key]) for key in _FINISH if message.response_metadata.get(key)), None)


def _reply(message: Any) -> Reply:
    text, raw = str(message.text), _raw_finish(message)
    calls = tuple(ToolCall(call["name"], call["args"], call["id"]) for call in message.tool_calls)
    calls += tuple(ToolCall(c["name"] or "", c["args"] or "", c["id"]) for c in message.invalid_tool_calls)
    facts = message.response_metadata
    return Reply(
        text,
        finish_reason(raw, calls=calls, text=text),
        _usage(message.usage_metadata),
        calls,
        str(message.additional_kwargs.get("reasoning_content") or ""),
        str(message.additional_kwargs.get("refusal") or ""),
        raw,
        facts.get("model_name") or facts.get("model") or None,
        message,
    )


def _usage(usage: Any) -> UsageStats:
    if not usage:
        return UsageStats()
    sent, made = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    return UsageStats(
        usage.get("input_tokens") or None,  # no prompt is empty: 0 is what a package says that was not told
        usage.get("output_tokens"),
        cache_read_tokens=sent.get("cache_read"),
        cache_write_tokens=sent.get("cache_creation"),
        reasoning_tokens=made.get("reasoning"),
    )
