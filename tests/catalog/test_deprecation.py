"""A model that its provider withdraws is offered with a warning until the day, and refused from it on."""

import warnings

import pytest

from orchestrator.core.model import Model
from orchestrator.errors import NoEligibleModelsError
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.roster.deprecation import DeprecatedModelWarning
from orchestrator.testing import FakeClock

DAY_S = 86_400


class Old(Model):
    """Withdrawn on the third of January; the clock starts on the first."""

    def __init__(self, name="old", day="2026-01-03"):
        super().__init__(name=name, provider="custom", deprecation_date=day)

    async def generate_response(self, prompt, **params):
        return "as ever"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def registry(clock):
    registry = ModelRegistry(clock=clock)
    registry.register_model(Old())
    return registry


async def test_it_is_chosen_with_a_warning_until_the_day_and_refused_after(registry, clock):
    """The warning comes once and names the day; the refusal says since when."""
    with pytest.warns(DeprecatedModelWarning, match="will not be chosen from 2026-01-03 on"):
        assert registry.select().model_id == "custom/old"
    await clock.advance(2 * DAY_S - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.select().model_id == "custom/old"
    await clock.advance(1)
    with pytest.raises(NoEligibleModelsError) as caught:
        registry.select()
    assert caught.value.reasons == {"custom/old": "deprecated: withdrawn since 2026-01-03"}


async def test_its_successor_takes_over_by_itself(registry, clock):
    """From midnight on, without anybody touching the registry."""
    registry.register_model(Old("new", None))
    with pytest.warns(DeprecatedModelWarning):
        assert registry.select(exclude_models=["custom/new"]).model_id == "custom/old"
    await clock.advance(2 * DAY_S)
    assert {registry.select().model_id for _ in range(5)} == {"custom/new"}


def test_versions_and_aliases_are_looked_up():
    """The alias leads to the model, the version picks among several."""
    registry = ModelRegistry()
    registry["a-1"] = {"provider": "x", "name": "a-1", "version": "1", "aliases": ["a-old"]}
    registry["a-2"] = {"provider": "x", "name": "a-2", "version": "2", "aliases": ["a"]}
    assert registry["a"].id == "a-2"
    assert registry.list_models(version="1") == ["a-1"]
    assert registry.list_models(query={"version": {"$gt": "1"}}) == ["a-2"]
