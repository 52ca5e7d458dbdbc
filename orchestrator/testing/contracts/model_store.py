"""What every store of model descriptions promises, as tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestrator.models.model_registry import ModelRegistry
from orchestrator.models.storage import ModelStore

__all__ = ["ModelStoreContract", "records"]


def records(*ids: str, **facts: Any) -> dict[str, str]:
    """Records as the registry writes them."""
    return {one: json.dumps({"id": one, **facts}) for one in ids}


class ModelStoreContract:
    """The suite for a store: `make(folder)` returns a new one over the same place, which is empty at first.

    A store that is no file may use the folder's name as that of its place.

    >>> from orchestrator.models.storage import JSONFile
    >>> class TestJSON(ModelStoreContract):
    ...     make = staticmethod(lambda folder: JSONFile(folder / "models.json"))
    """

    make: ClassVar[Callable[..., ModelStore]]

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder that is not there yet."""
        return tmp_path / "deeper"

    def test_nothing_written_reads_as_nothing(self, folder: Path) -> None:
        """A place where nothing was ever written is empty, and reading does not make it."""
        assert self.make(folder).read() == {}
        assert not folder.exists()

    def test_what_is_written_is_read_in_its_order(self, folder: Path) -> None:
        """Ids, facts and order survive, and another object reads them too."""
        self.make(folder).write(records("b", "a", note="ü"), changed=["b", "a"], gone=())
        found = list(self.make(folder).read().items())
        assert found == [("b", {"id": "b", "note": "ü"}), ("a", {"id": "a", "note": "ü"})]

    def test_a_later_write_changes_and_removes(self, folder: Path) -> None:
        """A changed record keeps its place, a gone one is gone."""
        store = self.make(folder)
        store.write(records("a", "b", "c"), changed=["a", "b", "c"], gone=())
        later = {**records("a", note=1), **records("c")}
        store.write(later, changed=["a"], gone=["b"])
        assert store.read() == {"a": {"id": "a", "note": 1}, "c": {"id": "c"}}

    def test_it_names_its_place(self, folder: Path) -> None:
        """Messages tell where to look; two stores of one place say the same."""
        assert self.make(folder).place == self.make(folder).place != ""

    def test_a_registry_lives_on_it(self, folder: Path) -> None:
        """What one registry has kept is there for the next."""
        with_models = ModelRegistry(storage_path=self.make(folder))
        with_models.register_model({"id": "custom/a", "context_size": 8192, "tags": {"kept"}})
        with_models.save()
        after = ModelRegistry(storage_path=self.make(folder))
        assert (after["custom/a"].context_size, after["custom/a"].tags) == (8192, {"kept"})
