"""TensorZero's gateway inside this process: a client of one server, and a contestant of the failover scenes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["TensorZero", "tensorzero_gateway"]

ATTEMPT_MS = 2_000


def tensorzero_gateway(urls: Sequence[str]) -> Any:
    """A gateway whose model `m` asks these servers in order; ImportError without its package."""
    os.environ.setdefault("RUST_LOG", "off")  # it writes its log where the figures go
    from tensorzero import AsyncTensorZeroGateway

    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "tensorzero.toml"
        config.write_text(_config(urls), encoding="utf-8")
        return AsyncTensorZeroGateway.build_embedded(config_file=str(config), async_setup=False)


def _config(urls: Sequence[str]) -> str:
    """Its settings; what it observes would need a database of its own, so that is off."""
    names = [f"at{number}" for number in range(len(urls))]
    lines = ["[gateway]", "observability.enabled = false", "[models.m]", f"routing = {json.dumps(names)}"]
    for name, url in zip(names, urls, strict=True):
        lines += [
            f"[models.m.providers.{name}]",
            'type = "openai"',
            'model_name = "m"',
            f'api_base = "{url}/"',
            'api_key_location = "none"',
            f"timeouts.non_streaming.total_ms = {ATTEMPT_MS}",
            f"timeouts.streaming.ttft_ms = {ATTEMPT_MS}",
        ]
    return "\n".join(lines) + "\n"


class TensorZero:
    """Its fallback in fixed order, without retries."""

    name = "TensorZero embedded"

    def __init__(self, urls: Sequence[str]) -> None:
        self.gateway = tensorzero_gateway(urls)

    async def ask(self, prompt: str) -> str | None:
        answer = await self._asked(prompt)
        return "".join([piece.text for piece in answer.content])

    async def listen(self, prompt: str) -> str:
        pieces = await self._asked(prompt, stream=True)
        return "".join([part.text async for piece in pieces for part in piece.content])

    async def _asked(self, prompt: str, **options: Any) -> Any:
        return await self.gateway.inference(
            model_name="m", input={"messages": [{"role": "user", "content": prompt}]}, **options
        )

    async def close(self) -> None:
        await self.gateway.close()
