"""The engine as a model of Pydantic AI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrator.adapters.engine import Engine, call_id, facts_of
from orchestrator.adapters.extras import extra
from orchestrator.adapters.pydantic_turns import parts_of, turns_of, usage_of
from orchestrator.core.messages import ChatResponse, Chunk, Message
from orchestrator.core.model import Model as OurModel
from orchestrator.errors import CapacityError, NoEligibleModelsError, ProviderAPIError
from orchestrator.models.model_registry import ModelRegistry

with extra("pydantic-ai"):
    from pydantic_ai import messages as theirs
    from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.models._tool_choice import resolve_tool_choice
    from pydantic_ai.profiles import ModelProfile
    from pydantic_ai.settings import ModelSettings

__all__ = ["OrchestratorModel"]

_PASSED = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "parallel_tool_calls",
)
_ENDS = {"stop": "stop", "length": "length", "tool_calls": "tool_call", "content_filter": "content_filter"}
_PROFILE = ModelProfile(supports_json_schema_output=True, supports_json_object_output=True)


class OrchestratorModel(Model):
    """A Pydantic AI model that asks a registry, or one model; `wanted` are requirements and parameters.

    Tools, every kind of output, streaming and `FallbackModel` work as with any other: failed calls are its
    `ModelHTTPError` and `ModelAPIError`, the engine's own error being their cause. Each response has its cost in
    `usage.cost` (USD) and its attempts in `provider_details`.
    """

    def __init__(
        self,
        source: ModelRegistry | OurModel,
        *,
        wanted: Mapping[str, Any] | None = None,
        settings: ModelSettings | None = None,
        profile: Any = None,
    ) -> None:
        super().__init__(settings=settings, profile=_PROFILE if profile is None else profile)
        self._engine = Engine(source, wanted)

    @property
    def model_name(self) -> str:
        """The model's id, or `auto` where the registry chooses; a response names the one that answered."""
        return self._engine.name

    @property
    def system(self) -> str:
        """What stands for the provider in traces."""
        return "orchestrator"

    async def request(
        self,
        messages: list[Any],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> Any:
        """One whole answer."""
        params = self._params(*self.prepare_request(model_settings, model_request_parameters))
        turns = self._turns(messages, model_request_parameters)
        with _their_errors(self.model_name):
            answer = await self._engine.ask(turns, params)
        return theirs.ModelResponse(
            parts=parts_of(answer),
            usage=usage_of(answer.usage),
            model_name=answer.model_id,
            provider_name=self.system,
            provider_details=facts_of(answer),
            provider_response_id=answer.id,
            finish_reason=_ENDS.get(answer.finish_reason),
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[Any],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse, None]:
        """The answer in pieces; what fails before the first piece fails here, so that a `FallbackModel` can go on."""
        del run_context
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        pieces = self._engine.stream(self._turns(messages, parameters), self._params(settings, parameters))
        async with aclosing(pieces):
            with _their_errors(self.model_name):
                first = await anext(pieces)
            yield OrchestratorStream(parameters, first, pieces, self.model_name)

    def _turns(self, messages: Sequence[Any], parameters: ModelRequestParameters) -> list[Message]:
        turns = [turn for message in messages for turn in turns_of(message)]
        standing = [part.content for part in self._get_instruction_parts(messages, parameters) or ()]
        return [*(Message("system", text) for text in standing), *turns]

    @staticmethod
    def _params(settings: ModelSettings | None, parameters: ModelRequestParameters) -> dict[str, Any]:
        given: Mapping[str, Any] = settings or {}
        params = {name: given[name] for name in _PASSED if given.get(name) is not None}
        if given.get("stop_sequences"):
            params["stop"] = list(given["stop_sequences"])
        if isinstance(given.get("timeout"), int | float):
            params["deadline_s"] = given["timeout"]
        params |= given.get("extra_body") or {}
        if parameters.output_mode == "native" and parameters.output_object is not None:
            params["response_format"] = _form(parameters.output_object)
        elif parameters.output_mode == "prompted" and not parameters.function_tools:
            params["response_format"] = "json"
        return params | _tools(settings, parameters)


@dataclass
class OrchestratorStream(StreamedResponse):
    """An answer on its way; the model's name is known with its last piece at the latest."""

    _first: Chunk
    _rest: AsyncIterator[Chunk]
    _name: str
    _began: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[Any]:
        for event in self._events(self._first):
            yield event
        with _their_errors(self._name):
            async for chunk in self._rest:
                for event in self._events(chunk):
                    yield event

    def _events(self, chunk: Chunk) -> list[Any]:
        manager, events = self._parts_manager, []
        self._name = chunk.model_id or self._name
        if chunk.reasoning:
            events += manager.handle_thinking_delta(vendor_part_id="thinking", content=chunk.reasoning)
        if chunk.text:
            events += manager.handle_text_delta(vendor_part_id="text", content=chunk.text)
        if chunk.response is not None:
            events += self._end(chunk.response)
        return events

    def _end(self, answer: ChatResponse) -> list[Any]:
        self._usage = usage_of(answer.usage)
        self.finish_reason = _ENDS.get(answer.finish_reason)
        self.provider_details, self.provider_response_id = facts_of(answer), answer.id
        return [
            self._parts_manager.handle_tool_call_part(
                vendor_part_id=f"call-{at}", tool_name=call.name, args=call.arguments, tool_call_id=call_id(call, at)
            )
            for at, call in enumerate(answer.tool_calls)
        ]

    @property
    def model_name(self) -> str:
        """Who speaks."""
        return self._name

    @property
    def provider_name(self) -> str:
        """As in `OrchestratorModel.system`."""
        return "orchestrator"

    @property
    def provider_url(self) -> None:
        """The engine has no address."""
        return

    @property
    def timestamp(self) -> datetime:
        """When the answer began."""
        return self._began


@contextmanager
def _their_errors(name: str) -> Any:
    """A failed call in the classes that Pydantic AI falls back on; a spent budget stays what it is."""
    try:
        yield
    except ProviderAPIError as error:
        who, told = error.model_id or name, {"message": str(error), "type": error.error_type}
        if error.status is not None and error.status >= 400:
            raise ModelHTTPError(error.status, who, told, retry_after=error.retry_after_s) from error
        raise ModelAPIError(who, str(error), retry_after=error.retry_after_s) from error
    except (CapacityError, NoEligibleModelsError) as error:
        raise ModelAPIError(name, str(error)) from error


def _tools(settings: ModelSettings | None, parameters: ModelRequestParameters) -> dict[str, Any]:
    declared = parameters.declared_tool_defs
    if not declared:
        return {}
    choice = resolve_tool_choice(settings, parameters)
    mode, names = (choice, tuple(declared)) if isinstance(choice, str) else choice
    return {
        "tools": [_tool(tool) for name, tool in declared.items() if name in names],
        **({} if mode == "auto" else {"tool_choice": mode}),
    }


def _tool(tool: Any) -> dict[str, Any]:
    facts = {"name": tool.name, "description": tool.description or "", "parameters": tool.parameters_json_schema}
    return facts if tool.strict is None else facts | {"strict": tool.strict}


def _form(wanted: Any) -> dict[str, Any]:
    inner = {"name": wanted.name or "answer", "schema": wanted.json_schema, "strict": wanted.strict is not False}
    return {"type": "json_schema", "json_schema": inner}
