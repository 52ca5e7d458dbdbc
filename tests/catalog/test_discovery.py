"""Many sources at once: none waits for another, none spoils another, and no good list is lost."""

import asyncio

import pytest

from orchestrator.catalog import (
    Discovery,
    DiscoveryError,
    DiscoveryWarning,
    ModelManager,
    ModelSource,
    OllamaSource,
    OpenRouterSource,
)
from orchestrator.core.model import Model, ModelInfo
from orchestrator.testing import FakeClock


class Listed(ModelSource):
    """Lists what it is told, and counts how often it was asked."""

    def __init__(self, *names):
        self.names, self.asked = names, 0

    def discover_models(self):
        self.asked += 1
        for name in self.names:
            if isinstance(name, Exception):
                raise name
            yield ModelInfo(id=f"house/{name}", provider="house", name=str(name))


class Stuck(ModelSource):
    """Never answers."""

    limit_s = 5.0

    async def fetch(self):
        await asyncio.Event().wait()


def names(finding):
    """The names found."""
    return [model.name for model in finding.models]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def discovery(clock):
    return Discovery(ttl_s=60, clock=clock)


async def test_a_broken_source_is_named_and_left_out(discovery, clock, desk):
    """One that raises, one that hangs, one that is not there: the others are heard all the same."""
    sources = {
        "good": Listed("a", "b"),
        "raises": Listed(RuntimeError("with a secret inside")),
        "hangs": Stuck(),
        "absent": OpenRouterSource(base_url=f"{desk.url}/nowhere"),
    }
    asked = asyncio.create_task(discovery.ask(sources))
    await clock.advance(0)
    await clock.advance(5)
    findings = await asked
    assert list(findings) == list(sources)
    assert names(findings["good"]) == ["a", "b"]
    assert findings["raises"].problem == "raises could not be asked: RuntimeError"
    assert findings["hangs"].problem == "hangs did not answer within 5 s"
    assert findings["absent"].problem.startswith("absent could not be asked: openrouter answered 404")
    assert [len(finding.models) for finding in findings.values()] == [2, 0, 0, 0]


async def test_sources_are_asked_side_by_side(clock):
    """Each waits until all have been asked, which one after the other they never would be."""
    everyone = asyncio.Barrier(3)

    class Meeting(ModelSource):
        async def discover_models(self):
            await everyone.wait()
            yield {"id": "house/m"}

    findings = await Discovery(clock=clock).ask({name: Meeting() for name in "abc"})
    assert [finding.problem for finding in findings.values()] == [None] * 3


async def test_no_more_are_asked_at_once_than_allowed():
    """The bound holds."""
    running = most = 0

    class Counted(ModelSource):
        async def discover_models(self):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            return []

    await Discovery(at_once=2).ask({str(number): Counted() for number in range(9)})
    assert most == 2


async def test_a_list_is_remembered_for_its_time(discovery, clock):
    """Asked once, answered twice; asked again when it is old, or when it has to be fresh."""
    source = {"house": Listed("a")}
    await discovery.ask(source)
    await clock.advance(59)
    finding = (await discovery.ask(source))["house"]
    assert (names(finding), finding.age_s, source["house"].asked) == (["a"], 59.0, 1)
    await discovery.ask(source, fresh=True)
    assert source["house"].asked == 2
    await clock.advance(60)
    await discovery.ask(source)
    assert source["house"].asked == 3


@pytest.mark.parametrize(
    ("now", "kept"),
    [((), True), (("a",), True), (("a", "b"), False), (("a", "b", "c", "d", "e"), False), ((OSError(),), True)],
    ids=["empty", "a quarter", "half", "grown", "failed"],
)
async def test_a_list_that_shrinks_by_more_than_half_keeps_the_earlier_one(now, kept, discovery):
    """A fault of the source must not empty anybody's catalogue; what happened is said."""
    source = Listed("a", "b", "c", "d")
    await discovery.ask({"house": source})
    source.names = now
    finding = (await discovery.ask({"house": source}, fresh=True))["house"]
    assert names(finding) == (["a", "b", "c", "d"] if kept else list(now))
    assert (finding.problem is not None) is kept
    if kept:
        assert "the earlier list of 4 stands" in finding.problem
        discovery.forget("house")
        assert len((await discovery.ask({"house": source}))["house"].models) < 2


async def test_what_came_and_what_went_is_told(discovery):
    """By id."""
    source = Listed("a", "b")
    await discovery.ask({"house": source})
    source.names = ("b", "c")
    finding = (await discovery.ask({"house": source}, fresh=True))["house"]
    assert (finding.new, finding.gone) == (("house/c",), ("house/a",))


# sources of one's own


class Coroutine(ModelSource):
    async def discover_models(self):
        return [{"id": "house/one"}, Model(id="house/two", provider="house")]


class AsyncGenerator(ModelSource):
    async def discover_models(self):
        yield {"id": "house/one"}
        yield Model(id="house/two", provider="house")


class Plain(ModelSource):
    def discover_models(self):
        return ({"id": name} for name in ("house/one", "house/two"))


@pytest.mark.parametrize("kind", [Coroutine, AsyncGenerator, Plain])
async def test_a_source_is_written_as_it_comes(kind, discovery):
    """Plain, as a coroutine or as an async generator; models, descriptions or mappings."""
    finding = (await discovery.ask({"mine": kind()}))["mine"]
    assert [model.id for model in finding.models] == ["house/one", "house/two"]


async def test_an_endless_source_is_cut():
    """A generator without an end is read as far as the bound."""

    class Endless(ModelSource):
        def discover_models(self):
            while True:
                yield None

    found = await Endless().fetch()
    assert found.dropped == {"beyond 100000 entries": 1, "no description": 100_000}


def test_a_source_without_a_list_is_refused():
    """At once, and with what to write."""

    class Empty(ModelSource):
        pass

    with pytest.raises(TypeError, match="discover_models"):
        Empty()


def test_code_that_cannot_await_asks_too(town):
    """The plain door gives models that can be called."""
    models = OllamaSource(town.base_url("ollama")).discover_models()
    assert [model.id for model in models][-1] == "ollama/llama2:7b"
    assert models[0]("What is 2 plus 2?").text


def test_the_manager_raises_where_there_is_nothing_to_go_by():
    """And warns where an earlier list stands."""
    source = Listed("a")
    manager = ModelManager(sources={"house": source})
    assert [model.id for model in manager.discover_from_source("house")] == ["house/a"]
    source.names = (RuntimeError(),)
    with pytest.warns(DiscoveryWarning, match="the earlier list of 1 stands"):
        assert [model.id for model in manager.discover_from_source("house", fresh=True)] == ["house/a"]
    with pytest.raises(DiscoveryError, match="other could not be asked"):
        ModelManager(sources={"other": source}).discover_from_source("other")
