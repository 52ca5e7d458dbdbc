"""Many threads: readers take no lock, one instance a model, nobody sees half a change."""

import threading
from concurrent.futures import ThreadPoolExecutor

from orchestrator.core.model import Model
from orchestrator.models.model_registry import ModelRegistry, default_registry

THREADS = 20


def together(work, count=THREADS):
    """Run the work in many threads that start at the same moment; their results."""
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_racing_threads_get_one_instance():
    """Twenty threads ask for a model that nobody has made yet: one object."""
    registry = ModelRegistry()
    models = together(lambda number: registry.get_model("gpt-4"))
    assert len(set(map(id, models))) == 1
    assert list(registry) == ["openai/gpt-4"]


def test_racing_threads_share_one_process_wide_registry():
    """The default registry is made once."""
    assert len({id(registry) for registry in together(lambda number: default_registry())}) == 1


def test_one_of_many_registrations_wins():
    """Exactly one thread registers an id; the others are told that it is taken."""
    registry = ModelRegistry()

    def register(number):
        try:
            return registry.register_model(Model(id="a", provider="x"))
        except ValueError:
            return None

    winners = [model for model in together(register) if model is not None]
    assert winners == [registry["a"]]


def test_no_write_is_lost():
    """Writers in many threads end with all their models."""
    registry = ModelRegistry()
    together(lambda number: [registry.register_model(Model(id=f"{number}-{i}", provider="x")) for i in range(20)])
    assert len(registry) == THREADS * 20


def test_readers_never_see_half_a_change():
    """While one thread replaces and removes models, others read, iterate and choose without an error."""
    registry = ModelRegistry()

    class Answering(Model):
        async def generate_response(self, prompt, **kwargs):
            return prompt

    registry.register_model(Answering(id="stays", provider="x"))
    done = threading.Event()

    def work(number):
        if number == 0:
            for i in range(150):
                registry[f"m{i % 7}"] = Answering(id=f"m{i % 7}", provider="x")
                registry.pop(f"m{(i + 3) % 7}", None)
            done.set()
            return 0
        reads = 0
        while not done.is_set() or not reads:
            assert registry["stays"].id == "stays"
            assert all(key == model.id for key, model in registry.items())
            assert registry.select().model_id
            reads += 1
        return reads

    assert all(together(work, 4)[1:])
