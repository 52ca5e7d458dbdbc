"""A registry that outlives its process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import Model, ModelCapabilities, ModelInfo, ModelRegistry, OpenAIModel
from orchestrator.errors import DuplicateModelError
from orchestrator.models.storage import StorageError
from orchestrator.models.storage.record import info_of, text_of


@pytest.fixture(params=["models.json", "models.sqlite"])
def path(request, tmp_path):
    """Where the registry is kept."""
    return tmp_path / request.param


def stored(path):
    """The ids that a new registry reads from there."""
    return list(ModelRegistry(storage_path=path))


def test_what_is_registered_is_there_the_next_time(path):
    """Registered, assigned, replaced and removed: each change is kept at once."""
    registry = ModelRegistry(storage_path=str(path))
    registry.register_model(ModelInfo(id="openai/gpt-4o", context_window=128_000, cost={"input": 2.5, "output": 10}))
    registry["mine"] = {"provider": "custom", "tags": {"a"}, "custom_metadata": {"scores": {"mmlu": 0.7}}}
    registry["gone"] = {"provider": "custom"}
    del registry["gone"]
    again = ModelRegistry(storage_path=path)
    assert list(again) == ["openai/gpt-4o", "mine"]
    assert isinstance(again["openai/gpt-4o"], OpenAIModel)
    assert again["openai/gpt-4o"].info == registry["openai/gpt-4o"].info
    assert again["mine"].custom_metadata == {"scores": {"mmlu": 0.7}}


def test_a_key_of_the_users_choice_is_kept(path):
    """The id in the registry and the provider's name for the model stay two things."""
    registry = ModelRegistry(storage_path=path)
    registry["fast"] = OpenAIModel(name="gpt-4o-mini")
    again = ModelRegistry(storage_path=path)
    assert (again["fast"].name, again["openai/gpt-4o-mini"].id) == ("gpt-4o-mini", "fast")


def test_an_edit_in_place_is_kept(path):
    """Tags and notes are plain sets and dicts; saving, and another registry that opens the place, write them."""
    registry = ModelRegistry(storage_path=path)
    registry["a"] = Model(id="a", provider="custom")
    registry["a"].tags.add("production")
    assert ModelRegistry(storage_path=path)["a"].tags == {"production"}
    registry["a"].custom_metadata["notes"] = "n"
    registry.save()
    assert ModelRegistry(storage_path=path)["a"].custom_metadata == {"notes": "n"}


async def test_leaving_the_registry_saves_it(path):
    """`async with` ends with everything written."""
    async with ModelRegistry(storage_path=path) as registry:
        registry["a"] = Model(id="a", provider="custom")
        registry["a"].tags.add("production")
    assert b"production" in path.read_bytes() + b"".join(one.read_bytes() for one in path.parent.glob("*-wal"))


def test_an_edit_of_a_registry_that_was_dropped_is_kept(path):
    """A registry that goes out of scope takes nothing with it."""

    def edit():
        registry = ModelRegistry(storage_path=path)
        registry["a"] = Model(id="a", provider="custom")
        registry["a"].tags.add("production")

    edit()
    assert ModelRegistry(storage_path=path)["a"].tags == {"production"}


def test_an_edit_at_the_end_of_the_process_is_kept(path):
    """The interpreter writes what is new before it leaves, also after a long burst of changes."""
    code = f"""
from orchestrator import Model, ModelRegistry
registry = ModelRegistry(storage_path={str(path)!r})
for number in range(200):
    registry[f"m{{number}}"] = Model(id=f"m{{number}}", provider="custom")
registry["m7"].tags.add("late")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    again = ModelRegistry(storage_path=path)
    assert (len(again), again["m7"].tags) == (200, {"late"})


def test_a_killed_process_leaves_a_whole_file(path):
    """Wherever the axe falls, what is there can be read, and what was acknowledged is in it."""
    code = f"""
