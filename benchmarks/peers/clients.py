"""Clients of other projects, each asking one server of OpenAI's dialect; what is switched on stands in `FEATURES`.

Each maker takes the server's base URL and gives `call`, `stream` and `close`; ImportError where its library is missing.
"""

from __future__ import annotations

import logging

import overhead

__all__ = ["FEATURES", "FIELD"]

ASK = overhead.BODY["messages"]

FEATURES = {
    "raw aiohttp": "one pooled session, `json`; no retries, no accounts: the floor, not a product",
    "engine": "choice among ten models (UCB), failover, health, limits, usage, cost, learning",
    "openai SDK": "pydantic types, no retries (`max_retries=0`), no choice, no cost",
    "LiteLLM acompletion": "one model, no choice; cost and its logging as they come",
    "LiteLLM Router": "choice among ten deployments (`simple-shuffle`), `num_retries=2`, cool-downs, cost",
    "any-llm": "one client object (`AnyLLM.create`), no choice, no failover, no cost",
    "Pydantic AI FallbackModel": "two models in fixed order by `pydantic_ai.direct`, usage, no health, no learning",
    "TensorZero embedded": "its gateway in Rust inside this process, two providers in fixed order; observability off",
    "LangChain fallbacks": "`ChatOpenAI` with one fallback in fixed order, callbacks empty, no health, no cost",
}


async def litellm_alone(url: str) -> overhead.Doors:
    """`litellm.acompletion`, one model."""
    import litellm

    _quiet(litellm)
    fixed = dict(model="openai/m", messages=ASK, api_base=url, api_key="k", num_retries=0)
    return _doors(lambda **more: litellm.acompletion(**fixed, **more))


async def litellm_router(url: str) -> overhead.Doors:
    """The Router, ten deployments of one group."""
    import litellm

    _quiet(litellm)
    one = {"model": "openai/m", "api_base": url}
    group = [{"model_name": "m", "litellm_params": {**one, "api_key": f"k{number}"}} for number in range(10)]
    router = litellm.Router(model_list=group, num_retries=2)
    return _doors(lambda **more: router.acompletion(model="m", messages=ASK, **more))


async def any_llm(url: str) -> overhead.Doors:
    """One client object, used again and again."""
    from any_llm import AnyLLM

    client = AnyLLM.create("openai", api_key="k", api_base=url)
    return _doors(lambda **more: client.acompletion(model="m", messages=ASK, **more))


async def pydantic_ai(url: str) -> overhead.Doors:
    """FallbackModel over two models of one server."""
    from fallbacks import pydantic_model
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.messages import ModelRequest

    model, asked = pydantic_model([url, url]), [ModelRequest.user_text_prompt(overhead.PROMPT)]

    async def call() -> object:
        return (await model_request(model, asked)).text

    async def stream() -> object:
        async with model_request_stream(model, asked) as pieces:
            return [piece async for piece in pieces]

    return {"call": call, "stream": stream, "close": _nothing}


async def langchain(url: str) -> overhead.Doors:
    """`with_fallbacks` over two chat models of one server."""
    from fallbacks import langchain_model

    model = langchain_model([url, url])

    async def call() -> object:
        return (await model.ainvoke(overhead.PROMPT)).content

    async def stream() -> object:
        return "".join([piece.content async for piece in model.astream(overhead.PROMPT)])

    return {"call": call, "stream": stream, "close": _nothing}


async def tensorzero(url: str) -> overhead.Doors:
    """The embedded gateway, one model at two providers of one server."""
    from embedded import TensorZero

    client = TensorZero([url, url])
    return {
        "call": lambda: client.ask(overhead.PROMPT),
        "stream": lambda: client.listen(overhead.PROMPT),
        "close": client.close,
    }


def _doors(ask: overhead.Asked) -> overhead.Doors:
    """Call and stream of a client that speaks OpenAI's own shapes."""

    async def call() -> object:
        return (await ask()).choices[0].message.content

    async def stream() -> object:
        return "".join([piece.choices[0].delta.content or "" async for piece in await ask(stream=True)])

    return {"call": call, "stream": stream, "close": _nothing}


async def _nothing() -> None:
    """Their connections end with the process."""


def _quiet(litellm: object) -> None:
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Router"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


FIELD: overhead.Field = {
    **overhead.FIELD,
    "LiteLLM acompletion": litellm_alone,
    "LiteLLM Router": litellm_router,
    "any-llm": any_llm,
    "Pydantic AI FallbackModel": pydantic_ai,
    "TensorZero embedded": tensorzero,
    "LangChain fallbacks": langchain,
}
