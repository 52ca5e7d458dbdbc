"""The limits a model's owner has set are kept before anything is sent."""

import asyncio

import pytest

from orchestrator.core.model import Model
from orchestrator.core.replies import Embeddings
from orchestrator.core.usage import UsageStats
from orchestrator.errors import CapacityError


async def test_calls_in_flight_are_limited(registry, scripted):
    """The third of three concurrent calls goes elsewhere, and back when there is room."""
    gate = asyncio.Event()
    limited = registry.register_model(scripted("a", [gate.wait] * 2, constraints={"max_concurrent_requests": 2}))
    calls = [asyncio.create_task(limited.generate_response("hi")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CapacityError, match="'a' is at its limits") as caught:
        await limited.generate_response("hi")
    assert caught.value.retry_after_s > 0
    registry.register_model(scripted("b"))
    assert (await registry.generate_response("hi")).model_id == "b"
    gate.set()
    await asyncio.gather(*calls)
    assert (await limited.generate_response("hi")).text == "a says hello"
    assert limited.asked == 3


async def test_requests_a_minute_are_limited_and_flow_back(registry, scripted):
    """Two a minute: the third waits half a minute, and the error says so."""
    model = registry.register_model(scripted("a", constraints={"max_requests_per_minute": 2}))
    for _ in range(2):
        await model.generate_response("hi")
    with pytest.raises(CapacityError) as caught:
        await model.generate_response("hi")
    assert caught.value.retry_after_s == pytest.approx(30)
    await registry.clock.advance(30)
    await model.generate_response("hi")
    assert model.asked == 3


@pytest.mark.parametrize("door", ["model", "registry"])
async def test_tokens_a_minute_are_limited(registry, scripted, door):
    """What the prompt and the allowed answer may take is counted before the call."""
    model = registry.register_model(scripted("a", constraints={"max_tokens_per_minute": 100}))
    ask = model.generate_response if door == "model" else registry.generate_response
    await ask("hi", max_tokens=90)
    with pytest.raises(CapacityError):
        await ask("hi", max_tokens=90)
    assert model.asked == 1


class Embedder(Model):
    """Says what its texts came to; answers when it is let."""

    def __init__(self, tokens, gate=None, **facts):
        super().__init__(**{"id": "a", "provider": "custom", **facts})
        self.tokens, self.gate, self.asked = tokens, gate, 0

    async def send_embeddings(self, texts, params):
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        return Embeddings([[1.0]] * len(texts), usage=UsageStats(prompt_tokens=self.tokens))


async def test_tokens_of_embeddings_are_owed_where_they_were_more_than_expected(registry):
    """What was set aside for them is settled to the real count."""
    model = registry.register_model(Embedder(150, constraints={"max_tokens_per_minute": 100}))
    await model.embed(["a long text"])
    assert registry.admission.snapshot()[0].tokens_left == pytest.approx(-50)
    with pytest.raises(CapacityError):
        await model.embed(["another"])


async def test_many_embeddings_at_once_stay_within_the_tokens(registry):
    """An estimate of every text is set aside before the call leaves, as for any prompt; what was too much goes back."""
    gate = asyncio.Event()
    model = registry.register_model(Embedder(20, gate, constraints={"max_tokens_per_minute": 100}))
    texts = ["four words of text " * 3] * 2  # 32 tokens, estimated
    calls = [asyncio.create_task(model.embed(texts)) for _ in range(10)]
    for _ in range(20):
        await asyncio.sleep(0)
    gate.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert model.asked == 3
    assert sum(isinstance(one, CapacityError) for one in found) == 7
    assert registry.admission.snapshot()[0].tokens_left == pytest.approx(100 - 3 * 20)


async def test_a_refused_call_does_not_use_up_the_other_limit(registry, scripted):
    """When the tokens are short, the request is given back."""
    limits = {"max_tokens_per_minute": 100, "max_requests_per_minute": 2}
    model = registry.register_model(scripted("a", constraints=limits))
    await model.generate_response("hi", max_tokens=90)
    for _ in range(5):
        with pytest.raises(CapacityError):
            await model.generate_response("hi", max_tokens=90)
    await model.generate_response("hi")
    assert model.asked == 2


async def test_when_all_are_at_their_limits_the_soonest_is_told(registry, scripted):
    """The caller learns when it is worth coming back."""
    for name, per_minute in (("a", 1), ("b", 4)):
        registry.register_model(scripted(name, constraints={"max_requests_per_minute": per_minute}))
    for _ in range(5):
        await registry.generate_response("hi")
    with pytest.raises(CapacityError, match="all 2 fitting models") as caught:
        await registry.generate_response("hi")
    assert caught.value.retry_after_s == pytest.approx(15)
