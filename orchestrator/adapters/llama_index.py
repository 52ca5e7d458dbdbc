"""The engine as an LLM of LlamaIndex, with function calling."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, TypeVar

from orchestrator.adapters.engine import AsksEngine, call_id, facts_of
from orchestrator.adapters.extras import extra
from orchestrator.core.messages import ChatResponse as Answer
from orchestrator.core.messages import Chunk, Image, Message, Prompt, ToolCall

with extra("llama-index"):
    from llama_index.core.base.llms.types import (
        ChatMessage,
        ChatResponse,
        CompletionResponse,
        ImageBlock,
        LLMMetadata,
        MessageRole,
        TextBlock,
        ToolCallBlock,
    )
    from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
    from llama_index.core.llms.function_calling import FunctionCallingLLM
    from llama_index.core.llms.llm import ToolSelection

__all__ = ["OrchestratorLLM"]

Shown = TypeVar("Shown", ChatResponse, CompletionResponse)


class OrchestratorLLM(AsksEngine, FunctionCallingLLM):
    """A LlamaIndex LLM that asks a registry, or one model; `wanted` are requirements and parameters.

    `response.raw` says who answered, after which attempts, and what it cost (`cost_usd`, None if unknown). Failures
    are the engine's own errors.
    """

    @classmethod
    def class_name(cls) -> str:
        """How LlamaIndex names it."""
        return "OrchestratorLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """The window is that of the one model, or the largest of the registry's."""
        window = self._engine.context_window
        return LLMMetadata(
            is_chat_model=True,
            is_function_calling_model=True,
            model_name=self._engine.name,
            **({} if window is None else {"context_window": window}),
        )

    # the eight ways LlamaIndex asks

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **params: Any) -> ChatResponse:
        """One whole answer."""
        return _response(await self._engine.ask(_turns(messages), params))

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **params: Any) -> ChatResponse:
        """The same for plain code."""
        return _response(self._engine.ask_now(_turns(messages), params))

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **params: Any) -> AsyncGenerator[ChatResponse, None]:
        """The answer as it grows."""
        return self._growing(_turns(messages), params, _grown)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **params: Any) -> Generator[ChatResponse, None, None]:
        """The same for plain code."""
        return self._growing_now(_turns(messages), params, _grown)

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **params: Any) -> CompletionResponse:  # noqa: ARG002, FBT001, FBT002 - LlamaIndex's signature
        """The answer to a plain prompt."""
        answer = await self._engine.ask(prompt, params)
        return CompletionResponse(text=answer.text, raw=facts_of(answer))

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **params: Any) -> CompletionResponse:  # noqa: ARG002, FBT001, FBT002 - likewise
        """The same for plain code."""
        answer = self._engine.ask_now(prompt, params)
        return CompletionResponse(text=answer.text, raw=facts_of(answer))

    @llm_completion_callback()
    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002, FBT001, FBT002 - likewise
        **params: Any,
    ) -> AsyncGenerator[CompletionResponse, None]:
        """The answer to a plain prompt as it grows."""
        return self._growing(prompt, params, _completed)

    @llm_completion_callback()
    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002, FBT001, FBT002 - likewise
        **params: Any,
    ) -> Generator[CompletionResponse, None, None]:
        """The same for plain code."""
        return self._growing_now(prompt, params, _completed)

    async def _growing(
        self, prompt: Prompt, params: Mapping[str, Any], shown: Callable[[str, Chunk], Shown]
    ) -> AsyncGenerator[Shown, None]:
        """Each piece with all that came before it."""
        text = ""
        async with aclosing(self._engine.stream(prompt, params)) as pieces:
            async for chunk in pieces:
                text += chunk.text
                yield shown(text, chunk)

    def _growing_now(
        self, prompt: Prompt, params: Mapping[str, Any], shown: Callable[[str, Chunk], Shown]
    ) -> Generator[Shown, None, None]:
        """The same for plain code."""
        text = ""
        with closing(self._engine.stream_now(prompt, params)) as pieces:
            for chunk in pieces:
                text += chunk.text
                yield shown(text, chunk)

    # tools

    def _prepare_chat_with_tools(  # noqa: PLR0917 - LlamaIndex's signature
        self,
        tools: Sequence[Any],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: ARG002, FBT001, FBT002 - LlamaIndex's signature
        allow_parallel_tool_calls: bool = False,  # noqa: ARG002, FBT001, FBT002 - a provider's own default is kept
        tool_required: bool = False,  # noqa: FBT001, FBT002 - likewise
        **params: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or ())
        if user_msg is not None:
            told = ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
            messages.append(told)
        if tools:
            params["tools"] = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
            if tool_required:
                params["tool_choice"] = "required"
        return {"messages": messages, **params}

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002 - LlamaIndex's signature
        **_params: Any,
    ) -> list[ToolSelection]:
        """The tools that the answer calls; ValueError when it must call one and does not."""
        calls = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        if error_on_no_tool_call and not calls:
            raise ValueError(f"the answer calls no tool; it says {len(response.message.content or '')} characters")
        return [
            ToolSelection(tool_id=call.tool_call_id or "", tool_name=call.tool_name, tool_kwargs=call.tool_kwargs)
            for call in calls
        ]


_ROLES = {"developer": "system", "chatbot": "assistant", "model": "assistant", "function": "tool"}


def _turns(messages: Sequence[ChatMessage]) -> list[Message]:
    return [_turn(message) for message in messages]


def _turn(message: ChatMessage) -> Message:
    role = _ROLES.get(message.role.value, message.role.value)
    calls = tuple(
        ToolCall.read(block.tool_name, block.tool_kwargs, block.tool_call_id)
        for block in message.blocks
        if isinstance(block, ToolCallBlock)
    )
    shown = tuple(_piece(block) for block in message.blocks if isinstance(block, TextBlock | ImageBlock))
    plain = all(isinstance(piece, str) for piece in shown)
    content: Any = "".join(map(str, shown)) if plain else shown
    told = message.additional_kwargs
    return Message(role, content, calls, told.get("tool_call_id"), told.get("name"))


def _piece(block: Any) -> str | Image:
    if isinstance(block, TextBlock):
        return str(block.text)
    if block.url is not None:
        return Image(url=str(block.url))
    return Image.of(block.resolve_image().read())


def _response(answer: Answer) -> ChatResponse:
    return ChatResponse(message=_message(answer.text, answer.tool_calls), raw=facts_of(answer))


def _grown(text: str, chunk: Chunk) -> ChatResponse:
    return ChatResponse(message=_message(text, chunk.tool_calls), delta=chunk.text, raw=_facts(chunk))


def _completed(text: str, chunk: Chunk) -> CompletionResponse:
    return CompletionResponse(text=text, delta=chunk.text, raw=_facts(chunk))


def _facts(chunk: Chunk) -> dict[str, Any] | None:
    return None if chunk.response is None else facts_of(chunk.response)


def _message(text: str, calls: Sequence[ToolCall]) -> ChatMessage:
    called = [
        ToolCallBlock(tool_call_id=call_id(call, at), tool_name=call.name, tool_kwargs=call.arguments)
        for at, call in enumerate(calls)
    ]
    said = [TextBlock(text=text)] if text or not called else []
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=[*said, *called])
