"""The engine as a chat model and as embeddings of LangChain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, closing
from operator import itemgetter
from typing import Any

from orchestrator.adapters.engine import AsksEngine, call_id, facts_of
from orchestrator.adapters.extras import extra
from orchestrator.core.messages import ChatResponse, Chunk, Message, ToolCall, UsageStats
from orchestrator.core.model import Model
from orchestrator.models.portal import portal

with extra("langchain"):
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_openai_messages
    from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.runnables import RunnableMap, RunnablePassthrough
    from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

__all__ = ["OrchestratorChat", "OrchestratorEmbeddings"]


class OrchestratorChat(AsksEngine, BaseChatModel):
    """A LangChain chat model that asks a registry, or one model; `wanted` are requirements and parameters.

    Tools, structured output (`method="function_calling"`, `"json_schema"` or `"json_mode"`), streaming, callbacks and
    caches work as with any other; `response_metadata` says who answered and what it cost (`cost_usd`, None if
    unknown). Failures are the engine's own errors.

    >>> from orchestrator import ModelRegistry
    >>> chat = OrchestratorChat(ModelRegistry(), wanted={"max_cost": 0.01})
    >>> chat._llm_type
    'orchestrator'
    """

    @property
    def _llm_type(self) -> str:
        return "orchestrator"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"engine": self._engine.name, "wanted": self.wanted}

    # the four ways LangChain asks

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **params: Any
    ) -> ChatResult:
        del run_manager  # LangChain reports by itself
        return _result(self._engine.ask_now(_turns(messages), _params(stop, params)))

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **params: Any
    ) -> ChatResult:
        del run_manager
        return _result(await self._engine.ask(_turns(messages), _params(stop, params)))

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **params: Any
    ) -> Iterator[ChatGenerationChunk]:
        del run_manager
        with closing(self._engine.stream_now(_turns(messages), _params(stop, params))) as pieces:
            for chunk in pieces:
                yield _piece(chunk)

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **params: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        del run_manager
        async with aclosing(self._engine.stream(_turns(messages), _params(stop, params))) as pieces:
            async for chunk in pieces:
                yield _piece(chunk)

    # tools and forms

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any]], *, tool_choice: Any = None, **params: Any
    ) -> Any:
        """The model with these tools; `tool_choice` is `auto`, `none`, `any` or the name of one."""
        if isinstance(tool_choice, bool):
            tool_choice = "any" if tool_choice else None
        wish = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **wish, **params)

    def with_structured_output(
        self, schema: Any, *, include_raw: bool = False, method: str = "function_calling", **options: Any
    ) -> Any:
        """The model whose answers are objects of this schema: by a tool, or by the provider's own JSON mode."""
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **options)
        if method not in ("json_schema", "json_mode"):
            raise ValueError(f"method={method!r}: give 'function_calling', 'json_schema' or 'json_mode'")
        asked = self.bind(response_format="json" if method == "json_mode" else convert_to_json_schema(schema))
        parser = PydanticOutputParser(pydantic_object=schema) if _is_pydantic(schema) else JsonOutputParser()
        if not include_raw:
            return asked | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=asked) | parsed.with_fallbacks([failed], exception_key="parsing_error")


class OrchestratorEmbeddings(Embeddings):
    """LangChain embeddings computed by one model: vectors of two models cannot be compared, so none is chosen here."""

    def __init__(self, model: Model, **params: Any) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"give one Model, such as registry['openai/text-embedding-3-small'], not {model!r}")
        self._model = model
        self._params = params

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, in order."""
        return list(await self._model.embed(texts, **self._params))

    async def aembed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        return (await self.aembed_documents([text]))[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The same for code that cannot await."""
        return portal.run(lambda: self.aembed_documents(texts))

    def embed_query(self, text: str) -> list[float]:
        """The same for code that cannot await."""
        return self.embed_documents([text])[0]


def _is_pydantic(schema: Any) -> bool:
    return hasattr(schema, "model_json_schema")


def _params(stop: list[str] | None, params: dict[str, Any]) -> dict[str, Any]:
    return {**params, "stop": stop} if stop else params


def _turns(messages: Sequence[BaseMessage]) -> list[Message]:
    """LangChain's turns as ours; what another model has thought to itself stays behind."""
    return [
        _said(message) if isinstance(message, AIMessage) else Message.of(convert_to_openai_messages(message))
        for message in messages
    ]


def _said(message: AIMessage) -> Message:
    calls = [ToolCall(call["name"], call["args"], call["id"]) for call in message.tool_calls]
    calls += [ToolCall(call["name"] or "", call["args"] or "", call["id"]) for call in message.invalid_tool_calls]
    return Message("assistant", str(message.text), tuple(calls))


def _result(answer: ChatResponse) -> ChatResult:
    calls = [(call, call_id(call, at)) for at, call in enumerate(answer.tool_calls)]
    message = AIMessage(
        answer.text,
        tool_calls=[_call(call, its_id) for call, its_id in calls if not call.broken],
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "name": call.name, "args": call.arguments, "id": its_id, "error": "not JSON"}
            for call, its_id in calls
            if call.broken
        ],
        response_metadata=facts_of(answer),
        usage_metadata=_usage(answer.usage),
        additional_kwargs=_beside(answer),
    )
    return ChatResult(generations=[ChatGeneration(message=message)], llm_output={"model_name": answer.model_id})


def _piece(chunk: Chunk) -> ChatGenerationChunk:
    answer = chunk.response
    if answer is None:
        beside = {"reasoning_content": chunk.reasoning} if chunk.reasoning else {}
        return ChatGenerationChunk(message=AIMessageChunk(chunk.text, additional_kwargs=beside))
    return ChatGenerationChunk(
        message=AIMessageChunk(
            chunk.text,
            tool_call_chunks=[
                {
                    "type": "tool_call_chunk",
                    "name": call.name,
                    "args": call.arguments_json,
                    "id": call_id(call, at),
                    "index": at,
                }
                for at, call in enumerate(answer.tool_calls)
            ],
            response_metadata=facts_of(answer),
            usage_metadata=_usage(answer.usage),
            chunk_position="last",
        )
    )


def _call(call: ToolCall, its_id: str) -> dict[str, Any]:
    return {"type": "tool_call", "name": call.name, "args": call.arguments, "id": its_id}


def _beside(answer: ChatResponse) -> dict[str, Any]:
    found = {"reasoning_content": answer.reasoning, "refusal": answer.refusal}
    return {name: text for name, text in found.items() if text}


def _usage(usage: UsageStats) -> dict[str, Any] | None:
    """Tokens in LangChain's form, or None where they are not known."""
    sent, made = usage.prompt_tokens, usage.completion_tokens
    if sent is None or made is None:
        return None
    read = {"cache_read": usage.cache_read_tokens, "cache_creation": usage.cache_write_tokens}
    thought = {"reasoning": usage.reasoning_tokens}
    return {
        "input_tokens": sent,
        "output_tokens": made,
        "total_tokens": sent + made,
        "input_token_details": {name: count for name, count in read.items() if count is not None},
        "output_token_details": {name: count for name, count in thought.items() if count is not None},
    }