from orchestrator import Model, ModelRegistry
registry = ModelRegistry(storage_path={str(path)!r})
for number in range(10**6):
    registry[f"m{{number}}"] = Model(id=f"m{{number}}", provider="custom")
    if number < 10:
        print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        seen = [int(process.stdout.readline()) for _ in range(10)]
        process.kill()
    assert {f"m{number}" for number in seen} <= set(stored(path))


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    """`~` is the user's home and no folder of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ModelRegistry(storage_path="~/.config/models.json")["a"] = {"provider": "custom"}
    assert stored(tmp_path / ".config" / "models.json") == ["a"]
    assert not Path("~").exists()


def test_json_is_made_for_people(tmp_path):
    """One field a line, in the order of the description, only what is known."""
    path = tmp_path / "models.json"
    ModelRegistry(storage_path=path)["a"] = {
        "provider": "openai",
        "tags": {"y", "x"},
        "capabilities": {"vision": False},
    }
    lines = [line.strip() for line in path.read_text().splitlines()]
    assert '"id": "a",' in lines
    assert '"tags": ["x", "y"]' in lines
    assert "null" not in path.read_text()
    assert json.loads(path.read_text())["models"][0]["capabilities"]["vision"] is False


def test_a_key_is_never_written(path):
    """What was given as a secret stays in memory."""
    registry = ModelRegistry(storage_path=path)
    registry.register_model(ModelInfo(id="openai/gpt-4o", api_key="sk-canary-0123456789"))
    registry["b"] = OpenAIModel(name="gpt-4o", api_key="sk-canary-0123456789")
    registry.save()
    assert not any(b"canary" in one.read_bytes() for one in path.parent.iterdir())


def test_a_program_that_registers_its_models_runs_twice(path):
    """What was only read from storage is no duplicate; its tags and notes pass to the model that takes its place."""
    first = ModelRegistry(storage_path=path)
    first.register_model(OpenAIModel(name="gpt-4o"))
    first["openai/gpt-4o"].tags.add("production")
    second = ModelRegistry(storage_path=path)
    model = OpenAIModel(name="gpt-4o")
    second.register_model(model)
    assert second["openai/gpt-4o"] is model
    assert model.tags == {"production"}
    with pytest.raises(DuplicateModelError, match="already registered"):
        second.register_model(OpenAIModel(name="gpt-4o"))


def test_what_cannot_be_stored_is_refused_before_it_is_there(path):
    """Neither the registry nor the file has half of it."""
    registry = ModelRegistry(storage_path=path)
    registry["a"] = {"provider": "custom"}
    with pytest.raises(StorageError, match=r"'b' cannot be stored"):
        registry["b"] = {"provider": "custom", "custom_metadata": {"score": float("nan")}}
    assert list(registry) == stored(path) == ["a"]


def test_a_record_that_was_edited_wrongly_is_named(path):
    """Which model, which key, and what was probably meant; the file stays as it is."""
    ModelRegistry(storage_path=path)["a"] = {"provider": "custom", "context_window": 8192}
    if path.suffix == ".json":
        path.write_text(path.read_text().replace("context_window", "contxt_window"))
    else:
        import sqlite3

        connection = sqlite3.connect(path)
        connection.execute("UPDATE models SET record = replace(record, 'context_window', 'contxt_window')")
        connection.commit()
        connection.close()
    with pytest.raises(StorageError, match=r"'a', key 'contxt_window'.*did you mean 'context_window'"):
        ModelRegistry(storage_path=path)
    assert path.exists()


def test_many_at_once_are_all_or_nothing(path):
    """A bulk registration with one bad entry, or one id that is taken, adds none."""
    registry = ModelRegistry(storage_path=path)
    registry["taken"] = {"provider": "custom"}
    for bad in ({"id": "taken", "provider": "custom"}, {"id": "x", "provider": "custom", "no_such": 1}):
        with pytest.raises(ValueError, match=r"already registered|no_such"):
            registry.register_models([{"id": "new", "provider": "custom"}, bad])
        assert list(registry) == ["taken"]
    registry.update({"new": {"provider": "custom"}}, other={"provider": "custom"})
    assert stored(path) == ["taken", "new", "other"]


def test_many_at_once_are_written_once(tmp_path):
    """A store sees one write for a thousand models, and one table serves the selector."""

    class Counting:
        place = "memory"
        writes = 0

        def read(self):
            return {}

        def write(self, records, *, changed, gone):
            self.writes += 1
            self.held = records

    store = Counting()
    registry = ModelRegistry(storage_path=store)
    registry.register_models(ModelInfo(id=f"m{number}", provider="custom") for number in range(1_000))
    assert (store.writes, len(store.held)) == (1, 1_000)
    assert len(registry.selector.statistics()) == 1_000
    assert registry.selector.slate(["m0", "m999"]).rows.tolist() == [0, 999]


def test_a_long_burst_does_not_write_everything_each_time(tmp_path):
    """Two thousand single registrations are gathered into few writes; saving completes them."""
    path = tmp_path / "models.json"
    registry = ModelRegistry(storage_path=path)
    written = []
    keeper = registry._keeper
    write = keeper._store.write
    keeper._store.write = lambda records, **changes: (written.append(len(records)), write(records, **changes))
    for number in range(2_000):
        registry[f"m{number}"] = {"provider": "custom"}
    registry.save()
    assert written[-1] == 2_000
    assert len(written) < 200
    assert len(stored(path)) == 2_000


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
prices = st.floats(0, 900)
infos = st.builds(
    ModelInfo,
    id=names,
    provider=st.sampled_from(["openai", "custom"]),
    name=names,
    aliases=st.lists(names, max_size=2).map(tuple),
    context_window=st.none() | st.integers(1, 10**7),
    is_local=st.booleans(),
    capabilities=st.dictionaries(st.sampled_from(["vision", "audio", "own_flag"]), st.booleans()).map(
        lambda flags: ModelCapabilities(**flags)
    ),
    constraints=st.fixed_dictionaries({}, optional={"max_requests_per_minute": st.floats(1, 1e6)}),
    cost=st.none() | st.fixed_dictionaries(
        {"input": prices},
        optional={
            "output": prices,
            "per_request": prices,
            "tiers": st.just([{"above_tokens": 10, "input": 1}]),
            "changes": st.just([{"cost": {"input": 1}, "from_date": "2026-01-01", "hours": ["16:30", "00:30"]}]),
            "batch": st.just({"input": 0.5}),
        },
    ),
    tags=st.sets(names, max_size=3),
    deprecation_date=st.none() | st.dates(),
    custom_metadata=st.dictionaries(names, plain, max_size=3),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(infos)
def test_a_description_survives_its_record(info):
    """Whatever can be said about a model is the same after writing and reading."""
    again = info_of(json.loads(text_of(info)), place="here")
    assert again == info
    assert again.capabilities.model_fields_set == info.capabilities.model_fields_set
