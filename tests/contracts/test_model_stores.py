"""What every store of descriptions does, whatever it is made of."""

import os
import sqlite3

import pytest

from orchestrator.models.storage import JSONFile, SQLiteFile, StorageError, store_at
from orchestrator.testing.contracts import ModelStoreContract
from orchestrator.testing.contracts.model_store import records

KINDS = {"models.json": JSONFile, "models.sqlite": SQLiteFile}


@pytest.fixture(params=KINDS)
def path(request, tmp_path):
    """Where a store will be, in a folder that is not there yet."""
    return tmp_path / "deeper" / request.param


def test_the_path_decides_what_it_is(path):
    """A path that ends in .sqlite or .db is SQLite, any other JSON."""
    assert type(store_at(path)) is KINDS[path.name]
    assert type(store_at(str(path.with_suffix(".db")))) is SQLiteFile


class TestJSON(ModelStoreContract):
    """One file to read and edit."""

    make = staticmethod(lambda folder: JSONFile(folder / "models.json"))


class TestSQLite(ModelStoreContract):
    """For many."""

    make = staticmethod(lambda folder: SQLiteFile(folder / "models.sqlite"))


def test_what_a_later_release_wrote_is_refused_and_kept(path):
    """An unknown format is never read half, nor written over."""
    path.parent.mkdir()
    if path.suffix == ".json":
        path.write_text('{"format": 2, "models": []}')
    else:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version=2")
        connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"format 2.*upgrade"):
        store_at(path).read()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "garbage", [b"<html>no</html>", b'{"models": [{"id": "a"', b"\xff\xfe\x00" * 99, b"[" * 100_000]
)
def test_a_broken_file_is_set_aside(path, garbage):
    """What cannot be read is kept under another name, which the error tells; the next start begins afresh."""
    path.parent.mkdir()
    path.write_bytes(garbage)
    with pytest.raises(StorageError, match=r"corrupt-1"):
        store_at(path).read()
    assert path.with_name(f"{path.name}.corrupt-1").read_bytes() == garbage
    assert store_at(path).read() == {}


def test_an_unwritable_place_keeps_what_was_there(path, monkeypatch):
    """A failing write raises and leaves the old content whole, with no litter beside it."""
    store = store_at(path)
    store.write(records("a"), changed=["a"], gone=())

    def full(*_):
        raise OSError(28, "No space left on device")

    if path.suffix == ".json":
        monkeypatch.setattr(os, "fsync", full)
    else:
        blocker = sqlite3.connect(path)
        blocker.execute("PRAGMA busy_timeout=0")
        blocker.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("orchestrator.models.storage.sqlite_file._BUSY_S", 0)
    with pytest.raises(StorageError, match=r"kept"):
        store.write(records("a", "b"), changed=["b"], gone=())
    monkeypatch.undo()
    if path.suffix != ".json":
        blocker.close()
    assert list(store.read()) == ["a"]
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []


def test_a_file_that_somebody_else_changed_is_kept(tmp_path):
    """An edit by hand while the process runs is not written over: it is kept beside the file."""
    path = tmp_path / "models.json"
    store = store_at(path)
    store.write(records("a"), changed=["a"], gone=())
    path.write_text('{"models": [{"id": "by hand"}]}')
    store.write(records("a", "b"), changed=["b"], gone=())
    assert list(store.read()) == ["a", "b"]
    assert "by hand" in path.with_name("models.json.changed-1").read_text()


def test_a_link_stays_a_link(tmp_path):
    """The file behind a link is replaced, not the link."""
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    store_at(link).write(records("a"), changed=["a"], gone=())
    assert link.is_symlink()
    assert list(store_at(real).read()) == ["a"]


@pytest.mark.parametrize(
    "text", ["[]", '{"models": 5}', '{"models": [5]}', '{"models": [{}]}', '{"models": [{"id": "a"}, {"id": "a"}]}']
)
def test_json_of_another_shape_is_refused_and_stays(tmp_path, text):
    """Somebody's own JSON is neither read as a registry nor moved."""
    path = tmp_path / "models.json"
    path.write_text(text)
    with pytest.raises(StorageError, match=r"models\.json"):
        store_at(path).read()
    assert path.read_text() == text
