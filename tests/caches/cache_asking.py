"""What the tests of the cache ask with: a model, requests, and an upstream that counts."""

import asyncio

from orchestrator.core.messages import ChatResponse, UsageStats
from orchestrator.core.model import Model

WAY_OUT = {"jitter": 0.0}  # lives of exactly the ttl, where a test looks at the edge


class Echo(Model):
    """A model that says what it is asked."""

    def __init__(self, name="echo", provider="custom", **facts):
        super().__init__(name=name, provider=provider, **facts)

    async def generate_response(self, prompt, **params):
        return str(prompt)

    async def health_check(self):
        return True


class Upstream:
    """Answers like a provider and counts how often it was asked; `held` keeps it from answering until released."""

    def __init__(self, text="Paris", *, error=None, held=False, **facts):
        self.calls = 0
        self.error = error
        self.gate = asyncio.Event()
        self.text = text
        self.facts = {
            "usage": UsageStats(12, 3, cost_usd=0.25),
            "latency_s": 2.0,
            "model_id": "custom/echo",
            "id": "r-1",
            **facts,
        }
        if not held:
            self.gate.set()

    async def __call__(self):
        self.calls += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return ChatResponse(self.text, **self.facts)


async def turns(number=5):
    """Let every task run as far as it can."""
    for _ in range(number):
        await asyncio.sleep(0)
