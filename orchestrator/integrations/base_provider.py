"""The short way to write a provider: a class with one blocking method, `complete`."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from orchestrator.core.info import ModelInfo
from orchestrator.core.messages import ChatResponse, Reply, Request
from orchestrator.core.model import Model
from orchestrator.errors import ModelProviderError
from orchestrator.integrations.credentials import as_secret, key_from_environment, missing_key

__all__ = ["BaseProvider", "ProvidedModel"]


class BaseProvider:
    """Subclass it, write `complete`, and `register_provider` it: every model of that provider is called with it.

    `complete` may block: it runs in a worker thread. Text as a result is as good as a `ChatResponse`.

    >>> class Shout(BaseProvider):
    ...     def complete(self, prompt, model, **kwargs):
    ...         return ChatResponse(prompt.upper(), usage=None)
    >>> print(Shout(api_key="none needed").complete("hello", "any"))
    HELLO
    """

    name: ClassVar[str] = ""  # set by register_provider where the class leaves it empty

    def __init__(self, api_key: str | None = None) -> None:
        given = as_secret(api_key)
        key = given.get_secret_value() if given is not None else self._get_api_key_from_env()
        if not key:
            raise ModelProviderError(missing_key(self._provider(), [self._key_variable()]))
        self.__key = as_secret(key)

    @property
    def api_key(self) -> str:
        """The key; it is not part of the object's repr."""
        return "" if self.__key is None else self.__key.get_secret_value()

    def complete(self, prompt: str, model: str, **kwargs: Any) -> ChatResponse:
        """Answer one prompt with one model."""
        raise NotImplementedError(f"{type(self).__name__} has to define complete(prompt, model, **kwargs)")

    def _get_api_key_from_env(self) -> str | None:
        """The key in `<PROVIDER>_API_KEY`; override it for another place."""
        key = key_from_environment([self._key_variable()])
        return None if key is None else key.get_secret_value()

    def _provider(self) -> str:
        return self.name or type(self).__name__.removesuffix("Provider").lower()

    def _key_variable(self) -> str:
        return "".join(letter if letter.isalnum() else "_" for letter in self._provider()).upper() + "_API_KEY"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the key."""
        return {name: value for name, value in self.__dict__.items() if not name.endswith("__key")}


class ProvidedModel(Model):
    """A model whose answers come from a `BaseProvider`; the provider is made at first use, with the model's key."""

    def __init__(self, info: ModelInfo, provider_type: type[Any]) -> None:
        super().__init__(info)
        self._provider_type = provider_type
        self._made: Any = None

    def _provider(self) -> Any:
        if self._made is None:
            key = self.info.api_key
            self._made = self._provider_type(api_key=None if key is None else key.get_secret_value())
        return self._made

    def setup_issue(self) -> str | None:
        """Why the provider cannot be made, if so."""
        try:
            self._provider()
        except ModelProviderError as issue:
            return str(issue)
        return None

    async def send(self, request: Request) -> Reply:
        """One answer from `complete`, in a worker thread."""
        provider = self._provider()
        given = dict(request.params)
        wishes = {
            "tools": request.tools,
            "tool_choice": request.tool_choice,
            "response_format": request.response_format,
        }
        given |= {name: value for name, value in wishes.items() if value}
        prompt: Any = request.prompt  # nearly always text; a provider that wants more gets what the caller gave
        result: Any = await asyncio.to_thread(provider.complete, prompt, self.name, **given)
        if not isinstance(result, ChatResponse):
            return Reply("" if result is None else str(result))
        return Reply(
            result.text, result.finish_reason, result.usage, result.tool_calls, result.reasoning, raw=result.raw
        )

    def __getstate__(self) -> dict[str, Any]:
        """Everything but keys and what belongs to this process."""
        state = dict(self.__dict__)
        state.update(_made=None, _caller=None, cache=None, info=self.info.model_copy(update={"api_key": None}))
        return state
