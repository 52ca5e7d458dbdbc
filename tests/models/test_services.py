"""A service in front of a registry: its own terms for a call, the same engine behind it."""

import pytest

from orchestrator.models.configuring import configure
from orchestrator.models.service import ModelService
from orchestrator.models.usage import UsageService
from orchestrator.settings import load_settings


async def test_a_service_made_before_the_registry_was_set_up_serves_what_was_set_up(registry, scripted):
    """Whoever holds either holds the configured one, also where setting up has built another engine."""
    service = ModelService(registry)
    configure(registry, load_settings({"models": ["openai/gpt-4o"], "selector": "cost"}, environ={}))
    registry.register_model(scripted("a"))
    assert (await service.invoke_model_async("a", "hi")).text == "a says hello"
    assert registry.get_usage_summary("a").request_count == 1
    assert registry["a"].metrics.in_flight == 0


async def test_whoever_listens_before_the_registry_was_set_up_is_told_of_what_was_set_up(registry, scripted):
    """Telemetry may be turned on first; each is told once, and may leave as ever."""
    told = []

    class Watching:
        def began(self, passage):
            told.append("began")

        def ended(self, passage):
            told.append([attempt.model.id for attempt in passage.attempts])

    def subscriber(model, outcome):
        told.append("settled")

    observer = Watching()
    registry.observe(observer)
    registry.subscribe(subscriber)
    registry.watch(lambda model, request: told.append("leaves"))
    registry.watch_choices(lambda selection: told.append("chosen"))
    registry.health.subscribe(lambda model_id, old, new: told.append(new))
    configure(registry, load_settings({"selector": "cost"}, environ={}))
    registry.register_model(scripted("a"))
    await registry.generate_response("hi")
    registry.health.drain("a")
    assert told == ["began", "chosen", "leaves", "healthy", "settled", ["a"], "drained"]
    registry.unsubscribe(observer)
    registry.unsubscribe(subscriber)
    assert (registry.settlement.subscribers, tuple(registry.engine.observers)) == ((), ())


@pytest.mark.parametrize("bind", [lambda one: one.limit_tenant("acme", day_usd=1), lambda one: one.share("memory://")])
def test_what_was_bound_by_hand_outlasts_the_setting_up(registry, bind):
    """A limit on money or a place where processes meet is no less than a model: the parts that hold it stay."""
    bind(registry)
    before = registry.engine
    told = configure(registry, load_settings({"models": ["openai/gpt-4o"], "selector": "cost"}, environ={}))
    assert (told.added, told.at_next_start) == (("openai/gpt-4o",), ("selector",))
    assert registry.engine is before


async def test_who_observes_the_registry_sees_the_calls_of_every_service(registry, scripted):
    """One engine, one list of those who watch."""
    registry.register_model(scripted("a"))
    seen = []

    class Watching:
        def began(self, passage):
            seen.append("began")

        def ended(self, passage):
            seen.append([attempt.model.id for attempt in passage.attempts])

    registry.observe(Watching())
    await ModelService(registry).invoke_model_async("a", "hi")
    assert seen == ["began", ["a"]]


async def test_a_service_has_terms_of_its_own(registry, scripted):
    """One attempt through this door, three through the registry's."""
    model = registry.register_model(scripted("a", [ConnectionError("x")] * 9))
    with pytest.raises(Exception, match="'a' failed with ConnectionError"):
        await ModelService(registry, max_attempts=1).invoke_model_async("a", "hi")
    assert model.asked == 1
    with pytest.raises(ValueError, match="max_attempts=0: give a whole number above 0"):
        ModelService(registry, max_attempts=0)


async def test_usage_is_counted_elsewhere_also_once_the_registry_was_set_up(registry, scripted):
    """What counted for the whole registry counts for its next engine."""
    elsewhere = UsageService()
    service = ModelService(registry, elsewhere)
    configure(registry, load_settings({"selector": "cost"}, environ={}))
    registry.register_model(scripted("a"))
    await service.invoke_model_async("a", "hi")
    assert elsewhere.get_usage_summary("a").request_count == 1


async def test_usage_may_be_counted_elsewhere(registry, scripted):
    """By another service for usage, or by none."""
    registry.register_model(scripted("a"))
    elsewhere = UsageService()
    for usage in (elsewhere, None):
        await ModelService(registry, usage).invoke_model_async("a", "hi")
    assert elsewhere.get_usage_summary("a").request_count == 1
    assert registry.usage.get_usage_summary("a").request_count == 0
