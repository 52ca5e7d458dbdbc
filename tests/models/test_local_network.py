"""When nobody can be reached the fault is ours: no model is blamed, and it ends by itself."""

import pytest

from orchestrator.errors import ProviderConnectionError, RateLimitError, ServerError
from orchestrator.integrations import AnthropicModel, OpenAIModel
from orchestrator.integrations.transport import close_sessions
from orchestrator.models.model_registry import ModelRegistry
from orchestrator.testing import EmulatedModel, Emulator

UNREACHABLE = ProviderConnectionError("no route")


async def ask(registry, model_id=None):
    """One request, whatever comes of it; with an id, to this very model."""
    try:
        if model_id is not None:
            await registry[model_id].generate_response("hi", max_attempts=1)
        else:
            await registry.generate_response("hi")
    except (ProviderConnectionError, ServerError, RateLimitError):
        return


@pytest.fixture
def registry(fake_clock, scripted):
    """Two providers with two models each, all of which were asked already."""
    registry = ModelRegistry(clock=fake_clock, seed=0)
    for name in ("p1", "p2", "q1", "q2"):
        registry.register_model(scripted(name, ["ok"], provider=name[0]))
    return registry


@pytest.fixture
async def used(registry):
    """All four have answered once."""
    for name in registry:
        await registry[name].generate_response("hi")
    return registry


def statuses(registry):
    """How everybody is."""
    return [found.status for found in registry.health.snapshot()]


async def test_nobody_is_blamed_when_no_provider_can_be_reached(used, caplog):
    """Ten requests fail everywhere; health says why, once in the log, and all are back with the network."""
    for model in used.values():
        model.steps.extend([UNREACHABLE] * 40)
    for _ in range(10):
        await ask(used)
        await used.clock.advance(1)
    assert statuses(used) == ["healthy"] * 4
    assert used.health.issues == ["local network: no provider can be reached"]
    assert (await used.get_model_health("p1")).issues == used.health.issues
    assert caplog.text.count("the local network seems to be down") == 1
    for model in used.values():
        model.steps.clear()
    assert (await used.generate_response("hi")).text
    assert used.health.issues == []


async def test_what_was_held_against_them_before_it_was_known_is_taken_back(used):
    """Three failures have taken one model out; a second later the other provider cannot be reached either."""
    for name in ("p1", "q1"):
        used[name].steps.extend([UNREACHABLE] * 9)
    for _ in range(3):
        await ask(used, "p1")
    assert statuses(used) == ["unhealthy", "healthy", "healthy", "healthy"]
    await used.clock.advance(1)
    await ask(used, "q1")
    assert statuses(used) == ["healthy"] * 4
    assert used.health.status_of(used["p1"]).failures == 0
    assert used.health._of(used["p1"]).doublings == 0


async def test_a_single_provider_that_is_gone_is_to_blame(used):
    """The other one answers in between."""
    used["p1"].steps.extend([UNREACHABLE] * 9)
    for _ in range(3):
        await ask(used, "p1")
        await ask(used, "q1")
    assert statuses(used) == ["unhealthy", "healthy", "healthy", "healthy"]
    assert used.health.issues == []


async def test_failures_that_lie_apart_have_nothing_to_do_with_each_other(used):
    """More than two seconds between them."""
    for name in ("p1", "q1"):
        used[name].steps.extend([UNREACHABLE] * 9)
        for _ in range(3):
            await ask(used, name)
        await used.clock.advance(2.5)
    assert statuses(used) == ["unhealthy", "healthy", "unhealthy", "healthy"]


@pytest.mark.parametrize("answer", [ServerError("x", status=500), RateLimitError("x", status=429), "fine"])
async def test_any_answer_shows_that_the_network_works(used, answer):
    """A refusal is an answer too: what fails afterwards is their own affair."""
    used["p1"].steps.append(UNREACHABLE)
    used["p2"].steps.append(answer)
    used["q1"].steps.append(UNREACHABLE)
    for name in ("p1", "p2", "q1"):
        await ask(used, name)
    assert used.health.issues == []


async def test_models_on_this_machine_prove_nothing(fake_clock, scripted):
    """A local model answers without any network; and its own failures are its own."""
    registry = ModelRegistry(clock=fake_clock, seed=0)
    registry.register_model(scripted("l", is_local=True, provider="l"))
    for name in "pq":
        registry.register_model(scripted(name, [UNREACHABLE], provider=name))
    await ask(registry, "p")
    await ask(registry, "l")
    await ask(registry, "q")
    assert registry.health.issues == ["local network: no provider can be reached"]
    assert registry.health.status_of(registry["l"]).issues == []


async def test_of_one_provider_alone_every_model_must_be_out_of_reach(fake_clock, scripted):
    """Then it cannot be told whose fault it is, and nobody is set aside."""
    registry = ModelRegistry(clock=fake_clock, seed=0)
    for name in "ab":
        registry.register_model(scripted(name, [UNREACHABLE] * 9))
    for _ in range(3):
        await ask(registry)
    assert registry.health.issues == ["local network: no provider can be reached"]
    assert statuses(registry) == ["unknown"] * 2


async def test_over_real_sockets(unused_tcp_port):
    """Two providers at a closed port: the local network; one of them opens: it is over."""
    async with Emulator([EmulatedModel("m", provider="openai")]) as emulator:
        registry = ModelRegistry(seed=0)
        nowhere = f"http://127.0.0.1:{unused_tcp_port}/v1"
        registry.register_model(OpenAIModel(name="m", api_key="k", base_url=nowhere))
        registry.register_model(AnthropicModel(name="c", api_key="k", base_url=nowhere))
        for _ in range(5):
            await ask(registry)
        assert registry.health.issues == ["local network: no provider can be reached"]
        assert statuses(registry) == ["unknown", "unknown"]
        registry["openai/m"] = OpenAIModel(name="m", api_key="k", base_url=emulator.base_url("openai"))
        assert (await registry.generate_response("hi")).text
        assert registry.health.issues == []
        await close_sessions()
