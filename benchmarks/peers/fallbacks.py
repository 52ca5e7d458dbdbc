"""Ordered fallbacks of Pydantic AI and LangChain, as contestants of the failover scenes: the broken server comes first.

Their OpenAI clients keep the retries that they come with, as the SDK's own contestant does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["FALLBACKS", "langchain_model", "pydantic_model"]


def pydantic_model(urls: Sequence[str], **options: Any) -> Any:
    """A model that asks one server after the other; `options` go to each OpenAI client."""
    from openai import AsyncOpenAI
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    clients = [AsyncOpenAI(api_key="k", base_url=url, **options) for url in urls]
    models = [OpenAIChatModel("m", provider=OpenAIProvider(openai_client=client)) for client in clients]
    return FallbackModel(*models) if len(models) > 1 else models[0]


def langchain_model(urls: Sequence[str], **options: Any) -> Any:
    """The same of LangChain."""
    from langchain_openai import ChatOpenAI

    first, *others = [ChatOpenAI(model="m", api_key="k", base_url=url, **options) for url in urls]
    return first.with_fallbacks(others) if others else first


class PydanticFallbacks:
    """Pydantic AI's FallbackModel."""

    name = "Pydantic AI FallbackModel"

    def __init__(self, urls: Sequence[str]) -> None:
        self.model = pydantic_model(urls, timeout=2.0)

    async def ask(self, prompt: str) -> str | None:
        from pydantic_ai.direct import model_request
        from pydantic_ai.messages import ModelRequest

        text: str | None = (await model_request(self.model, [ModelRequest.user_text_prompt(prompt)])).text
        return text

    async def listen(self, prompt: str) -> str:
        from pydantic_ai.direct import model_request_stream
        from pydantic_ai.messages import ModelRequest

        async with model_request_stream(self.model, [ModelRequest.user_text_prompt(prompt)]) as pieces:
            async for _ in pieces:
                pass
            return pieces.get().text or ""

    async def close(self) -> None:
        """Connections end with the process."""


class LangChainFallbacks:
    """`with_fallbacks` of LangChain."""

    name = "LangChain fallbacks"

    def __init__(self, urls: Sequence[str]) -> None:
        self.model = langchain_model(urls, timeout=2.0)

    async def ask(self, prompt: str) -> str | None:
        text: str | None = (await self.model.ainvoke(prompt)).content
        return text

    async def listen(self, prompt: str) -> str:
        return "".join([piece.content async for piece in self.model.astream(prompt)])

    async def close(self) -> None:
        """Connections end with the process."""


FALLBACKS = [PydanticFallbacks, LangChainFallbacks]
