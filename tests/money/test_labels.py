"""Who is charged: tenant and tags travel from the call to the totals, and no further."""

import pytest

from orchestrator.core.messages import Embeddings, Request, UsageStats
from orchestrator.models.model_registry import ModelRegistry


@pytest.mark.parametrize(
    ("given", "kept"), [("chat", ("chat",)), (["b", "a", "b"], ("a", "b")), (None, ()), ((), ())], ids=str
)
def test_tags_are_words_in_order_and_once_each(given, kept):
    """However they are given; they are no parameter of the provider's."""
    request = Request.of("hi", usage_tags=given, temperature=0)
    assert (request.usage_tags, request.params) == (kept, {"temperature": 0})


@pytest.mark.parametrize(
    "given", [[1], [""], ["x" * 65], [f"t{n}" for n in range(17)]], ids=["number", "empty", "long", "many"]
)
def test_tags_that_are_none_are_refused(given):
    """Before anything is sent."""
    with pytest.raises(TypeError, match="usage_tags"):
        Request.of("hi", usage_tags=given)


async def test_a_call_is_counted_for_its_tenant_and_tags(fake_clock, priced):
    """Whole and streamed, chosen and pinned."""
    registry = ModelRegistry(clock=fake_clock, seed=0)
    registry.register_model(priced("a", tokens=1_000_000))
    labels = {"tenant": "acme", "usage_tags": ["chat", "beta"]}
    await registry.generate_response("hi", **labels)
    await registry.invoke_model_async("a", "hi", **labels)
    async for _ in registry.stream_response("hi", **labels):
        pass
    assert [(row["tenant"], row["tag"], row["cost_usd"]) for row in registry.usage.report(["tenant", "tag"]).rows] == [
        ("acme", "beta", 3.0),
        ("acme", "chat", 3.0),
    ]


@pytest.mark.parametrize("cached", [False, True])
async def test_embeddings_are_counted_for_their_tenant_too(fake_clock, priced, cached):
    """With its tags, and the provider sees neither."""
    seen = []

    class Vectors(priced):
        async def send_embeddings(self, texts, params):
            seen.append(params)
            return Embeddings([[1.0]] * len(texts), usage=UsageStats(1_000_000, 0))

    registry = ModelRegistry(clock=fake_clock, seed=0, cache_responses=cached)
    model = registry.register_model(Vectors("a"))
    await model.embed(["hi"], tenant="acme", usage_tags="search")
    (row,) = registry.usage.report(["tenant", "tag"]).rows
    assert (row["tenant"], row["tag"], row["cost_usd"], seen) == ("acme", "search", 1.0, [{}])
    await registry.cleanup()
