"""A model with its settings as one callable that gives text, to compose programs from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from orchestrator.core.messages import ChatResponse, Message
from orchestrator.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from orchestrator.models.service import ModelService

__all__ = ["LMModule", "LMModuleConfig"]


class LMModuleConfig(BaseModel):
    """What a module asks and how: the model's id, parameters for its provider, and what frames every prompt.

    `persona` is the system message, `cot_prompt` follows the prompt and asks for reasoning in steps (Wei et al. 2022;
    True gives it the words of Kojima et al. 2022); `params` go to the provider as they are. An unknown field is a
    ConfigurationError.

    >>> LMModuleConfig(model_id="openai:gpt-4o", temperature=0.7).model_id
    'openai:gpt-4o'
    >>> LMModuleConfig(model="openai:gpt-4o")
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: LMModuleConfig has no 'model'; did you mean 'model_id'?
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    model_id: str = Field(min_length=1, validation_alias=AliasChoices("model_id", "id"))
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, gt=0)
    persona: str | None = None
    cot_prompt: str | bool | None = None
    params: dict[str, Any] = Field(default_factory=dict)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
            name = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                known = did_you_mean(name, list(type(self).model_fields))
                raise ConfigurationError(f"LMModuleConfig has no {name!r}; {known}") from None
            raise ConfigurationError(f"LMModuleConfig, {name!r}: {first['msg']}") from None


_STEP_BY_STEP = "Let's think step by step."


class LMModule:
    r"""Calls one model, framed as its config says; keywords of a call override the config for that call alone.

    Without a service it uses the process's registry. `lm(prompt)` is the text; `lm.respond(prompt)` and
    `await lm.respond_async(prompt)` are the whole reply.

    >>> from orchestrator import Model, ModelRegistry, ModelService
    >>> class Echo(Model):
    ...     async def generate_response(self, prompt, **kwargs):
    ...         return f"{prompt} {kwargs}"
    >>> registry = ModelRegistry()
    >>> registry["echo"] = Echo(name="echo", provider="custom")
    >>> lm = LMModule(config=LMModuleConfig(model_id="echo", temperature=0.7), service=ModelService(registry))
    >>> lm("Hello")
    "Hello {'temperature': 0.7}"
    >>> lm("Hello", temperature=0, cot_prompt=True)
    "Hello\n\nLet's think step by step. {'temperature': 0.0}"
    """

    def __init__(self, config: LMModuleConfig | str, service: ModelService | None = None) -> None:
        self.config = LMModuleConfig(model_id=config) if isinstance(config, str) else config
        self._service = service

    @property
    def service(self) -> ModelService:
        """Who carries the calls out."""
        if self._service is None:
            from orchestrator.models.service import ModelService

            self._service = ModelService()
        return self._service

    def __call__(self, prompt: str, **override: Any) -> str:
        """The text of the answer, for code that cannot await."""
        return self.respond(prompt, **override).text

    def respond(self, prompt: str, **override: Any) -> ChatResponse:
        """The whole reply, for code that cannot await."""
        config, params = self._overridden(override)
        return self.service.invoke_model(config.model_id, _framed(prompt, config), **params)

    async def respond_async(self, prompt: str, **override: Any) -> ChatResponse:
        """The whole reply."""
        config, params = self._overridden(override)
        return await self.service.invoke_model_async(config.model_id, _framed(prompt, config), **params)

    def _overridden(self, override: dict[str, Any]) -> tuple[LMModuleConfig, dict[str, Any]]:
        """The config of this call, and the parameters for the provider."""
        config = self.config
        ours = {name: value for name, value in override.items() if name in LMModuleConfig.model_fields}
        if ours:
            given = {name: getattr(config, name) for name in LMModuleConfig.model_fields}
            config = LMModuleConfig(**{**given, **ours, "params": {**config.params, **ours.get("params", {})}})
        own = {"temperature": config.temperature, "max_tokens": config.max_tokens}
        params = {name: value for name, value in own.items() if value is not None}
        theirs = {name: value for name, value in override.items() if name not in ours}
        return config, {**params, **config.params, **theirs}

    def __repr__(self) -> str:
        return f"<LMModule of {self.config.model_id!r}>"


def _framed(prompt: str, config: LMModuleConfig) -> Any:
    """The prompt with the request for steps after it, and the persona before it as the system's message."""
    if config.cot_prompt:
        steps = _STEP_BY_STEP if config.cot_prompt is True else config.cot_prompt
        prompt = f"{prompt}\n\n{steps}"
    if config.persona is None:
        return prompt
    return [Message(role="system", content=config.persona), Message(role="user", content=prompt)]
