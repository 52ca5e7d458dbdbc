"""What an operator does by hand, and what several processes tell each other."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.model import Model
from orchestrator.errors import AuthenticationError, ConfigurationError, ModelNotFoundError, NoEligibleModelsError
from orchestrator.models.health_monitor import ModelHealthMonitor
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import FakeClock


async def test_a_drained_model_is_left_alone_even_in_an_emergency(registry, three):
    """Until it is restored; what it was before, it is again."""
    registry.health.drain("a")
    assert {(await registry.generate_response("hi")).model_id for _ in range(9)} == {"b", "c"}
    for name in "bc":
        registry.health.drain(name)
    with pytest.raises(NoEligibleModelsError, match="a: drained by hand; restore it"):
        await registry.generate_response("hi")
    registry.health.restore("a")
    assert (await registry.generate_response("hi")).model_id == "a"
    assert [found.status for found in registry.health.snapshot()] == ["healthy", "drained", "drained"]
    assert not registry.health.snapshot()[1].healthy


async def test_a_model_in_another_s_place_is_drained_as_that_was(registry, three):
    """New settings restore nobody; who leaves and comes again begins anew."""
    registry.health.drain("a")
    registry["a"] = registry["a"].info
    assert registry.health.drained == {"a"}
    info = registry["a"].info
    del registry["a"]
    assert registry.health.drained == set()
    registry["a"] = info
    assert registry.health.status_of(registry["a"]).status == "unknown"


async def test_restoring_ends_an_outage_with_a_trial(registry, three):
    """The cool-down is over, the caution is not."""
    registry.health._of(three[0]).take_out(0.0, "server")
    registry.health.restore("a")
    assert registry.health.status_of(three[0]).status == "recovering"
    registry.health.begin(three[0])
    assert registry.health.probing(three[0])


async def test_a_reset_forgets_everything(registry, three):
    """Also the doublings, and what the key was refused for."""
    registry.health._of(three[0]).take_out(0.0, "server")
    three[1].steps.append(AuthenticationError("x"))
    with pytest.raises(AuthenticationError):
        await three[1].generate_response("hi")
    for name in "ab":
        registry.health.reset(name)
    assert [found.status for found in registry.health.snapshot()] == ["unknown"] * 3
    assert registry.health._keys.refused == {}


async def test_every_act_is_told(registry, three):
    """Before and after, as for any other change."""
    changes = []
    registry.health.subscribe(lambda *change: changes.append(change))
    registry.health.drain("a")
    registry.health.drain("a")
    registry.health.restore("a")
    await registry.health.probe("a")
    registry.health.reset("a")
    assert changes == [
        ("a", "unknown", "drained"), ("a", "drained", "unknown"), ("a", "unknown", "healthy"), ("a", "healthy", "unknown"),
    ]  # fmt: skip


def test_an_id_that_nobody_watches_is_named_with_its_like(registry, three):
    """Nothing is made up for a misspelt name."""
    with pytest.raises(ModelNotFoundError, match="no model 'aa' is watched; did you mean 'a'"):
        registry.health.drain("aa")


@pytest.mark.parametrize(
    "options",
    [{"on_all_down": "hope"}, {"parallel": 0}, {"probe_limit_s": -1}, {"ramp_s": math.nan}, {"slow_call_s": 0}],
)
def test_settings_that_make_no_sense_are_refused_by_name(options):
    """With the value and what is accepted."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        ModelHealthMonitor(**options)


class Keyed(Model):
    """A model with a key of that name."""

    key_id = "k"

    async def generate_response(self, prompt, **params):
        return "ok"


def process(now_s=0.0, date_s=1_000_000.0):
    """Two models behind one key, in a process of its own with a clock of its own."""
    registry = ModelRegistry(clock=FakeClock(start_s=now_s, date_s=date_s), seed=0)
    for name in "ab":
        registry.register_model(Keyed(id=name, provider="p"))
    return registry


def told(registry):
    """The state as it arrives elsewhere."""
    return json.loads(json.dumps(registry.health.to_state()))


def test_a_cool_down_is_known_to_all_processes():
    """Their clocks begin elsewhere; the moment is the same."""
    one, other = process(), process(now_s=5_000.0)
    one.health._of(one["a"]).take_out(0.0, "server")
    changes = []
    other.health.subscribe(lambda *change: changes.append(change))
    other.health.merge_state(told(one))
    here, there = one.health.status_of(one["a"]), other.health.status_of(other["a"])
    assert (there.status, there.reason) == ("unhealthy", "server")
    assert there.returns_in_s == pytest.approx(here.returns_in_s)
    assert changes == [("a", "unknown", "unhealthy")]
    assert {one.model_id: one.refused is None for one in other.select().candidates} == {"a": False, "b": True}


def test_a_refused_key_is_known_to_all_processes():
    """With all of its models."""
    one, other = process(), process()
    one.health._keys.record(one["a"]).take_out(0.0, "authentication")
    other.health.merge_state(told(one))
    assert [found.status for found in other.health.snapshot()] == ["unhealthy"] * 2


@given(ends_s=st.lists(st.floats(0.1, 3000), min_size=1, max_size=6), order=st.randoms())
def test_of_several_ends_the_latest_holds_in_whatever_order_they_come(ends_s, order):
    """Merging is the maximum: it may be repeated, reordered and told back."""
    other, states = process(), []
    for end_s in ends_s:
        one = process()
        one.health._of(one["a"]).hold(0.0, "rate_limit", end_s)
        states.append(told(one))
    order.shuffle(states)
    for state in [*states, *states, told(other)]:
        other.health.merge_state(state)
    assert other.health.status_of(other["a"]).returns_in_s == pytest.approx(max(ends_s))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["a", "p\nk", "status", "until", "reason", "doublings"]), inner, max_size=4
            )
        ),
        max_leaves=8,
    )
)
def test_whatever_comes_from_elsewhere_harms_nobody(nonsense):
    """At worst a model is out for an hour."""
    registry = process()
    registry.health.merge_state({"models": nonsense, "keys": nonsense})
    registry.health.merge_state({"models": {"a": {"status": "unhealthy", "until": nonsense, "doublings": nonsense}}})
    for found in registry.health.snapshot():
        assert found.returns_in_s is None or 0 < found.returns_in_s <= 3600


def test_a_date_that_is_wrong_by_a_day_keeps_nobody_out_for_more_than_an_hour():
    """Nor is the own word touched by it."""
    one, other = process(date_s=1_086_400.0), process()
    one.health._of(one["a"]).take_out(0.0, "server")
    other.health.merge_state(told(one))
    assert other.health.status_of(other["a"]).returns_in_s == 3600
    one.health.merge_state(told(process()))
    assert one.health.status_of(one["a"]).returns_in_s < 7
