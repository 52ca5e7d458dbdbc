"""The cache as the model guide shows it."""

from orchestrator import Model
from orchestrator.core.cache import ModelCache


class Answering(Model):
    """A model that counts how often it is asked."""

    asked = 0

    async def generate_response(self, prompt, **kwargs):
        self.asked += 1
        return "Artificial intelligence."

    async def health_check(self):
        return True


async def test_a_model_with_a_cache():
    """S4 lines 295-319: the second identical call is a hit; where no Redis answers, memory does."""
    model = Answering(name="m", provider="custom")
    cache = ModelCache(
        backend="redis",
        ttl=3600,  # 1 hour
        max_size=10000,
        compression=True,
        port=1,  # nobody listens there
    )
    model.enable_caching(cache)

    response1 = await model.generate_response("What is AI?")
    response2 = await model.generate_response("What is AI?")

    stats = cache.get_statistics()
    assert f"Cache hit rate: {stats.hit_rate:.2%}" == "Cache hit rate: 50.00%"
    assert response1.text == response2.text
    assert (response2.cached, model.asked) == ("memory", 1)
    await cache.close()
