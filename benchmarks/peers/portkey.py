"""Portkey's gateway, a process of Node: one door before one server, and a contestant of the failover scenes."""

from __future__ import annotations

import atexit
import functools
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from processes import awaited, free_port, running

__all__ = ["STREAMS", "Portkey", "command", "headers_for", "portkey"]

ATTEMPT_MS = 2_000
STREAMS = False  # 1.15.2 under Node 20 answers every stream with 500 ("TypeError: immutable" in its log)


def command() -> Path | None:
    """Where npm has put it, beside this environment's own programs; None where it is not installed."""
    path = Path(sys.prefix) / "node_modules" / ".bin" / "gateway"
    return path if path.exists() else None


@contextmanager
def portkey() -> Iterator[tuple[str, int]]:
    """The gateway's address and its process id; FileNotFoundError where it is not installed."""
    program, port = command(), free_port()
    if program is None:
        raise FileNotFoundError("npm install @portkey-ai/gateway")
    with running([str(program), f"--port={port}", "--headless"]) as pid:
        url = f"http://127.0.0.1:{port}"
        awaited(url)
        yield url, pid


def headers_for(urls: Sequence[str]) -> dict[str, str]:
    """The request headers in which it is told what to do: ask these servers in order."""
    targets = [{"provider": "openai", "api_key": "k", "custom_host": url} for url in urls]
    config: dict[str, Any] = {"request_timeout": ATTEMPT_MS, "retry": {"attempts": 0}}
    if len(urls) > 1:
        config |= {"strategy": {"mode": "fallback"}, "targets": targets}
    else:
        config |= targets[0]
    return {"x-portkey-config": json.dumps(config)}


@functools.cache
def _running() -> str:
    """One gateway for all scenes: what it is to do comes with each request."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(portkey())[0]


class Portkey:
    """Its fallback in fixed order, asked by OpenAI's client without retries."""

    name = "Portkey gateway"

    def __init__(self, urls: Sequence[str]) -> None:
        from openai import AsyncOpenAI

        if command() is None:
            raise ImportError("Portkey: npm install @portkey-ai/gateway")
        options = dict(api_key="k", max_retries=0, default_headers=headers_for(urls))
        self.client = AsyncOpenAI(base_url=f"{_running()}/v1", **options)

    async def ask(self, prompt: str) -> str | None:
        text: str | None = (await self._asked(prompt)).choices[0].message.content
        return text

    async def listen(self, prompt: str) -> str:
        pieces = await self._asked(prompt, stream=True)
        return "".join([(piece.choices[0].delta.content or "") if piece.choices else "" async for piece in pieces])

    async def _asked(self, prompt: str, **options: Any) -> Any:
        messages = [{"role": "user", "content": prompt}]
        return await self.client.chat.completions.create(model="m", messages=messages, **options)

    async def close(self) -> None:
        await self.client.close()
